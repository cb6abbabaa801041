"""Every case on SQLite, one runner: build, read, write, run, read, roll back, read."""

import importlib
import pkgutil
import sqlite3

import pytest

from dbwarden.diff.changes import Rename, Renaming, invert
from dbwarden.diff.statements import RenderOptions
from dbwarden.schema import Kind, Ref
from tests.acceptance import cases_sqlite as package
from tests.acceptance.cases_sqlite import Rows, SqliteCase
from tests.acceptance.judging_sqlite import (
    built,
    describe,
    nothing,
    read,
    run,
    script,
    unlike,
    write,
)

CASES = [
    pytest.param(case, id=f"{module.name}-{case.name}".replace(" ", "_"))
    for module in pkgutil.iter_modules(package.__path__)
    for case in importlib.import_module(f"{package.__name__}.{module.name}").CASES
]
KINDS = {kind.value: kind for kind in Kind}


def renaming(text: str) -> Rename:
    """``column users.nick:nickname``, ``table users:members``."""
    kind, _, rest = text.partition(" ")
    old, _, new = rest.partition(":")
    name, _, part = old.partition(".")
    after = Ref(KINDS[kind], None, name, new) if part else Ref(KINDS[kind], None, new)
    return Rename(before=Ref(KINDS[kind], None, name, part or None), after=after)


def rows(database: sqlite3.Connection, queries: dict[str, Rows]) -> dict[str, Rows]:
    return {query: database.execute(query).fetchall() for query in queries}


@pytest.mark.parametrize("case", CASES)
def test_a_change_leads_exactly_there_and_exactly_back(case: SqliteCase) -> None:
    if sqlite3.sqlite_version_info < case.since:
        pytest.skip(f"needs SQLite {'.'.join(map(str, case.since))}")
    database, wanted = built(case.old), built(case.new)
    current, desired = read(database), read(wanted)
    was, goal = describe(database), describe(wanted)
    renames = tuple(renaming(text) for text in case.renames)
    options = RenderOptions(using=case.using, fills=case.fills)

    upgrade = write(current, desired, renames, options)
    back = [item for item in invert(renames) if isinstance(item, Renaming)]
    rollback = write(desired, current, back)

    assert upgrade, "a change must write SQL"
    told = script(upgrade) + " ".join(item.why or "" for item in upgrade)
    for word in case.contains:
        assert word in told
    for word in case.lacks:
        assert word not in script(upgrade)
    assert {name for item in upgrade for name in item.destroys} == set(case.loses)
    run(database, upgrade)
    assert unlike(read(database), desired) == []
    assert describe(database) == goal
    assert rows(database, case.after) == case.after
    run(database, rollback)
    assert unlike(read(database), current) == []
    assert describe(database) == was
    assert rows(database, case.back) == case.back


@pytest.mark.parametrize("case", CASES)
def test_a_schema_is_built_from_nothing_and_taken_down_to_nothing(case: SqliteCase) -> None:
    if sqlite3.sqlite_version_info < case.since:
        pytest.skip(f"needs SQLite {'.'.join(map(str, case.since))}")
    wanted, database = built(case.new), built()
    desired = read(wanted)

    run(database, write(nothing(), desired))
    assert unlike(read(database), desired) == []
    assert describe(database) == describe(wanted)

    run(database, write(desired, nothing()))
    assert describe(database) == {}
