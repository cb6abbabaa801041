"""Where lint and squawk disagree about the same files, docs/lint.md explains it."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio.to_thread
import pytest

from dbwarden.authoring.scratch_session import open_scratch_session
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from dbwarden.linting.rules import RULES
from tests.integration.lint import cases
from tests.integration.lint.linting import Linting, configured

PAGE = (Path(__file__).parents[3] / "docs" / "lint.md").read_text(encoding="utf-8")
SAME = {
    "adding-field-with-default": {"volatile-default"},
    "adding-foreign-key-constraint": {"constraint-not-valid"},
    "adding-not-nullable-field": {"not-null-scan"},
    "adding-required-field": {"not-null-scan"},
    "adding-serial-primary-key-field": {"blocking-index"},
    "ban-drop-column": {"drop-column"},
    "ban-drop-table": {"drop-table"},
    "ban-set-schema": {"rename"},
    "changing-column-type": {"type-change", "rewrite"},
    "constraint-missing-not-valid": {"constraint-not-valid", "blocking-index"},
    "disallowed-unique-constraint": {"blocking-index"},
    "identifier-too-long": {"identifier-too-long"},
    "prefer-bigint-over-int": {"int-primary-key"},
    "prefer-timestamp-tz": {"timestamp-without-zone"},
    "renaming-column": {"rename"},
    "renaming-table": {"rename"},
    "require-concurrent-index-creation": {"blocking-index"},
    "require-concurrent-index-deletion": {"blocking-index"},
    "require-concurrent-reindex": {"blocking-index"},
}
"""The rules of lint that find the same as a rule of squawk. Others have no counterpart."""


def _upgrades() -> Iterator[tuple[str, str]]:
    for case in cases.CASES:
        for number, text in enumerate((*case.fires, *case.quiet)):
            sql = text.partition("-- upgrade\n")[2] if "-- upgrade" in text else text
            yield f"{case.rule}-{number}.sql", sql.partition("-- rollback")[0]


def _explained(heading: str) -> set[str]:
    table = PAGE.partition(heading)[2].partition("\n### ")[0]
    return {
        name
        for cells in re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE)
        for name in re.findall("`([a-z-]+)`", cells)
    }


def _squawk(folder: Path) -> dict[str, set[str]]:
    """Return the rules of squawk by file."""
    files = dict(_upgrades())
    for name, sql in files.items():
        (folder / name).write_text(sql, encoding="utf-8")
    program = Path(sys.executable).with_name("squawk")
    ran = subprocess.run(
        [program, "--reporter", "json", *files], cwd=folder, capture_output=True, check=False
    )
    found: dict[str, set[str]] = {name: set() for name in files}
    for item in json.loads(ran.stdout):
        found[Path(item["file"]).name].add(item["rule_name"])
    return found


@pytest.mark.long
async def test_every_disagreement_is_explained(
    postgres_server: EmbeddedServer, tmp_path: Path
) -> None:
    theirs = await anyio.to_thread.run_sync(_squawk, tmp_path)
    url = postgres_server.url()
    config = await anyio.to_thread.run_sync(configured, tmp_path, url, url)
    only_squawk: dict[str, list[str]] = {}
    only_lint: dict[str, list[str]] = {}
    async with open_scratch_session(config) as session:
        linting = Linting(session, cases.BASE)
        for name, sql in _upgrades():
            ours = {finding.rule for finding in await linting(sql, *RULES)}
            for rule in theirs[name]:
                if not SAME.get(rule, set()) & ours:
                    only_squawk.setdefault(rule, []).append(name)
            for rule in ours:
                if not any(rule in SAME.get(their, ()) for their in theirs[name]):
                    only_lint.setdefault(rule, []).append(name)
    assert _explained("### What squawk reports and lint does not") == set(only_squawk), only_squawk
    assert _explained("### What lint reports and squawk does not") == set(only_lint), only_lint
