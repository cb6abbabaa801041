"""Migrations reach the server unchanged, apply fully or not at all, and errors have a place."""

import pytest

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.base import PendingMigration
from dbwarden.dialects.postgresql.migrate import batching as messages
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from dbwarden.dialects.postgresql.sql.quoting import literal
from dbwarden.errors import LockTimeout, ReadOnlyDatabase, StatementFailed
from dbwarden.migration_history import State
from dbwarden.telemetry import Event
from tests.conftest import MakeConfig
from tests.integration.postgresql.helpers import (
    Done,
    admin,
    apply,
    ledger_of,
    migrator,
    tables,
    value,
    work,
)

TRIGGER = r"""
CREATE TABLE notes (id int PRIMARY KEY, body text, extra jsonb);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $fn$
BEGIN
  -- a semicolon; in a comment; and one in a string ';'
  NEW.body := NEW.body || ';' || $$ :name %s $$;
  RETURN NEW;
END
$fn$;
CREATE TRIGGER touching BEFORE INSERT ON notes FOR EACH ROW EXECUTE PROCEDURE touch();
INSERT INTO notes VALUES (1, 'a :name, 100% \d {curly} ''quoted''', '{"a": ":b", "c": "%(d)s"}');
INSERT INTO notes VALUES (2, 'first

third;
-- not a comment', NULL);
INSERT INTO notes VALUES (3, E'tab\tand \'quote\'', '{}') -- a comment at the end"""


