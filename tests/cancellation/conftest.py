"""A project on disk, and the command line in processes of its own, to be interrupted and killed."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

CONFIGURATION = """
from dbwarden import database_config

for number, url in enumerate({urls!r}):
    database_config(
        database_name=f"db{{number}}",
        default=number == 0,
        database_type={kind!r},
        database_url=url,
    )
"""


@dataclass
class Project:
    root: Path

    def migration(self, database: str, name: str, text: str) -> None:
        folder = self.root / "migrations" / database
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{database}__{name}.sql").write_text(text, encoding="utf-8")

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "dbwarden", *arguments],
            cwd=self.root,
            env={**os.environ, "NO_COLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


MakeProject = Callable[..., Project]


@pytest.fixture
def make_project(tmp_path: Path) -> MakeProject:
    """Makes a project with one database for each URL: ``db0``, ``db1`` ..."""

    def make(*urls: str, kind: str = "postgresql") -> Project:
        text = CONFIGURATION.format(urls=list(urls), kind=kind)
        (tmp_path / "dbwarden.py").write_text(text, encoding="utf-8")
        return Project(tmp_path)

    return make


async def ask(url: str, query: str) -> list[tuple[object, ...]]:
    """The rows of *query*, by a connection of the test's own."""
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


OTHERS = """
    SELECT wait_event, query FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
"""
MIGRATORS = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'dbwarden%'
"""
LOCKS = """
    SELECT locktype FROM pg_locks
    WHERE locktype = 'advisory'
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
