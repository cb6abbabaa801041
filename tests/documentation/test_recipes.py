"""The recipes use commands, options and metrics that exist."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from dbwarden.cli.app import build
from dbwarden.cli.parsing import parse
from dbwarden.fastapi.metrics import GAUGES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
RECIPES = [path for path in (DOCS / "recipes").iterdir() if path.suffix in (".yaml", "")]
WORKFLOWS = [path.relative_to(ROOT) for path in (ROOT / ".github" / "workflows").iterdir()]
IN_PAGES = re.compile(r"(?:^\$ |`)(dbwarden [a-z][^`\n;&>]*)", re.MULTILINE)
IN_FILES = re.compile(r"(?<![\w./-])(dbwarden [a-z][^\n;&|>]*)")
VALUES = re.compile(r"\"?\$\{\w+:-0\}\"?|\"[\w/]*\$\w+\"|\{\{[^}]*\}\}")
PAGES = [DOCS / f"{name}.md" for name in ("ci", "deployment", "tutorial", "index")]


@pytest.mark.parametrize("path", [*RECIPES, *PAGES, ROOT / ".pre-commit-hooks.yaml"], ids=str)
def test_every_command_exists_with_its_options(path: Path) -> None:
    text = VALUES.sub("0", path.read_text(encoding="utf-8"))
    pattern = IN_PAGES if path.suffix == ".md" else IN_FILES
    for command in pattern.findall(text):
        if "in this" not in command and "NAME" not in command:
            closed = command.count('"') % 2 == 0
            words = shlex.split(command if closed else command.rpartition('"')[0])
            parse(build(), words[1:])


def expressions() -> dict[str, str]:
    board = json.loads((DOCS / "recipes" / "dashboard.json").read_text(encoding="utf-8"))
    panels = {item["title"]: item["targets"][0]["expr"] for item in board["panels"]}
    alerts = yaml.safe_load((DOCS / "recipes" / "alerts.yaml").read_text(encoding="utf-8"))
    rules: list[dict[str, Any]] = alerts["groups"][0]["rules"]
    return {**panels, **{rule["alert"]: rule["expr"] for rule in rules}}


def test_the_dashboard_and_the_alerts_use_metrics_that_exist() -> None:
    known = {f"dbwarden_{gauge}" for gauge in GAUGES}
    used = {name: re.findall(r"dbwarden_\w+", text) for name, text in expressions().items()}
    for title, names in used.items():
        assert names and set(names) <= known, title
    shown = {name for names in used.values() for name in names}
    assert shown == known, "the dashboard shows every metric"
    page = (DOCS / "monitoring.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in known)


@pytest.mark.parametrize("path", [path for path in RECIPES if path.suffix], ids=str)
def test_every_recipe_is_valid_yaml(path: Path) -> None:
    text = re.sub(r"\{\{ [^}]* \}\}", "x", path.read_text(encoding="utf-8"))
    assert all(isinstance(document, dict) for document in yaml.safe_load_all(text))


SCHEMAS = {
    "github-workflows": ["docs/recipes/github.yaml", *sorted(map(str, WORKFLOWS))],
    "gitlab-ci": ["docs/recipes/gitlab.yaml"],
    "github-issue-config": [".github/ISSUE_TEMPLATE/config.yml"],
    "github-issue-forms": [".github/ISSUE_TEMPLATE/bug.yml", ".github/ISSUE_TEMPLATE/idea.yml"],
}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_what_a_forge_reads_matches_its_schema(schema: str) -> None:
    checker = Path(sys.executable).with_name("check-jsonschema")
    words = [str(checker), "--builtin-schema", f"vendor.{schema}", *SCHEMAS[schema]]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
