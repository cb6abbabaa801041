"""Statements outside a transaction: in file order, resumed after a crash, no leftovers."""

import anyio
import pytest

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.base import PendingMigration, steps_checksum
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from dbwarden.errors import LockTimeout, PartialMigration, ReadOnlyDatabase, StatementFailed
from dbwarden.migration_history import LedgerRow, State
from dbwarden.telemetry import Event
from tests.conftest import MakeConfig
from tests.integration.postgresql.helpers import (
    OURS,
    Done,
    admin,
    apply,
    indexes,
    ledger_of,
    migrator,
    tables,
    until,
    until_running,
    value,
    work,
)

TABLE = "CREATE TABLE a AS SELECT g AS id, g % 2 AS twice FROM generate_series(1, 100) g;\n"
INDEX = "CREATE INDEX CONCURRENTLY a_id ON a (id);\n"
MIXED = TABLE + INDEX + "INSERT INTO a VALUES (101, 1);\nVACUUM a;\nCREATE TABLE b ();"


async def row_of(config: DatabaseConfig, key: str = "0001") -> LedgerRow:
    row: LedgerRow = (await ledger_of(config))[key]
    return row


async def interrupt(
    config: DatabaseConfig, url: str, file: PendingMigration, done: int
) -> LedgerRow:
    """Leave the ledger as a process does that dies while step *done* + 1 of *file* runs."""
    async with migrator(config):
        pass
    running = file.steps[done].statements[0].text
    async with admin(url) as connection:
        await connection.execute(
            "INSERT INTO dbwarden_ledger (key, description, kind, upgrade_checksum, state, step,"
            " running, steps_checksum, started_at, application, host, pid, dbwarden_version)"
            " VALUES ('0001', 'thing', 'versioned', $1, 'upgrading', $2, $3, $4, now(), 'test',"
            " 'here', 1, '0.1.0')",
            file.migration.upgrade.checksum,
            done,
            running,
            steps_checksum(file.steps[:done]),
        )
    return await row_of(config)


async def resume(config: DatabaseConfig, row: LedgerRow, text: str) -> LedgerRow:
    """What the next run does with *row*."""
    resumed = work(1, text, done=row.step, interrupted=row.running is not None, row=row)
    await apply(config, resumed)
    return await row_of(config)