async def test_sql_reaches_the_server_unchanged(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    await apply(postgres_config, work(1, TRIGGER))

    async with admin(postgres_url) as connection:
        rows = await connection.fetch("SELECT id, body, extra::text FROM notes ORDER BY id")
        source = await connection.fetchval("SELECT prosrc FROM pg_proc WHERE proname = 'touch'")
    assert [tuple(row) for row in rows] == [
        (
            1,
            "a :name, 100% \\d {curly} 'quoted'; :name %s ",
            '{"a": ":b", "c": "%(d)s"}',
        ),
        (2, "first\n\nthird;\n-- not a comment; :name %s ", None),
        (3, "tab\tand 'quote'; :name %s ", "{}"),
    ]
    assert "-- a semicolon; in a comment; and one in a string ';'" in source


@pytest.mark.parametrize(
    "ending", ["", ";", ";;", " -- done", "; -- done", " /* done */", ";\n\n-- done\n"]
)
async def test_a_migration_may_end_in_any_way(
    postgres_config: DatabaseConfig, postgres_url: str, ending: str
) -> None:
    await apply(postgres_config, work(1, f"CREATE TABLE a (){ending}"), work(2, "SELECT 1"))

    assert await tables(postgres_url) == {"a"}
    assert set(await ledger_of(postgres_config)) == {"0001", "0002"}


async def test_a_failing_migration_leaves_neither_a_change_nor_a_row(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    with pytest.raises(StatementFailed):
        await apply(postgres_config, work(1, "CREATE TABLE a (); SELECT 1/0;"))

    assert await tables(postgres_url) == set()
    assert await ledger_of(postgres_config) == {}


async def test_the_history_records_user_action_and_time(postgres_config: DatabaseConfig) -> None:
    await apply(postgres_config, work(7, "SELECT pg_sleep(0.01)", "SELECT 1"))

    row = (await ledger_of(postgres_config))["0007"]
    assert row.state is State.APPLIED
    assert row.description == "thing"
    assert (row.step, row.running) == (1, None)
    assert row.upgrade_checksum and row.rollback_checksum and row.steps_checksum
    assert row.started_at.utcoffset().total_seconds() == 0
    assert row.finished_at >= row.started_at
    assert row.duration_ms == pytest.approx(
        (row.finished_at - row.started_at).total_seconds() * 1000, abs=1
    )
    assert row.host and row.pid and row.application and row.dbwarden_version


async def test_a_rollback_marks_the_row_and_a_new_upgrade_adds_one(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    up, down = "CREATE TABLE a ()", "DROP TABLE a"
    await apply(postgres_config, work(1, up, down))
    row = (await ledger_of(postgres_config))["0001"]

    await apply(postgres_config, work(1, up, down, direction="rollback", row=row))

    back = (await ledger_of(postgres_config))["0001"]
    assert (back.id, back.state, back.started_at) == (row.id, State.ROLLED_BACK, row.started_at)
    assert back.finished_at > row.finished_at
    assert await tables(postgres_url) == set()

    await apply(postgres_config, work(1, up, down))
    again = (await ledger_of(postgres_config))["0001"]
    assert again.id != row.id
    assert again.state is State.APPLIED


async def test_a_failing_rollback_leaves_the_migration_applied(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    files = ("CREATE TABLE a ()", "DROP TABLE a; SELECT 1/0")
    await apply(postgres_config, work(1, *files))
    row = (await ledger_of(postgres_config))["0001"]

    with pytest.raises(StatementFailed):
        await apply(postgres_config, work(1, *files, direction="rollback", row=row))

    assert await ledger_of(postgres_config) == {"0001": row}
    assert await tables(postgres_url) == {"a"}


async def test_a_repeatable_that_runs_again_updates_its_row(
    postgres_config: DatabaseConfig,
) -> None:
    await apply(postgres_config, work("RA__views", "CREATE OR REPLACE VIEW v AS SELECT 1 AS a"))
    row = (await ledger_of(postgres_config))["views"]

    again = work("RA__views", "CREATE OR REPLACE VIEW v AS SELECT 2 AS a", row=row)
    await apply(postgres_config, again)

    rows = await ledger_of(postgres_config)
    assert rows["views"].id == row.id
    assert rows["views"].upgrade_checksum != row.upgrade_checksum
    assert rows["views"].started_at > row.started_at


async def test_a_baseline_writes_the_ledger_and_runs_nothing(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    file = work(1, "CREATE TABLE a (); CREATE INDEX CONCURRENTLY i ON a ((1))", fake=True)

    assert await apply(postgres_config, file) == ["0001"]

    row = (await ledger_of(postgres_config))["0001"]
    assert (row.state, row.duration_ms) == (State.APPLIED, 0)
    assert await tables(postgres_url) == set()


# -- where an error was -------------------------------------------------------------------------


async def failure(config: DatabaseConfig, text: str) -> StatementFailed:
    with pytest.raises(StatementFailed) as caught:
        await apply(config, work(1, text))
    return caught.value


@pytest.mark.parametrize(
    ("text", "place", "statement", "sqlstate"),
    [
        ("SELEC 1", "2:1", "SELEC 1", "42601"),
        ("SELECT 1;\n  SELECT  nope FROM pg_class", "3:11", "SELECT  nope FROM pg_class", "42703"),
        ("SELECT 'ä€😀', nope", "2:15", "SELECT 'ä€😀', nope", "42703"),
        ("SELECT 1; SELECT 'ü', nope", "2:23", "SELECT 'ü', nope", "42703"),
        ("SELECT 1;\r\nSELECT nope", "3:8", "SELECT nope", "42703"),
        ("SELECT 1;\nSELECT (", "3:9", "SELECT (", "42601"),
    ],
)
async def test_an_error_with_a_position_is_located_to_the_character(
    postgres_config: DatabaseConfig, text: str, place: str, statement: str, sqlstate: str
) -> None:
    error = await failure(postgres_config, text)

    assert str(error.location) == f"/project/migrations/primary__0001_thing.sql:{place}"
    assert error.statement == statement
    assert error.sqlstate == sqlstate
    assert error.database == "primary"
    assert error.next_step


@pytest.mark.parametrize(
    ("text", "place", "statement"),
    [
        ("SELECT 1/0", "2:1", "SELECT 1/0"),
        ("SELECT 1;\n\n  SELECT 1/0;\nSELECT 2", "4:3", "SELECT 1/0"),
        ("SELECT 1; /* ; */ SELECT 1/0; SELECT 2", "2:19", "SELECT 1/0"),
        ("CREATE TABLE a ();\nCREATE TABLE a ();", "3:1", "CREATE TABLE a ()"),
        (
            "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;\nSELECT 1;\nSELECT 1/0",
            "4:1",
            "SELECT 1/0",
        ),
    ],
)
async def test_an_error_without_a_position_names_its_statement(
    postgres_config: DatabaseConfig, text: str, place: str, statement: str
) -> None:
    error = await failure(postgres_config, text)

    assert str(error.location) == f"/project/migrations/primary__0001_thing.sql:{place}"
    assert error.statement == statement


async def test_the_servers_own_message_is_kept(postgres_config: DatabaseConfig) -> None:
    error = await failure(
        postgres_config,
        "CREATE TABLE a (id int PRIMARY KEY);\nINSERT INTO a VALUES (1), (1);\nSELECT 1",
    )

    assert error.message == 'duplicate key value violates unique constraint "a_pkey"'
    assert error.detail == "Key (id)=(1) already exists."
    assert str(error.location).endswith(":3:1")

    hinted = await failure(postgres_config, "SELECT relnam FROM pg_class")
    assert hinted.hint is not None
    assert "pg_class.relname" in hinted.hint


async def test_an_error_inside_a_function_shows_its_context(
    postgres_config: DatabaseConfig,
) -> None:
    error = await failure(
        postgres_config, "SELECT 1;\nDO $$ BEGIN PERFORM 1; PERFORM * FROM nope; END $$"
    )

    assert str(error.location).endswith(":3:1")
    assert error.detail is not None
    assert "PL/pgSQL function inline_code_block line 1" in error.detail


async def test_a_deferred_constraint_that_fails_at_the_commit_is_reported(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    error = await failure(
        postgres_config,
        "CREATE TABLE a (id int UNIQUE DEFERRABLE INITIALLY DEFERRED);\n"
        "INSERT INTO a VALUES (1), (1);\nSELECT 1;",
    )

    assert error.message.startswith("at its end: duplicate key")
    assert error.statement is None
    assert "deferred" in (error.next_step or "")
    assert await tables(postgres_url) == set()
    assert await ledger_of(postgres_config) == {}


async def test_a_nul_character_is_found_before_anything_runs(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    with pytest.raises(StatementFailed, match="NUL") as caught:
        await apply(
            postgres_config, work(1, "CREATE TABLE a ()"), work(2, "SELECT 1;\nSELECT '\0'")
        )

    assert str(caught.value.location).endswith("0002_thing.sql:3:9")
    assert await tables(postgres_url) == set()


# -- many in one message --------------------------------------------------------------------------


def numbered(count: int, **special: str) -> list[PendingMigration]:
    return [work(n, special.get(f"n{n}", f"CREATE TABLE t{n} ()")) for n in range(1, count + 1)]


async def test_hundreds_of_migrations_are_applied_in_order(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    done = await apply(postgres_config, *numbered(250))

    assert done == [f"{n:04d}" for n in range(1, 251)]
    rows = await ledger_of(postgres_config)
    assert [row.key for row in sorted(rows.values(), key=lambda row: row.id)] == done
    assert len(await tables(postgres_url)) == 250


@pytest.mark.parametrize(
    ("broken", "place"),
    [
        ("SELECT 1/0", "2:1"),
        ("SELECT 1;\nSELECT 1/0", "3:1"),
        ("SELECT nope", "2:8"),
        ("SELECT 1;\nSELEC 1", "3:1"),
        ("SELECT (", "2:9"),
    ],
)
async def test_a_failure_in_the_middle_of_a_message_leaves_exactly_those_before_it(
    postgres_config: DatabaseConfig, postgres_url: str, broken: str, place: str
) -> None:
    done = Done()
    async with migrator(postgres_config) as connection:
        with pytest.raises(StatementFailed) as caught:
            await connection.run(numbered(130, n117=broken), done)

        before = [f"{n:04d}" for n in range(1, 117)]
        assert done == before
        assert str(caught.value.location).endswith(f"0117_thing.sql:{place}")
        # The connection goes on to be usable, also for the rest.
        assert await connection.read()
        await connection.run(numbered(130)[116:], done)

    assert len(done) == 130
    assert len(await tables(postgres_url)) == 130
    assert list(await ledger_of(postgres_config)) == done


async def test_the_first_of_two_broken_migrations_is_reported(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    """The server finds the later one's syntax error when it reads the message."""
    with pytest.raises(StatementFailed) as caught:
        await apply(postgres_config, *numbered(9, n4="SELECT 1/0", n7="SELEC 1"))

    assert str(caught.value.location).endswith("0004_thing.sql:2:1")
    assert await tables(postgres_url) == {"t1", "t2", "t3"}


async def test_an_undecodable_text_is_located(
    postgres_server: EmbeddedServer, make_config: MakeConfig
) -> None:
    """The server refuses the whole message then, and does not say where."""
    await postgres_server.execute(
        "CREATE DATABASE narrow TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    try:
        config = make_config(postgres_server.url("narrow"))
        with pytest.raises(StatementFailed, match="no equivalent") as caught:
            await apply(config, *numbered(6, n4="SELECT '😀'"))

        assert str(caught.value.location).endswith("0004_thing.sql:2:1")
        assert await tables(postgres_server.url("narrow")) == {"t1", "t2", "t3"}
    finally:
        await postgres_server.drop_database("narrow")


async def test_a_long_migration_does_not_make_the_message_endless(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    long = "SELECT '" + "x" * messages.MOST_CHARACTERS + "'"

    assert len(await apply(postgres_config, *numbered(4, n2=long, n3=long))) == 4


# -- a migration does not reach beyond itself -----------------------------------------------------


@pytest.mark.parametrize(
    "setting",
    [
        "SET search_path = ''",
        "CREATE SCHEMA other; SET search_path = other",
        "SET ROLE pg_monitor",
        "SET SESSION AUTHORIZATION pg_monitor",
        "RESET ALL",
        "SET lock_timeout = 1",
        "SET statement_timeout = 0; SET TimeZone = 'Asia/Tokyo'",
        "SET standard_conforming_strings = off",
        "SELECT set_config('search_path', '', false)",
        "SET client_min_messages = error",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SELECT pg_advisory_xact_lock(1)",
    ],
)
async def test_settings_of_a_migration_reach_neither_the_history_nor_the_next_one(
    postgres_config: DatabaseConfig, postgres_url: str, setting: str
) -> None:
    await apply(
        postgres_config,
        work(1, setting),
        work(
            2, "CREATE TABLE a AS SELECT current_user AS who, current_setting('TimeZone') AS zone"
        ),
    )

    async with admin(postgres_url) as connection:
        row = await connection.fetchrow("SELECT who, zone FROM public.a")
    assert tuple(row) == ("postgres", "UTC")
    rows = await ledger_of(postgres_config)
    assert set(rows) == {"0001", "0002"}
    assert rows["0001"].started_at.utcoffset().total_seconds() == 0


async def test_settings_of_the_url_hold_for_every_migration(
    postgres_url: str, make_config: MakeConfig
) -> None:
    async with admin(postgres_url) as connection:
        await connection.execute("CREATE SCHEMA app")
    config = make_config(postgres_url + "?options=-c%20search_path%3Dapp")

    await apply(config, work(1, "SET search_path = public"), work(2, "CREATE TABLE a ()"))

    assert await value(postgres_url, "SELECT to_regclass('app.a') IS NOT NULL")
    assert await value(postgres_url, "SELECT to_regclass('app.dbwarden_ledger') IS NOT NULL")


async def test_a_migration_may_choose_its_isolation_level(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    await apply(
        postgres_config,
        work(
            1,
            "SET LOCAL work_mem = '8MB';\nSET TRANSACTION ISOLATION LEVEL SERIALIZABLE;\n"
            "CREATE TABLE a AS SELECT current_setting('transaction_isolation') AS level;",
        ),
    )

    assert await value(postgres_url, "SELECT level FROM a") == "serializable"


@pytest.mark.parametrize("setting", ["on", "off"])
@pytest.mark.parametrize("text", ["plain", "it's", r"a\b\'c", "\\", "''", "ü\n\t😀", "$$ :a %s"])
async def test_a_value_is_the_same_in_every_mode_of_strings(
    postgres_url: str, setting: str, text: str
) -> None:
    async with admin(postgres_url) as connection:
        await connection.execute(f"SET standard_conforming_strings = {setting}")
        assert await connection.fetchval(f"SELECT {literal(text)}") == text


async def test_a_failing_deferred_trigger_is_not_blamed_on_the_history(
    postgres_config: DatabaseConfig,
) -> None:
    error = await failure(
        postgres_config,
        "CREATE TABLE a ();\n"
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM 1/0; RETURN NULL; END $$;\n"
        "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON a DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE PROCEDURE f();\n"
        "INSERT INTO a DEFAULT VALUES",
    )

    assert error.message == "at its end: division by zero"
    assert "PL/pgSQL function f()" in (error.detail or "")


async def test_migrations_run_and_fail_without_plpgsql(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    async with admin(postgres_url) as connection:
        await connection.execute("DROP EXTENSION plpgsql")

    await apply(postgres_config, work(1, "CREATE TABLE a (); CREATE TABLE b ()"))
    with pytest.raises(StatementFailed) as caught:
        await apply(postgres_config, work(2, "SELECT 1;\nSELECT nope"))

    assert str(caught.value.location).endswith(":3:8")
    assert await tables(postgres_url) == {"a", "b"}


async def test_a_read_only_server_is_reported(postgres_url: str, make_config: MakeConfig) -> None:
    await apply(make_config(postgres_url), work(1, "SELECT 1"))
    config = make_config(postgres_url + "?options=-c%20default_transaction_read_only%3Don")

    async with migrator(config) as connection:
        assert (await connection.read()).read_only
        with pytest.raises(ReadOnlyDatabase):
            await connection.run([work(2, "CREATE TABLE a ()")], Done())


# -- limits ----------------------------------------------------------------------------------------


async def test_statement_timeout_ends_a_statement_and_is_reported(
    postgres_server: EmbeddedServer, postgres_url: str, make_config: MakeConfig
) -> None:
    config = make_config(postgres_url, statement_timeout=0.05)

    with pytest.raises(StatementFailed, match="statement timeout") as caught:
        await apply(config, work(1, "SELECT 1;\nSELECT pg_sleep(30)"))

    assert str(caught.value.location).endswith(":3:1")
    assert "statement_timeout" in (caught.value.next_step or "")


async def test_a_role_with_a_short_statement_timeout_can_migrate(
    postgres_server: EmbeddedServer, postgres_url: str, make_config: MakeConfig
) -> None:
    config = make_config(postgres_url + "?options=-c%20statement_timeout%3D300")

    async with migrator(config) as connection:
        await connection.run([work(1, "SELECT pg_sleep(0.4)")], Done())


async def test_a_locked_table_is_retried_and_then_reported(
    postgres_url: str, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch, events: list[Event]
) -> None:
    monkeypatch.setattr(
        "dbwarden.dialects.postgresql.migrate.retrying.retry_pause", lambda tries: 0
    )
    await apply(make_config(postgres_url), work(1, "CREATE TABLE a ()"))
    config = make_config(postgres_url, lock_timeout=0.02, lock_retries=2)

    async with admin(postgres_url) as other, other.transaction():
        await other.execute("LOCK TABLE a")
        with pytest.raises(LockTimeout) as caught:
            await apply(config, work(2, "SELECT 1"), work(3, "ALTER TABLE a ADD b int"))

    assert str(caught.value.location).endswith("0003_thing.sql:2:1")
    assert [e.fields["attempt"] for e in events if e.name == "lock_retry"] == [1, 2]
    assert set(await ledger_of(config)) == {"0001", "0002"}


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE b (); ALTER TABLE a ADD b int",
        "VACUUM FULL a; CREATE TABLE b ()",
        "CREATE TABLE b (); VACUUM FULL a",
        "CREATE TABLE b (); VACUUM; ALTER TABLE a ADD b int",
    ],
)
async def test_a_table_that_is_free_again_at_the_next_try_is_migrated(
    postgres_url: str, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """The whole transaction is tried again, or the one statement outside a transaction."""
    await apply(make_config(postgres_url), work(1, "CREATE TABLE a ()"))
    config = make_config(postgres_url, lock_timeout=0.02)

    async with admin(postgres_url) as other:
        transaction = other.transaction()
        await transaction.start()
        await other.execute("LOCK TABLE a")
        released = []

        def release(tries: int) -> float:
            other.terminate()
            released.append(tries)
            return 0.05

        monkeypatch.setattr("dbwarden.dialects.postgresql.migrate.retrying.retry_pause", release)
        done = await apply(config, work(2, text))

    assert done == ["0002"]
    assert released == [1]
    assert (await ledger_of(config))["0002"].running is None
    assert await tables(postgres_url) == {"a", "b"}


async def test_notices_of_the_server_are_events(
    postgres_config: DatabaseConfig, events: list[Event]
) -> None:
    await apply(
        postgres_config,
        work(1, "DO $$ BEGIN RAISE WARNING 'look here'; END $$; DROP TABLE IF EXISTS nothing"),
    )

    said = [(e.fields["severity"], e.fields["message"]) for e in events if e.name == "notice"]
    assert said == [
        ("WARNING", "look here"),
        ("NOTICE", 'table "nothing" does not exist, skipping'),
    ]
