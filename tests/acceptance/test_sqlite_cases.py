"""Every case on SQLite on the user's path: make, migrate, compare, roll back, compare."""

import importlib
import pkgutil
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest

from tests.acceptance import cases_sqlite as package
from tests.acceptance.cases_sqlite import Rows, SqliteCase
from tests.acceptance.judging_sqlite import (
    built,
    describe,
    opened,
    read,
    unlike,
)
from tests.acceptance.project import Project

CASES: list[tuple[str, SqliteCase]] = [
    (f"{module.name}-{case.name}".replace(" ", "_"), case)
    for module in pkgutil.iter_modules(package.__path__)
    for case in importlib.import_module(f"{package.__name__}.{module.name}").CASES
]
T = TypeVar("T")


def do(operation: Callable[..., Awaitable[T]], *args: Any, **options: Any) -> T:
    """What *operation* returns; the loop ends before the test reads the file, which blocks."""
    return anyio.run(partial(operation, *args, **options))


def rows(database: sqlite3.Connection, queries: Mapping[str, Rows]) -> dict[str, Rows]:
    return {query: database.execute(query).fetchall() for query in queries}


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES])
def test_a_change_leads_exactly_there_and_exactly_back(case: SqliteCase, tmp_path: Path) -> None:
    if sqlite3.sqlite_version_info < case.since:
        pytest.skip(f"needs SQLite {'.'.join(map(str, case.since))}")
    before, wanted = built(case.old), built(case.new)
    project = Project(tmp_path, tmp_path, "sqlite", f"sqlite:///{tmp_path / 'live.db'}")
    if case.old:
        project.write("primary__0001_by_hand.sql", f"-- upgrade\n{case.old}\n")
        do(project.migrate)
    renames = [text.partition(" ")[2] for text in case.renames]
    result = do(project.made, case.new, renames=renames, using=case.using, fills=case.fills)
    upgrade = project.upgrade_of(result)
    for word in case.contains:
        assert word in upgrade
    for word in case.lacks:
        assert word not in upgrade
    assert set(result.destroys) == set(case.loses)
    do(project.migrate)
    with closing(opened(tmp_path / "live.db")) as live:
        assert_same(live, wanted)
        assert rows(live, case.after) == case.after
    do(project.rollback)
    with closing(opened(tmp_path / "live.db")) as live:
        assert_same(live, before)
        assert rows(live, case.back) == case.back


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=name) for name, case in CASES if case.whole]
)
def test_a_schema_is_built_from_nothing_and_taken_down_to_nothing(
    case: SqliteCase, tmp_path: Path
) -> None:
    if sqlite3.sqlite_version_info < case.since:
        pytest.skip(f"needs SQLite {'.'.join(map(str, case.since))}")
    wanted = built(case.new)
    project = Project(tmp_path, tmp_path, "sqlite", f"sqlite:///{tmp_path / 'live.db'}")
    do(project.made, case.new)
    do(project.migrate)
    with closing(opened(tmp_path / "live.db")) as live:
        assert_same(live, wanted)
    do(project.rollback)
    with closing(opened(tmp_path / "live.db")) as live:
        assert describe(live) == {}


def assert_same(live: sqlite3.Connection, wanted: sqlite3.Connection) -> None:
    """Both are the same to dbwarden's catalog and to SQLite's own PRAGMAs."""
    assert unlike(read(live), read(wanted)) == []
    assert describe(live) == describe(wanted)
