"""SQLite's text is split into statements and steps, checked by SQLite."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dbwarden.dialects.base import Statement, Step
from dbwarden.dialects.sqlite.sql.splitting import (
    is_connection_setting,
    pragma_of,
    refuses_transaction,
    split,
    steps,
)
from dbwarden.errors import MigrationFileError
from dbwarden.files.checksum import checksum
from dbwarden.files.migration import Migration, Section
from dbwarden.migration_history import HistoryKind
from dbwarden.types import DatabaseName, Version

PATH = Path("migrations/logging/logging__0003_x.sql")

HARD = (
    "SELECT 1",
    "SELECT 'a;b'",
    "SELECT 'it''s; fine'",
    "SELECT 'back\\', ';'",
    'SELECT 1 AS "a;b"',
    "SELECT 1 AS `a;b`",
    "SELECT 1 AS [it's; fine]",
    "SELECT /* ; /* nested */ 1",
    "SELECT 1 -- it's; fine\n + 2",
    "SELECT x'00', ':name', '%s', '{\"a\": \":b\"}'",
    "SELECT 'first\n\n\nthird;'",
    "SELECT CASE WHEN 1 THEN 2 END",
    "CREATE TABLE t1 (a TEXT DEFAULT ';')",
    "CREATE TEMP TABLE trigger_end (a)",
    "CREATE TRIGGER g1 AFTER INSERT ON t0 BEGIN UPDATE t0 SET a = 1; DELETE FROM t0; END",
    "create temporary trigger g2 after insert on t0 begin select case when 1 then 2 end; end",
    "CREATE TRIGGER IF NOT EXISTS g3 BEFORE DELETE ON t0 BEGIN\n"
    "  SELECT 'END;' -- END;\n  ; /* END; */ SELECT 1 AS [END;]; -- last\n END",
    "CREATE TEMP TRIGGER g4 AFTER UPDATE ON t0 WHEN new.a = ';' BEGIN SELECT 1; END",
    "EXPLAIN SELECT 1",
    "CREATE VIEW v1 AS SELECT 1 AS a",
    "INSERT INTO t0 VALUES (';')",
    "PRAGMA user_version = 7",
)
"""Each is one statement."""


def cut(text: str) -> tuple[Statement, ...]:
    return split(text, path=PATH, database=DatabaseName("logging"))


def texts(text: str) -> list[str]:
    return [statement.text for statement in cut(text)]


def steps_of(text: str) -> tuple[Step, ...]:
    section = Section(text=text, line=3, checksum=checksum(text))
    migration = Migration(
        database=DatabaseName("logging"),
        kind=HistoryKind.VERSIONED,
        version=Version(3),
        name="x",
        path=PATH,
        upgrade=section,
        rollback=None,
    )
    return steps(migration, section)


@pytest.mark.parametrize("statement", HARD)
def test_a_hard_statement_stays_whole_and_sqlite_runs_it(statement: str) -> None:
    assert texts(statement) == [statement]
    assert texts(f"-- ';\n/* \" */ ;; {statement} ; -- [\n") == [statement]
    with sqlite3.connect(":memory:") as connection:
        connection.execute("CREATE TABLE t0 (a)")
        connection.execute(statement)  # refuses more than one
    connection.close()


SEPARATORS = (";", " ;\n", ";;\n\n", "; -- it's; [\n", ";/* a ; ' */", "\t--x\n;\r\n")


@given(st.lists(st.tuples(st.sampled_from(HARD), st.sampled_from(SEPARATORS)), max_size=8))
def test_hard_statements_in_any_order_are_split_where_they_were_joined(
    parts: list[tuple[str, str]],
) -> None:
    text = "".join(statement + separator for statement, separator in parts)
    assert texts(text) == [statement for statement, _ in parts]


FRAGMENTS = (
    "a", "'", "''", '"', "`", "[", "]", "--", "/*", "*/", "\n", "\r\n", ";", ";", ";", " ", "-",
    "/", "$", "é", "create trigger ", "temp ", "create ", "trigger ", "explain ", " end", ";end;",
    ";\nEND ", " case ", "select ",
)  # fmt: skip


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join))
@example("/*/*/*")
@example("create trigger a; end; b")
@example("create trigger a;\nEND -- x\n; b")
def test_every_statement_ends_where_the_standard_library_says_it_does(text: str) -> None:
    try:
        found = cut(text)
    except MigrationFileError:
        return
    position = 0
    for statement in found:
        before = text.split("\n")[: statement.line - 1]
        start = sum(len(line) + 1 for line in before) + statement.column - 1
        assert start >= position
        assert text[start : start + len(statement.text)] == statement.text
        position = start + len(statement.text)
        assert sqlite3.complete_statement(statement.text + ";")
        semicolons = [at for at, char in enumerate(statement.text) if char == ";"]
        for at in semicolons:
            assert not sqlite3.complete_statement(statement.text[: at + 1])


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("SELECT 1;\n SELECT 'a;", "4:9", "this string is never closed"),
        ("SELECT 1 AS [a;", "3:13", "this quoted name is never closed"),
        ("SELECT `a;", "3:8", "this quoted name is never closed"),
        ("SELECT 1; /* a", "3:11", "this comment is never closed"),
        (
            "SELECT 1;\nCREATE TRIGGER g AFTER INSERT ON t0 BEGIN SELECT 1; ",
            "4:1",
            "this trigger has no END;",
        ),
        ("BEGIN IMMEDIATE;", "3:1", "BEGIN controls the transaction"),
        ("commit", "3:1", "COMMIT controls the transaction"),
        ("END", "3:1", "END controls the transaction"),
        ("ROLLBACK TO a", "3:1", "ROLLBACK controls the transaction"),
        ("SAVEPOINT a", "3:1", "SAVEPOINT controls the transaction"),
        ("RELEASE a", "3:1", "RELEASE controls the transaction"),
        ("SELECT 1 -- a\n-- @dbwarden:autocommit\n", "4:1", "on a line of its own"),
        ("-- @dbwarden:autocommit\n", "3:1", "no statement follows"),
    ],
)
def test_an_invalid_statement_is_an_error_with_its_start(text: str, place: str, words: str) -> None:
    with pytest.raises(MigrationFileError) as caught:
        steps_of(text)
    assert words in caught.value.message
    assert str(caught.value.location) == f"{PATH}:{place}"
    assert caught.value.next_step


ALONE = (
    "VACUUM",
    "vacuum main INTO 'x'",
    "ATTACH 'x' AS y",
    "DETACH y",
    "PRAGMA foreign_keys = OFF",
    "pragma main . journal_mode = wal",
    'PRAGMA "main".journal_mode=DELETE',
    "PRAGMA synchronous(OFF)",
    "PRAGMA page_size = 8192",
    "PRAGMA /* why */ wal_checkpoint",
)


@pytest.mark.parametrize("text", ALONE)
def test_statements_outside_transactions_are_their_own_step(text: str) -> None:
    found = steps_of(f"SELECT 1;\n{text};\nSELECT 2")
    assert [(step.transactional, step.text) for step in found] == [
        (True, "SELECT 1"),
        (False, text),
        (True, "SELECT 2"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "PRAGMA user_version = 3",
        "PRAGMA defer_foreign_keys = ON",
        "PRAGMA foreign_key_check",
        "CREATE TABLE vacuum (a)",
        "'vacuum'",
    ],
)
def test_transactional_statements_stay_in_one_step(text: str) -> None:
    assert not refuses_transaction(Statement(text=text, line=1, column=1))


def test_sqlite_really_ignores_or_refuses_these_inside_a_transaction(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("BEGIN")
    connection.execute("PRAGMA foreign_keys = ON")
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (0,)
    for refused in ("PRAGMA synchronous = OFF", "VACUUM", "PRAGMA journal_mode = WAL"):
        with pytest.raises(sqlite3.OperationalError):
            connection.execute(refused)
    connection.execute("ROLLBACK")
    connection.close()


def test_a_marked_statement_is_a_step_of_its_own() -> None:
    found = steps_of("SELECT 1;\n-- @dbwarden:autocommit\nDELETE FROM t;\nSELECT 2;")
    assert [step.transactional for step in found] == [True, False, True]
    assert found[1].statements == (Statement(text="DELETE FROM t", line=5, column=1, marked=True),)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("PRAGMA main.foreign_keys = 1", "foreign_keys"),
        ("pragma\nFOREIGN_KEYS(1)", "foreign_keys"),
        ("PRAGMA 'x'", ""),
        ("SELECT 1", None),
    ],
)
def test_a_pragma_is_known_by_its_name(text: str, name: str | None) -> None:
    assert pragma_of(Statement(text=text, line=1, column=1)) == name


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("PRAGMA foreign_keys = OFF", True),
        ("ATTACH 'x' AS y", True),
        ("PRAGMA journal_mode = WAL", False),
        ("PRAGMA user_version = 2", False),
        ("SELECT 1", False),
    ],
)
def test_settings_of_the_connection_are_recognized(text: str, setting: bool) -> None:
    assert is_connection_setting(Statement(text=text, line=1, column=1)) is setting
