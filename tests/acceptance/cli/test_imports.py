"""Modules that a command loads."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

LOADED = "import sys\nfrom dbwarden.cli.app import run\ntry:\n    run({arguments!r})\nexcept SystemExit: pass\nprint(*sys.modules, file=sys.stderr)"  # noqa: E501


def loaded_by(*arguments: str) -> set[str]:
    code = LOADED.format(arguments=list(arguments))
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(ran.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [("--help",), ("--version",)])
def test_help_and_version_load_nothing_heavy(project: Path, arguments: Sequence[str]) -> None:
    heavy = {"sqlalchemy", "fastapi", "asyncpg", "structlog", "asyncio", "anyio"}
    assert not heavy & loaded_by(*arguments)


@pytest.mark.parametrize("command", ["status", "check", "migrate"])
def test_reading_and_migrating_never_load_sqlalchemy_or_fastapi(
    project: Path, command: str
) -> None:
    assert not {"sqlalchemy", "fastapi", "structlog", "rich.table"} & loaded_by(command, "--all")


def test_importing_dbwarden_loads_nothing(project: Path) -> None:
    code = "import sys, typing; old = set(sys.modules); import dbwarden; print(*set(sys.modules) - old)"  # noqa: E501
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert [name for name in ran.stdout.split() if name.startswith("dbwarden")] == ["dbwarden"]
