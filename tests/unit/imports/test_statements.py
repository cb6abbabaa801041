from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from dbwarden.dialects.authoring import TimeUnit
from dbwarden.dialects.postgresql.scratch.authoring_dialect import NOW
from dbwarden.dialects.postgresql.sql.loops import repeat
from dbwarden.dialects.postgresql.sql.quoting import value_literal
from dbwarden.files.lexing import POSTGRESQL
from dbwarden.imports.rendering import Instant, Recorded
from dbwarden.imports.statements import Rules, Script, script_of

RULES = Rules(
    lexis=POSTGRESQL,
    literal=value_literal,
    now=NOW.__getitem__,
    repeat=lambda loop, commits: repeat(loop, commits=commits),
    ignored="alembic_version",
)


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
        "SELECT id FROM users",  # whose rows nothing fetches
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
    sql = ("SELECT id FROM users u JOIN public.orders o ON true", "SELECT 1 FROM users")
    found = script_of([Recorded(sql=text, returns_rows=True) for text in sql], RULES)
    assert found.texts == ()
    assert found.reviews == (
        "it reads rows of users, public.orders; what follows from them is missing",
    )


@pytest.mark.parametrize(
    ("between", "reviewed"),
    [
        ('INSERT INTO "own" VALUES (1)', False),
        ("CREATE INDEX i ON own (id)", False),
        ("INSERT INTO own SELECT id FROM users", True),
        ("ALTER TABLE users RENAME TO own", True),
    ],
)
def test_rows_of_a_table_that_the_revision_made_ask_for_no_review(
    between: str, reviewed: bool
) -> None:
    query = Recorded(sql="SELECT id FROM own", returns_rows=True)
    made = [Recorded(sql='\nCREATE TABLE "own" (id int)'), Recorded(sql=between), query]
    assert bool(script_of(made, RULES).reviews) is reviewed
    assert script_of(
        [Recorded(sql="CREATE TABLE IF NOT EXISTS own (id int)"), query], RULES
    ).reviews


def test_values_of_the_moment_ask_for_a_review() -> None:
    found = script("INSERT INTO a VALUES ('x1')", again=["INSERT INTO a VALUES ('x2')"])
    assert found.reviews == (
        "it writes a value made when it was recorded: INSERT INTO a VALUES ('x1')",
    )
    today = replace(RULES, today=frozenset([date(2026, 11, 30)]))
    same = "INSERT INTO a VALUES ('2026-11-30')"
    assert script(same, again=[same], rules=today).reviews
    assert script("a", "b", again=["b", "a"]).reviews == ()
    assert script("a", again=[]).reviews == ("a second run sent other statements",)


def test_constraints_in_another_order_ask_for_no_review() -> None:
    table = "CREATE TABLE t (\n\tid INTEGER, \n\tCHECK (id > 1), \n\tUNIQUE (id)\n)\n"
    other = "CREATE TABLE t (\n\tid INTEGER, \n\tUNIQUE (id), \n\tCHECK (id > 1)\n)\n"
    assert script(table, again=[other]) == Script(texts=script(table).texts)
    assert script(table, again=[table.replace("1", "2")]).reviews  # a value of the moment
    assert script(table, "a", "b", again=[other, "b", "a"]).reviews == ()
    batch = replace(Recorded(sql="DELETE FROM t"), counted=True)
    tries = {1: [Recorded(sql=other), batch]}
    assert script_of([Recorded(sql=table), batch], RULES, tries=tries).reviews == ()
    assert script("SELECT f(\n1,\n2)", again=["SELECT f(\n2,\n1)"]).reviews


def test_what_follows_a_commit_runs_outside_of_the_transaction() -> None:
    found = script("COMMIT", "ALTER TYPE mood ADD VALUE 'sad'", "CREATE TABLE t ()")
    assert [text.autocommit for text in found.texts] == [True, False]


FIRST = datetime(2026, 11, 30, 21, 0, 0, tzinfo=UTC)
LATER = FIRST + timedelta(minutes=1)


def written(value: object, start: datetime, *, autocommit: bool = False) -> Recorded:
    """Return a statement that writes *value*, of a run of two seconds."""
    return Recorded(
        sql="UPDATE a SET at = $1",
        values=((value,),),
        style="numeric_dollar",
        autocommit=autocommit,
        clock=(start, start + timedelta(seconds=2)),
    )


@pytest.mark.parametrize(
    ("value_of", "unit"),
    [
        (lambda at: Instant(at.isoformat(" ")), "instant"),
        (lambda at: int(at.timestamp()), "seconds"),
        (lambda at: int(at.timestamp() * 1000), "milliseconds"),
    ],
)
def test_the_time_of_the_run_becomes_an_expression(
    value_of: Callable[[datetime], object], unit: TimeUnit
) -> None:
    one = written(value_of(FIRST + timedelta(seconds=1)), FIRST)
    again = written(value_of(LATER + timedelta(seconds=1)), LATER)
    found = script_of([one], RULES, [again])
    assert [text.sql for text in found.texts] == [f"UPDATE a SET at = {NOW[unit]}"]
    assert found.reviews == ()

    # A time from elsewhere is written as it is, and one outside of a transaction is to be reviewed:
    # there, an expression would differ from statement to statement.
    other = written(value_of(FIRST - timedelta(hours=1)), FIRST)
    (kept,) = script_of([other], RULES, [other]).texts
    assert NOW[unit] not in kept.sql
    one, again = replace(one, autocommit=True), replace(again, autocommit=True)
    assert "made when it was recorded" in script_of([one], RULES, [again]).reviews[0]


def test_what_a_statement_answers_asks_for_a_review() -> None:
    returning = Recorded(sql="INSERT INTO a DEFAULT VALUES RETURNING id", returns_rows=True)
    (why,) = script_of([returning], RULES).reviews
    assert why.startswith("it reads what INSERT INTO a DEFAULT VALUES RETURNING id returns")
    batch = Recorded(sql="UPDATE a SET b = 1 WHERE id IN (SELECT id FROM c LIMIT 9)", counted=True)
    found = script_of([batch], RULES)
    assert found.reviews[0].endswith("counts; what follows is missing")
    assert [text.sql for text in found.texts] == [batch.sql]