async def invalid_index(url: str, unique: bool = True, name: str = "a_id") -> None:
    """Build an index that fails and stays behind."""
    column = "twice" if unique else "id"
    async with admin(url) as connection:
        with pytest.raises(Exception, match="could not create unique index"):
            await connection.execute(f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON a ({column})")
    assert (await indexes(url, "a"))[name] is False


async def test_steps_run_in_file_order_and_are_recorded(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    file = work(1, MIXED)
    assert [step.transactional for step in file.steps] == [True, False, True, False, True]

    assert await apply(postgres_config, work(9, "SELECT 1"), file, work(2, "SELECT 1")) == [
        *("0009", "0001", "0002")
    ]

    row = await row_of(postgres_config)
    assert (row.state, row.step, row.running) == (State.APPLIED, 5, None)
    assert row.steps_checksum == steps_checksum(file.steps)
    assert row.duration_ms is not None and row.duration_ms > 0
    assert await indexes(postgres_url, "a") == {"a_id": True}
    assert await tables(postgres_url) == {"a", "b"}


async def test_the_journal_records_a_step_before_and_after_it(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    """A trigger on the ledger writes down what the ledger says, in order."""
    async with migrator(postgres_config):
        pass
    async with admin(postgres_url) as connection:
        await connection.execute(
            "CREATE TABLE public.told (n serial, state text, step int, running text);"
            "CREATE FUNCTION public.tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            "  INSERT INTO public.told (state, step, running)"
            "  VALUES (NEW.state, NEW.step, NEW.running);"
            "  RETURN NULL; END $$;"
            "CREATE TRIGGER telling AFTER INSERT OR UPDATE ON dbwarden_ledger"
            " FOR EACH ROW EXECUTE PROCEDURE public.tell()"
        )

    await apply(postgres_config, work(1, MIXED))

    async with admin(postgres_url) as connection:
        told = await connection.fetch("SELECT state, step, running FROM told ORDER BY n")
    assert [tuple(line) for line in told] == [
        ("upgrading", 1, None),
        ("upgrading", 1, INDEX.strip().rstrip(";")),
        ("upgrading", 2, None),
        ("upgrading", 3, None),
        ("upgrading", 3, "VACUUM a"),
        ("upgrading", 4, None),
        ("applied", 5, None),
    ]


async def test_a_failing_step_keeps_earlier_ones_and_the_next_run_continues_there(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    text = TABLE + "CREATE UNIQUE INDEX CONCURRENTLY a_id\n  ON a (twice);\nCREATE TABLE b ();"
    with pytest.raises(StatementFailed, match="could not create unique index") as caught:
        await apply(postgres_config, work(1, text))

    assert str(caught.value.location).endswith("0001_thing.sql:3:1")
    assert caught.value.statement == "CREATE UNIQUE INDEX CONCURRENTLY a_id\n  ON a (twice)"
    row = await row_of(postgres_config)
    assert (row.state, row.step, row.running) == (State.UPGRADING, 1, None)
    assert await indexes(postgres_url, "a") == {}

    row = await resume(postgres_config, row, text.replace("(twice)", "(id)"))

    assert (row.state, row.step) == (State.APPLIED, 3)
    assert await indexes(postgres_url, "a") == {"a_id": True}


async def test_an_error_in_a_single_statement_is_located_to_the_character(
    postgres_config: DatabaseConfig,
) -> None:
    with pytest.raises(StatementFailed) as caught:
        await apply(postgres_config, work(1, TABLE + "CREATE INDEX CONCURRENTLY i\n  ON a (nope);"))

    # The server says no position for a column of an index, so it is the statement.
    assert str(caught.value.location).endswith(":3:1")
    with pytest.raises(StatementFailed) as caught:
        await apply(postgres_config, work(2, "CREATE INDEX CONCURRENTLY i\n  ON a (nope(id));"))
    assert str(caught.value.location).endswith("0002_thing.sql:3:9")


@pytest.mark.parametrize("name", ["a_id", ""])
async def test_a_failing_first_step_leaves_nothing_behind(
    postgres_config: DatabaseConfig, postgres_url: str, name: str
) -> None:
    await apply(postgres_config, work(9, TABLE))
    text = f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON a (twice)"

    with pytest.raises(StatementFailed):
        await apply(postgres_config, work(1, text))

    assert await indexes(postgres_url, "a") == {}
    assert set(await ledger_of(postgres_config)) == {"0009"}


async def test_a_failing_first_step_of_a_rollback_leaves_the_migration_applied(
    postgres_config: DatabaseConfig,
) -> None:
    files = (TABLE, "DROP INDEX CONCURRENTLY a_nope; DROP TABLE a")
    await apply(postgres_config, work(1, *files))
    row = await row_of(postgres_config)

    with pytest.raises(StatementFailed):
        await apply(postgres_config, work(1, *files, direction="rollback", row=row))

    assert await row_of(postgres_config) == row


async def test_a_failing_first_step_of_a_repeatable_leaves_its_row(
    postgres_config: DatabaseConfig,
) -> None:
    await apply(postgres_config, work(9, TABLE), work("RA__r", "VACUUM a"))
    before = await row_of(postgres_config, "r")
    with pytest.raises(StatementFailed):
        await apply(postgres_config, work("RA__r", "VACUUM nope", row=before))
    assert await row_of(postgres_config, "r") == before


async def test_steps_roll_back_in_order_too(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    files = (TABLE + INDEX, "DROP INDEX CONCURRENTLY a_id;\nDROP TABLE a;")
    await apply(postgres_config, work(1, *files))
    row = await row_of(postgres_config)

    await apply(postgres_config, work(1, *files, direction="rollback", row=row))

    back = await row_of(postgres_config)
    assert (back.id, back.state, back.step) == (row.id, State.ROLLED_BACK, 2)
    assert await tables(postgres_url) == set()


# -- after a crash --------------------------------------------------------------------------------


@pytest.mark.parametrize("built", [True, False])
@pytest.mark.parametrize("option", ["", "IF NOT EXISTS "])
async def test_an_interrupted_index_is_built_unless_it_exists(
    postgres_config: DatabaseConfig, postgres_url: str, built: bool, option: str
) -> None:
    text = TABLE + f"CREATE INDEX CONCURRENTLY {option}a_id ON a (id);\nCREATE TABLE b ();"
    async with admin(postgres_url) as connection:
        await connection.execute(TABLE)
        if built:
            await connection.execute("CREATE INDEX a_id ON a (id)")
    oid = await value(postgres_url, "SELECT to_regclass('a_id')::oid")
    row = await interrupt(postgres_config, postgres_url, work(1, text), 1)

    row = await resume(postgres_config, row, text)

    assert (row.state, row.step) == (State.APPLIED, 3)
    assert await indexes(postgres_url, "a") == {"a_id": True}
    assert await tables(postgres_url) == {"a", "b"}
    if built:
        assert await value(postgres_url, "SELECT to_regclass('a_id')::oid") == oid


@pytest.mark.parametrize("option", ["", "IF NOT EXISTS "])
async def test_an_invalid_leftover_of_an_interrupted_index_is_dropped_and_built_again(
    postgres_config: DatabaseConfig, postgres_url: str, option: str
) -> None:
    text = TABLE + f"CREATE INDEX CONCURRENTLY {option}a_id ON a (id);"
    async with admin(postgres_url) as connection:
        await connection.execute(TABLE)
    await invalid_index(postgres_url)
    row = await interrupt(postgres_config, postgres_url, work(1, text), 1)

    row = await resume(postgres_config, row, text)

    assert row.state is State.APPLIED
    assert await indexes(postgres_url, "a") == {"a_id": True}


@pytest.mark.parametrize("option", ["", "IF NOT EXISTS "])
async def test_an_older_invalid_index_does_not_count_as_the_new_one(
    postgres_config: DatabaseConfig, postgres_url: str, option: str
) -> None:
    await apply(postgres_config, work(9, TABLE))
    await invalid_index(postgres_url)

    await apply(postgres_config, work(1, f"CREATE INDEX CONCURRENTLY {option}a_id ON a (id)"))

    assert await indexes(postgres_url, "a") == {"a_id": True}


async def test_an_index_under_construction_is_not_dropped(
    postgres_config: DatabaseConfig, postgres_url: str, events: list[Event]
) -> None:
    """Another session's CONCURRENTLY waits for an open transaction; its index is invalid so far."""
    await apply(postgres_config, work(9, TABLE))
    async with admin(postgres_url) as blocker, admin(postgres_url) as builder:
        transaction = blocker.transaction(isolation="repeatable_read")
        await transaction.start()
        await blocker.execute("INSERT INTO a VALUES (0, 0)")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(builder.execute, "CREATE INDEX CONCURRENTLY a_id ON a (id)")
            await until_invalid(postgres_url)
            oid = await value(postgres_url, "SELECT 'a_id'::regclass::oid")

            async def ours() -> None:
                text = "CREATE INDEX CONCURRENTLY IF NOT EXISTS a_id ON a (id)"
                await apply(postgres_config, work(1, text))

            tasks.start_soon(ours)
            await heard(events, "waiting_for_index")
            await transaction.rollback()

    assert await indexes(postgres_url, "a") == {"a_id": True}
    assert await value(postgres_url, "SELECT 'a_id'::regclass::oid") == oid


async def until_invalid(url: str) -> None:
    async def look() -> bool:
        return (await indexes(url, "a")).get("a_id") is False

    await until(look)


async def heard(events: list[Event], name: str) -> None:
    async def look() -> bool:
        return any(event.name == name for event in events)

    await until(look)


@pytest.mark.parametrize("dropped", [True, False])
async def test_an_interrupted_drop_of_an_index_is_done_when_the_index_is_missing(
    postgres_config: DatabaseConfig, postgres_url: str, dropped: bool
) -> None:
    text = TABLE + "DROP INDEX CONCURRENTLY a_id;"
    async with admin(postgres_url) as connection:
        await connection.execute(TABLE)
        if not dropped:
            await connection.execute("CREATE INDEX a_id ON a (id)")
    row = await interrupt(postgres_config, postgres_url, work(1, text), 1)

    assert (await resume(postgres_config, row, text)).state is State.APPLIED
    assert await indexes(postgres_url, "a") == {}


async def test_leftovers_of_a_reindex_are_dropped(
    postgres_server: EmbeddedServer, postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    text = TABLE + "CREATE INDEX a_id ON a (id);\nREINDEX TABLE CONCURRENTLY a;"
    async with admin(postgres_url) as connection:
        await connection.execute(TABLE + "CREATE INDEX a_id ON a (id);")
    await invalid_index(postgres_url, name="a_id_ccnew")
    await invalid_index(postgres_url, name="somebody_elses")
    row = await interrupt(postgres_config, postgres_url, work(1, text), 1)

    assert (await resume(postgres_config, row, text)).state is State.APPLIED
    assert await indexes(postgres_url, "a") == {"a_id": True, "somebody_elses": False}


@pytest.mark.parametrize(
    ("statement", "dropped"),
    [
        ("REINDEX INDEX CONCURRENTLY a_id", {"a_id_ccnew", "twice_ccold1"}),
        ("REINDEX (VERBOSE) TABLE CONCURRENTLY a", {"a_id_ccnew", "twice_ccold1"}),
        ("REINDEX SCHEMA CONCURRENTLY public", {"a_id_ccnew", "twice_ccold1"}),
        ("REINDEX DATABASE CONCURRENTLY {database}", {"a_id_ccnew", "twice_ccold1"}),
        ("REINDEX SCHEMA CONCURRENTLY other", set()),
    ],
)
async def test_a_reindex_drops_the_leftovers_of_what_it_builds_again(
    postgres_server: EmbeddedServer,
    postgres_config: DatabaseConfig,
    postgres_url: str,
    statement: str,
    dropped: set[str],
) -> None:
    text = TABLE + statement.format(database=postgres_url.rsplit("/", 1)[1])
    async with admin(postgres_url) as connection:
        await connection.execute(TABLE + "CREATE SCHEMA other; CREATE INDEX a_id ON a (id);")
    await invalid_index(postgres_url, name="a_id_ccnew")
    await invalid_index(postgres_url, name="twice_ccold1")
    row = await interrupt(postgres_config, postgres_url, work(1, text), 1)

    await resume(postgres_config, row, text)

    left = {"a_id", "a_id_ccnew", "twice_ccold1"} - dropped
    assert set(await indexes(postgres_url, "a")) == left


async def test_a_reindex_that_fails_leaves_no_new_index_behind(
    postgres_server: EmbeddedServer, postgres_url: str, make_config: MakeConfig
) -> None:
    """Its second part waits for a reader, and is cut there."""
    config = make_config(postgres_url, statement_timeout=0.3)
    await apply(config, work(9, TABLE + "CREATE INDEX a_id ON a (id);"))
    async with admin(postgres_url) as writer:
        transaction = writer.transaction()
        await transaction.start()
        await writer.execute("INSERT INTO a VALUES (0, 0)")
        with pytest.raises(StatementFailed, match="statement timeout"):
            await apply(config, work(1, "REINDEX TABLE CONCURRENTLY a"))
        await transaction.rollback()

    row = (await ledger_of(config)).get("0001")
    if row is not None:  # the leftover could not be dropped in time: the next run does it
        assert row.running == "REINDEX TABLE CONCURRENTLY a"
        await resume(config, row, "REINDEX TABLE CONCURRENTLY a")
    assert await indexes(postgres_url, "a") == {"a_id": True}


PARTITIONS = (
    "CREATE TABLE p (id int) PARTITION BY RANGE (id);\n"
    "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);\n"
)
ATTACHED = "SELECT count(*) FROM pg_inherits WHERE inhrelid = 'p1'::regclass"


@pytest.mark.parametrize("state", ["attached", "pending", "detached"])
async def test_an_interrupted_detach_is_brought_to_its_end(
    postgres_server: EmbeddedServer,
    postgres_config: DatabaseConfig,
    postgres_url: str,
    state: str,
) -> None:
    detach = "ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY"
    text = PARTITIONS + detach + ";"
    async with admin(postgres_url) as connection:
        await connection.execute(PARTITIONS)
        if state == "detached":
            await connection.execute("ALTER TABLE p DETACH PARTITION p1")
    if state == "pending":
        await leave_pending(postgres_url, detach)
    row = await interrupt(postgres_config, postgres_url, work(1, text), 1)

    assert (await resume(postgres_config, row, text)).state is State.APPLIED
    assert await value(postgres_url, ATTACHED) == 0


async def leave_pending(url: str, detach: str) -> None:
    """DETACH CONCURRENTLY that is cancelled while it waits for a reader stays half-done."""
    async with admin(url) as reader, admin(url) as detacher:
        transaction = reader.transaction()
        await transaction.start()
        await reader.execute("SELECT FROM p")
        await detacher.execute("SET statement_timeout = 200")
        with pytest.raises(Exception, match="statement timeout"):
            await detacher.execute(detach)
        await transaction.rollback()
    assert await value(url, "SELECT inhdetachpending FROM pg_inherits")


async def test_a_detach_that_failed_half_way_is_finalized_by_the_next_run(
    postgres_server: EmbeddedServer, postgres_url: str, make_config: MakeConfig
) -> None:
    config = make_config(postgres_url, statement_timeout=0.2)
    text = "ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY"
    await apply(config, work(9, PARTITIONS))
    async with admin(postgres_url) as reader, reader.transaction():
        await reader.execute("SELECT FROM p")
        with pytest.raises(StatementFailed, match="statement timeout"):
            await apply(config, work(1, text))
    row = await row_of(config)
    assert row.running == text

    assert (await resume(config, row, text)).state is State.APPLIED
    assert await value(postgres_url, ATTACHED) == 0


@pytest.mark.parametrize("added", [True, False])
async def test_an_interrupted_enum_value_is_added_once(
    postgres_config: DatabaseConfig, postgres_url: str, added: bool
) -> None:
    text = "CREATE TYPE e AS ENUM ('x');\n-- @dbwarden:autocommit\nALTER TYPE e ADD VALUE 'y';"
    async with admin(postgres_url) as connection:
        await connection.execute("CREATE TYPE e AS ENUM ('x')")
        if added:
            await connection.execute("ALTER TYPE e ADD VALUE 'y'")
    row = await interrupt(postgres_config, postgres_url, work(1, text), 1)

    assert (await resume(postgres_config, row, text)).state is State.APPLIED
    assert await value(postgres_url, "SELECT enum_range(NULL::e)::text") == "{x,y}"


@pytest.mark.parametrize("made", [True, False])
async def test_an_interrupted_create_and_drop_of_a_database_are_looked_up(
    postgres_config: DatabaseConfig, postgres_url: str, made: bool
) -> None:
    name = postgres_url.rsplit("/", 1)[1] + "_more"
    text = f"CREATE DATABASE {name};\nDROP DATABASE {name};"
    if made:
        async with admin(postgres_url) as connection:
            await connection.execute(f"CREATE DATABASE {name}")
    row = await interrupt(postgres_config, postgres_url, work(1, text), 0)

    assert (await resume(postgres_config, row, text)).state is State.APPLIED
    there = f"SELECT count(*) FROM pg_database WHERE datname = '{name}'"
    assert await value(postgres_url, there) == 0

    async with admin(postgres_url) as connection:
        await connection.execute("DELETE FROM dbwarden_ledger")
    row = await interrupt(postgres_config, postgres_url, work(1, text), 1)
    assert (await resume(postgres_config, row, text)).state is State.APPLIED


async def test_an_interrupted_vacuum_is_run_again(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    text = TABLE + "VACUUM a;"
    async with admin(postgres_url) as connection:
        await connection.execute(TABLE)
    row = await interrupt(postgres_config, postgres_url, work(1, text), 1)

    assert (await resume(postgres_config, row, text)).state is State.APPLIED


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX CONCURRENTLY ON a (id)",
        "-- @dbwarden:autocommit\nCALL p()",
        "-- @dbwarden:autocommit\nINSERT INTO a VALUES (0, 0)",
    ],
)
async def test_undecidable_states_are_left_to_the_user(
    postgres_config: DatabaseConfig, postgres_url: str, statement: str
) -> None:
    text = TABLE + statement
    async with admin(postgres_url) as connection:
        await connection.execute(TABLE)
    row = await interrupt(postgres_config, postgres_url, work(1, text), 1)

    with pytest.raises(PartialMigration, match="the catalog does not show") as caught:
        await resume(postgres_config, row, text)

    assert "dbwarden repair -d primary --at 0001=2" in (caught.value.next_step or "")
    assert caught.value.location is not None
    assert await row_of(postgres_config) == row


async def test_an_interrupted_statement_that_was_edited_since_is_left_to_the_user(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    text = TABLE + INDEX
    async with admin(postgres_url) as connection:
        await connection.execute(TABLE)
    row = await interrupt(postgres_config, postgres_url, work(1, text), 1)

    with pytest.raises(PartialMigration, match="edited") as caught:
        await resume(postgres_config, row, text.replace("(id)", "(twice)"))

    assert caught.value.statement == INDEX.strip().rstrip(";")


async def test_a_run_whose_last_answer_was_lost_is_completed(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    """All steps are done, only the end was not written (after a repair, say)."""
    text = TABLE + INDEX
    row = await interrupt(postgres_config, postgres_url, work(1, text), 1)
    async with admin(postgres_url) as connection:
        await connection.execute("UPDATE dbwarden_ledger SET step = 2, running = NULL")

    await apply(postgres_config, work(1, text, done=2, row=row))

    row = await row_of(postgres_config)
    assert (row.state, row.step) == (State.APPLIED, 2)
    assert row.finished_at is not None
    assert await tables(postgres_url) == set()


# -- what holds between steps ---------------------------------------------------------------------


async def test_settings_hold_from_step_to_step_and_not_longer(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    text = (
        "CREATE SCHEMA app;\nSET search_path = app; -- for all that follows\n"
        "CREATE TABLE a (id int);\n"
        "-- @dbwarden:autocommit\nSET application_name = 'mine';\n"
        "CREATE INDEX CONCURRENTLY a_id ON a (id);\n"
        "CREATE TABLE b AS SELECT current_setting('application_name') AS name;"
    )

    await apply(postgres_config, work(1, text), work(2, "CREATE TABLE c ()"))

    assert await value(postgres_url, "SELECT to_regclass('app.a_id') IS NOT NULL")
    assert await value(postgres_url, "SELECT name FROM app.b") == "mine"
    assert await value(postgres_url, "SELECT to_regclass('public.c') IS NOT NULL")


async def test_settings_hold_after_a_crash_too(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    text = (
        "CREATE SCHEMA app; SET search_path = app; CREATE TABLE a (id int);\n"
        "CREATE INDEX CONCURRENTLY a_id ON a (id);"
    )
    async with admin(postgres_url) as connection:
        await connection.execute("CREATE SCHEMA app; CREATE TABLE app.a (id int)")
    row = await interrupt(postgres_config, postgres_url, work(1, text), 1)

    await resume(postgres_config, row, text)

    assert await indexes(postgres_url, "app.a") == {"a_id": True}


async def test_a_marked_statement_that_can_be_in_a_transaction_is_exact(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    text = TABLE + "-- @dbwarden:autocommit\nINSERT INTO a VALUES (0, txid_current() % 100);"

    await apply(postgres_config, work(1, text))

    same = "SELECT l.xmin = a.xmin FROM dbwarden_ledger l, a WHERE a.id = 0 AND l.state = 'applied'"
    assert await value(postgres_url, same)


async def test_a_marked_statement_that_the_server_wants_alone_runs_alone(
    postgres_server: EmbeddedServer, postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    """Nobody sees from its text that REINDEX of a partitioned table refuses a transaction."""
    text = PARTITIONS + (
        "CREATE INDEX p_id ON p (id);\n-- @dbwarden:autocommit\nREINDEX TABLE p;\nSELECT 1;"
    )

    await apply(postgres_config, work(1, text))

    assert (await row_of(postgres_config)).state is State.APPLIED


async def test_an_unmarked_statement_that_refuses_a_transaction_suggests_the_marker(
    postgres_server: EmbeddedServer, postgres_config: DatabaseConfig
) -> None:
    with pytest.raises(StatementFailed, match="transaction block") as caught:
        await apply(postgres_config, work(1, PARTITIONS + "REINDEX TABLE p;"))

    assert "@dbwarden:autocommit" in (caught.value.next_step or "")


async def test_lock_timeout_does_not_end_concurrently(
    postgres_url: str, make_config: MakeConfig
) -> None:
    config = make_config(postgres_url, lock_timeout=0.05)
    await apply(config, work(9, TABLE))
    async with admin(postgres_url) as writer:
        transaction = writer.transaction()
        await transaction.start()
        await writer.execute("INSERT INTO a VALUES (0, 0)")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(apply, config, work(1, INDEX))
            await until_running(postgres_url, "a_id")
            # For longer than lock_timeout, by the server's own clock.
            waits = "wait_event_type = 'Lock' AND clock_timestamp() - query_start > '0.2 s'"
            query = f"SELECT count(*) FROM pg_stat_activity WHERE {OURS} AND {waits}"
            await until(lambda: value(postgres_url, query))
            await transaction.rollback()

    assert await indexes(postgres_url, "a") == {"a_id": True}


async def test_lock_timeout_ends_a_wait_for_a_table(
    postgres_url: str, make_config: MakeConfig
) -> None:
    config = make_config(postgres_url, lock_timeout=0.05, lock_retries=0)
    await apply(config, work(9, TABLE))
    async with admin(postgres_url) as writer, writer.transaction():
        await writer.execute("LOCK TABLE a")
        with pytest.raises(LockTimeout):
            await apply(config, work(1, "VACUUM FULL a"))

    assert set(await ledger_of(config)) == {"0009"}


@pytest.mark.parametrize("kind", ["DO", "CALL"])
async def test_a_possibly_half_committed_statement_is_left_to_the_user(
    postgres_server: EmbeddedServer, postgres_config: DatabaseConfig, postgres_url: str, kind: str
) -> None:
    body = "BEGIN INSERT INTO a VALUES (0, 0); COMMIT; PERFORM 1/0; END"
    await apply(
        postgres_config,
        work(9, TABLE),
        work(8, f"CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ {body} $$"),
    )
    statement = "CALL p()" if kind == "CALL" else f"DO $$ {body} $$"
    text = f"-- @dbwarden:autocommit\n{statement}"

    with pytest.raises(StatementFailed, match="division by zero"):
        await apply(postgres_config, work(1, text))

    row = await row_of(postgres_config)
    assert (row.state, row.step, row.running) == (State.UPGRADING, 0, statement)
    with pytest.raises(PartialMigration):
        await resume(postgres_config, row, text)


async def test_a_possibly_half_committed_statement_is_not_retried_after_a_lock(
    postgres_server: EmbeddedServer, postgres_url: str, make_config: MakeConfig, events: list[Event]
) -> None:
    config = make_config(postgres_url, lock_timeout=0.05)
    await apply(config, work(9, TABLE))
    text = "-- @dbwarden:autocommit\nDO $$ BEGIN CREATE TABLE part (); COMMIT; LOCK TABLE a; END $$"
    async with admin(postgres_url) as other, other.transaction():
        await other.execute("LOCK TABLE a")
        with pytest.raises(LockTimeout):
            await apply(config, work(1, text))

    assert [event.name for event in events if event.name == "lock_retry"] == []
    row = await row_of(config)
    assert (row.state, row.step) == (State.UPGRADING, 0)
    assert row.running is not None
    assert row.running.startswith("DO ")


async def test_a_leftover_that_cannot_be_dropped_now_is_dropped_by_the_next_run(
    postgres_url: str, make_config: MakeConfig
) -> None:
    """The same statement timeout that ends the build also ends the clean-up."""
    config = make_config(postgres_url, statement_timeout=0.3)
    await apply(config, work(9, TABLE))
    async with admin(postgres_url) as writer:
        transaction = writer.transaction()
        await transaction.start()
        await writer.execute("INSERT INTO a VALUES (0, 0)")
        with pytest.raises(StatementFailed, match="statement timeout"):
            await apply(config, work(1, INDEX))
        await transaction.rollback()
    row = await row_of(config)
    assert (row.state, row.running) == (State.UPGRADING, INDEX.strip().rstrip(";"))

    await resume(config, row, INDEX)

    assert await indexes(postgres_url, "a") == {"a_id": True}


async def test_an_unwritable_journal_is_reported(
    postgres_url: str, make_config: MakeConfig
) -> None:
    await apply(make_config(postgres_url), work(9, TABLE))
    config = make_config(postgres_url + "?options=-c%20default_transaction_read_only%3Don")

    with pytest.raises(ReadOnlyDatabase):
        await apply(config, work(1, INDEX))

    assert await indexes(postgres_url, "a") == {}


async def test_steps_of_several_migrations_are_confirmed_in_order(
    postgres_config: DatabaseConfig,
) -> None:
    done = Done()
    async with migrator(postgres_config) as connection:
        works = [work(1, TABLE), work(2, INDEX), work(3, "SELECT 1"), work(4, "VACUUM a")]
        with pytest.raises(StatementFailed):
            await connection.run([*works, work(5, "SELECT 1/0")], done)

    assert done == ["0001", "0002", "0003", "0004"]
