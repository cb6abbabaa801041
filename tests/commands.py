"""Run the command line in its own process, for tests that have an event loop."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


async def dbwarden(folder: Path, *arguments: str) -> Ran:
    """Run ``dbwarden`` in *folder*."""
    done = await anyio.run_process(
        [sys.executable, "-m", "dbwarden", *arguments],
        cwd=folder,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200"},
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def migration(folder: Path, prefix: str, name: str, upgrade: str, rollback: str = "") -> Path:
    """Write a migration file of the project in *folder*."""
    path = folder / "migrations" / prefix / f"{prefix}__{name}.sql"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"-- upgrade\n{upgrade}\n\n-- rollback\n{rollback}\n", encoding="utf-8")
    return path
