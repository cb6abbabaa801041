from datetime import date

import pytest

from dbwarden.dialects.postgresql.sql.quoting import value_literal
from dbwarden.files.lexing import POSTGRESQL
from dbwarden.imports.recorded import Recorded
from dbwarden.imports.statements import Rules, Script, script_of

RULES = Rules(lexis=POSTGRESQL, literal=value_literal, ignored="alembic_version")


def script(*texts: str, again: list[str] | None = None, rules: Rules = RULES) -> Script:
    repeated = None if again is None else [Recorded(sql=text) for text in again]
    return script_of([Recorded(sql=text) for text in texts], rules, repeated)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT pg_catalog.version()",
        "SELECT 1",
        "SELECT a FROM pg_catalog.pg_class JOIN pg_namespace ON true",
        "SELECT name FROM sqlite_master",
        "PRAGMA main.table_info('users')",
        "PRAGMA foreign_keys = OFF",
        "INSERT INTO alembic_version VALUES ('1a')",
        'UPDATE "alembic_version" SET version_num = 2',
        "SAVEPOINT x",
        "SELECT x FROM unnest(ARRAY[1]) AS x",
    ],
)
def test_what_changes_nothing_is_left_out(sql: str) -> None:
    assert script(sql) == Script()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT setval('a_seq', (SELECT max(id) FROM a))",
        "SELECT create_hypertable('a', 'at')",
        "/* why */ WITH x AS (SELECT 1) INSERT INTO a SELECT * FROM x",
        "INSERT INTO a SELECT * FROM b",
        "SET LOCAL lock_timeout = '1s'",
        "UPDATE my_alembic_version SET a = 1",
    ],
)
def test_what_has_an_effect_is_kept(sql: str) -> None:
    assert [text.sql for text in script(sql).texts] == [sql]
    assert script(sql).reviews == ()


def test_reading_rows_asks_for_a_review() -> None:
    found = script("SELECT id FROM users u JOIN public.orders o ON true", "SELECT 1 FROM users")
    assert found.texts == ()
    assert found.reviews == (
        "it reads rows of users, public.orders; what follows from them is missing",
    )


def test_values_of_the_moment_ask_for_a_review() -> None:
    found = script("INSERT INTO a VALUES ('x1')", again=["INSERT INTO a VALUES ('x2')"])
    assert found.reviews == (
        "it writes a value made when it was recorded: INSERT INTO a VALUES ('x1')",
    )
    today = Rules(
        lexis=POSTGRESQL,
        literal=value_literal,
        ignored="v",
        today=frozenset([date(2026, 11, 30)]),
    )
    same = "INSERT INTO a VALUES ('2026-11-30')"
    assert script(same, again=[same], rules=today).reviews
    assert script("a", "b", again=["b", "a"]).reviews == ()
    assert script("a", again=[]).reviews == ("a second run sent other statements",)


def test_what_follows_a_commit_runs_outside_of_the_transaction() -> None:
    found = script("COMMIT", "ALTER TYPE mood ADD VALUE 'sad'", "CREATE TABLE t ()")
    assert [text.autocommit for text in found.texts] == [True, False]
