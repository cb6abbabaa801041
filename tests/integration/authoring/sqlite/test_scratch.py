"""The proof of a migration in scratch databases."""

import os
import textwrap

import anyio
import pytest

from dbwarden.dialects.sqlite.scratch.replaying import make_harmless
from dbwarden.dialects.sqlite.scratch.scratch_database import SQLiteScratchDatabase
from dbwarden.errors import (
    NotProven,
    StatementFailed,
    TimedOut,
    UsageError,
)
from dbwarden.files.parsing import parse
from dbwarden.kinds import authoring_dialect_for
from dbwarden.operations.verify import verify
from dbwarden.types import DatabaseName
from tests.integration.authoring.lite import Lite
from tests.integration.authoring.sqlite.models import USER


async def test_verify_names_rows_that_a_migration_leaves_without_their_parent(lite: Lite) -> None:
    lite.migration(
        1,
        "-- upgrade\nCREATE TABLE p (id INTEGER PRIMARY KEY);\n"
        "CREATE TABLE c (p INT REFERENCES p);\nINSERT INTO p VALUES (1);\n"
        "INSERT INTO c VALUES (1);\n",
    )
    lite.migration(2, "-- upgrade\nDELETE FROM p;\n")
    found = (await verify(lite.config)).migrations[-1]
    assert found.problem is not None
    assert "app__0002_by_hand.sql:2:1: the scratch database refused: after this step" in (
        found.problem
    )


async def test_a_migration_that_fails_on_rows_is_marked(lite: Lite) -> None:
    lite.models(USER)
    await lite.made()
    lite.models(USER.replace("email: Mapped[str | None]", "email: Mapped[str]"))
    with pytest.raises(UsageError, match=r"users\.email is NOT NULL") as caught:
        await lite.make()
    flag = "--fill users.email=\"''\""
    assert flag in str(caught.value.next_step)
    result = await lite.make(allow_failing_on_rows=True)
    (note,) = [note for note in result.notes if note.startswith("Fails where tables have rows: ")]
    assert note.endswith(f"make it again with {flag}")


async def test_a_migration_that_misses_the_models_is_not_written(lite: Lite) -> None:
    lite.models(USER + 'event.listen(Base.metadata, "after_create", DDL("DROP TABLE not_there"))\n')
    with pytest.raises((StatementFailed, NotProven), match="no such table: not_there") as said:
        await lite.make()
    assert "scratch_setup" in (said.value.next_step or "")


async def test_scratch_opens_and_creates_no_file(
    lite: Lite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(lite.root)
    lite.migration(
        1,
        "-- upgrade\nATTACH 'other.db' AS other;\nCREATE TABLE other.t (a INT);\n"
        "VACUUM INTO 'copy.db';\nVACUUM;\nPRAGMA user_version = 7;\nCREATE TABLE t (a INT);\n",
    )
    lite.migration(2, "-- upgrade\nATTACH 'other.db' AS other;\nDROP TABLE t;\n")
    before = sorted(os.listdir(lite.root))
    assert (await verify(lite.config)).clean
    assert sorted(set(os.listdir(lite.root)) - {".dbwarden"}) == before
    assert make_harmless("attach database 'a as b' as [x y]") == "ATTACH ':memory:' AS [x y]"
    assert make_harmless("VACUUM main INTO 'f'") is None
    assert make_harmless("ATTACH nonsense") == "ATTACH nonsense"
    assert make_harmless("ATTACH 'f") == "ATTACH 'f"


async def test_a_trace_reports_rewritten_tables(lite: Lite) -> None:
    text = """
        -- upgrade
        CREATE TABLE n (id INTEGER PRIMARY KEY, v INT AS (id + 1));
        INSERT INTO n SELECT id FROM a;
        DROP TABLE a;
        ALTER TABLE n RENAME TO a;
        ALTER TABLE b DROP COLUMN x;
        ALTER TABLE b DROP v;
        ALTER TABLE b ADD y INT;
        DROP TABLE gone;
        ALTER TABLE other RENAME TO gone;
        VACUUM;
        ALTER TABLE b RENAME TO c;
        CREATE TABLE n (id INT);
        DROP TABLE c;
        ALTER TABLE n RENAME TO c;
    """
    path = lite.root / "app__0001_x.sql"
    migration = parse(
        textwrap.dedent(text), path=path, database=DatabaseName("app"), dialect="sqlite"
    )
    async with authoring_dialect_for("sqlite").open(lite.config) as scratch:
        database = await scratch.create()
        await database.execute(
            [
                "CREATE TABLE a (id INT)",
                "CREATE TABLE b (id INT, x INT, v AS (id))",
                "CREATE TABLE gone (id INT)",
                "CREATE TABLE other (id INT)",
            ]
        )
        traced = await database.trace(migration, migration.upgrade)
    assert [(item.line, [lock.table for lock in item.locks]) for item in traced] == [
        (6, ["a"]),
        (7, ["b"]),
        (16, ["b"]),
    ]


async def test_rows_satisfy_keys_checks_and_types_where_they_can(lite: Lite) -> None:
    async with authoring_dialect_for("sqlite").open(lite.config) as scratch:
        database = await scratch.create()
        await database.execute(
            [
                "CREATE TABLE p (k TEXT PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('x','y')))",
                "CREATE TABLE c (id INTEGER PRIMARY KEY, p TEXT NOT NULL REFERENCES p, day DATE,"
                " n INT NOT NULL DEFAULT 7, b BLOB NOT NULL, r REAL NOT NULL, twice AS (n * 2))",
                "CREATE TABLE never (a INT PRIMARY KEY, b INT CHECK (b < 0 AND b > 9) NOT NULL)",
                "CREATE TABLE of_never (a INT NOT NULL REFERENCES never)",
                "CREATE TABLE loop (id INTEGER PRIMARY KEY, up INT NOT NULL REFERENCES loop)",
                "CREATE TABLE exact (a ANY NOT NULL, t TEXT NOT NULL) STRICT",
                "CREATE VIRTUAL TABLE docs USING fts5(body)",
                "CREATE TABLE all_default (id INTEGER PRIMARY KEY DEFAULT 1, a AS (1))",
            ]
        )
        schema = await database.read()
        filled = await database.add_rows(schema)
        assert set(filled) == {"p", "c", "loop", "exact", "all_default"}
        before = await database.fingerprint(schema)
        assert "docs.body" not in before
        copy = await scratch.create(copy_of=database)
        assert await copy.fingerprint(schema) == before
        await copy.execute(["UPDATE c SET r = 9 WHERE id = 1"])
        after = await copy.fingerprint(schema)
        assert {name for name in before if before[name] != after[name]} == {"c.r"}
        assert await database.fingerprint(schema) == before


async def test_a_cancelled_scratch_statement_ends_at_once(lite: Lite) -> None:
    endless = (
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    )
    async with authoring_dialect_for("sqlite").open(lite.config) as scratch:
        database = await scratch.create()
        assert isinstance(database, SQLiteScratchDatabase)
        with anyio.move_on_after(0.1) as scope:
            await database.execute([endless])
        assert scope.cancelled_caught
        await database.execute(["CREATE TABLE t (a INT)"])  # it is as good as before
        assert len((await database.read()).tables) == 1


async def test_an_exceeded_time_limit_is_reported(lite: Lite) -> None:
    lite.options["timeout"] = 0.05
    lite.models("import time\ntime.sleep(0.2)")
    with pytest.raises(TimedOut, match=r"did not end within 0\.05 s") as caught:
        await lite.make()
    assert "--timeout SECONDS" in (caught.value.next_step or "")
