"""No error shows the password of a connection that works: each class is raised by a real failure.

The password holds every character that is hard to mask. A class without a scenario fails the test.
"""

import os
import re
import signal
import sys
import uuid
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from sqlalchemy import text

import dbwarden
from dbwarden import errors
from dbwarden.cli.app import run
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects import postgresql
from dbwarden.dialects.postgresql.migrate import dialect
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from dbwarden.errors import DBWardenError
from dbwarden.fastapi import get_session, migration_context
from dbwarden.operations.import_alembic import import_alembic
from tests import commands
from tests.acceptance.canary import ENCODED, MARK, configure, judge
from tests.integration.running.conftest import another_migrator, interleaved
from tests.loading import reload_project
from tests.servers import NO_PGBOUNCER, PGBOUNCER, pgbouncer
from tests.urls import revealed

Act = Callable[[], Awaitable[object]]


@dataclass
class Site:
    """A project whose database is owned by the user with the password."""

    folder: Path
    server: EmbeddedServer
    database: str
    portal: BlockingPortal
    during_command: Callable[[], object] = field(default=lambda: None)

    def url(self, **other: Any) -> str:
        place = {"port": self.server.port, "database": self.database, **other}
        return f"postgresql://bea:{ENCODED}@127.0.0.1:{place['port']}/{place['database']}"

    def configure(self, call: str = "database_config", **options: object) -> None:
        name = {"database_name": "primary", "default": True} if call == "database_config" else {}
        configure(self.folder, call, **{**name, "database_url": self.url(), **options})

    def add_another(self) -> None:
        """Add the database ``other`` to the configuration."""
        call = (
            f"database_config(database_name='other', database_url={self.url(database='other')!r})"
        )
        with (self.folder / "dbwarden.py").open("a") as file:
            file.write(f"\n{call}\n")
        reload_project(self.folder / "dbwarden.py")

    @property
    def config(self) -> DatabaseConfig:
        return dbwarden.load_project().default

    def migration(
        self, version: str, upgrade: str, rollback: str = "", of: str = "primary"
    ) -> Path:
        return commands.migration(self.folder, of, f"{version}_step", upgrade, rollback)

    def migrate(self) -> None:
        anyio.run(dbwarden.migrate, "primary")

    def execute(self, sql: str) -> None:
        """Run *sql* as the superuser."""
        anyio.run(self.server.execute, sql.replace("DATABASE here", f"DATABASE {self.database}"))

    @contextmanager
    def connection(self) -> Generator[Callable[[str], object]]:
        """Yield a function that runs SQL on another connection, which stays open in the block."""
        other = self.portal.call(asyncpg.connect, self.url())
        try:
            yield lambda sql: self.portal.call(other.execute, sql)
        finally:
            self.portal.call(other.close)

    async def until_asleep(self) -> None:
        """Wait until a migration sleeps on the server."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        watching = await asyncpg.connect(self.server.url())
        try:
            while not await watching.fetchval(query):  # noqa: ASYNC110  # only the server knows
                await anyio.sleep(0.01)
        finally:
            await watching.close()


@pytest.fixture
def site(folder: Path, strict: EmbeddedServer) -> Iterator[Site]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    anyio.run(strict.create_database, name)
    with start_blocking_portal() as portal:
        site = Site(folder, strict, name, portal)
        site.execute("ALTER DATABASE here OWNER TO bea")
        site.configure()
        yield site
    anyio.run(strict.drop_database, name)


@dataclass(frozen=True)
class Scenario:
    """A coroutine function that raises the error, and the command that prints it."""

    open: Callable[[Site], AbstractContextManager[Act]]
    command: tuple[str, ...]


SCENARIOS: dict[type[DBWardenError], Scenario] = {}
Opening = Callable[[Site], Iterator[Act]]


def raises(kind: type[DBWardenError], *command: str) -> Callable[[Opening], Opening]:
    """Register the scenario of *kind*."""

    def register(opening: Opening) -> Opening:
        SCENARIOS[kind] = Scenario(contextmanager(opening), command)
        return opening

    return register


def subclasses(kind: type[DBWardenError]) -> Iterator[type[DBWardenError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from subclasses(each)


async def status() -> object:
    return await dbwarden.status("primary")


async def migrate() -> object:
    return await dbwarden.migrate("primary")


async def startup() -> None:
    async with migration_context(mode="check"):
        pass


# -- usage and configuration ------------------------------------------------------------------


@raises(errors.DBWardenError)
def an_operation_of_the_user_fails(site: Site) -> Iterator[Act]:
    config = site.config

    async def act() -> None:
        async def operation(config: DatabaseConfig) -> None:
            raise ValueError(revealed(config.database_url))

        (outcome,) = await dbwarden.fleet.run(operation, [config])
        assert outcome.error is not None
        raise outcome.error

    yield act


@raises(errors.UsageError, "migrate", "--to", "9999")
def no_such_version(site: Site) -> Iterator[Act]:
    site.migration("0001", "CREATE TABLE t (id int);")
    yield lambda: dbwarden.migrate("primary", to="9999")


@raises(errors.ConfigurationError, "status")
def a_wrong_option(site: Site) -> Iterator[Act]:
    site.configure(lock_timeout=site.url())
    yield status


@raises(errors.ConfigurationNotFound, "status")
def no_configuration(site: Site) -> Iterator[Act]:
    site.folder.joinpath("dbwarden.py").rename(site.folder / "configuration.py")
    yield status


@raises(errors.UnknownDatabase, "status", "-d", "nowhere")
def an_unknown_name(site: Site) -> Iterator[Act]:
    yield lambda: dbwarden.status("nowhere")


@raises(errors.UnknownTenant, "status", "-d", "t_b")
def an_unknown_tenant(site: Site) -> Iterator[Act]:
    url = site.url(database="db_{tenant_id}")
    site.configure("tenant_databases", name="t_{tenant_id}", database_url=url, tenants=["a"])

    yield lambda: dbwarden.status("t_b")


@raises(errors.MissingDriver)
def no_driver(site: Site) -> Iterator[Act]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(vars(postgresql), "DIALECT", raising=False)
        patch.delitem(sys.modules, dialect.__name__)
        for name, module in list(sys.modules.items()):  # those that cannot be imported again
            if name.startswith("dbwarden.dialects.") and "asyncpg" in vars(module):
                patch.delitem(sys.modules, name)
        patch.setitem(sys.modules, "asyncpg", None)
        yield status


@raises(errors.MigrationFileError, "migrate")
def a_wrong_file(site: Site) -> Iterator[Act]:
    site.migration("0001", "SELECT 'not closed").write_text("-- upgrade\nSELECT 'not closed")
    yield migrate


# -- connections ------------------------------------------------------------------------------


@raises(errors.ConnectError, "status")
def nothing_listens(site: Site) -> Iterator[Act]:
    site.configure(database_url=site.url(port=1))
    yield status


@raises(errors.TooManyConnections, "status")
def the_server_is_full(site: Site) -> Iterator[Act]:
    site.configure(timeout=2.0)
    site.execute("ALTER DATABASE here CONNECTION LIMIT 1")
    with site.connection():
        yield status


@raises(errors.AccessDenied, "status")
def no_right_to_connect(site: Site) -> Iterator[Act]:
    site.execute("ALTER DATABASE here OWNER TO postgres")
    site.execute("REVOKE CONNECT ON DATABASE here FROM PUBLIC")
    yield status


@raises(errors.DatabaseMissing, "status")
def no_such_database(site: Site) -> Iterator[Act]:
    site.configure(database_url=site.url(database="nowhere"))
    yield status


@raises(errors.DatabaseExists, "create-database")
def it_exists(site: Site) -> Iterator[Act]:
    yield lambda: dbwarden.create_database("primary")


@raises(errors.ConnectionLost, "migrate")
def the_server_ends_the_connection(site: Site) -> Iterator[Act]:
    site.migration("0001", "SELECT pg_terminate_backend(pg_backend_pid());")
    yield migrate


@raises(errors.PoolerDetected, "migrate")
def a_transaction_pooler(site: Site) -> Iterator[Act]:
    if PGBOUNCER is None:
        pytest.skip(NO_PGBOUNCER)
    site.migration("0001", "CREATE TABLE t (id int);")
    pooler = pgbouncer(site.server, "transaction")
    with site.portal.wrap_async_context_manager(pooler) as port:
        site.configure(database_url=site.url(port=port))
        yield migrate


@raises(errors.PoolExhausted)
def all_engines_are_in_use(site: Site) -> Iterator[Act]:
    site.configure(pool_timeout=0.1)
    site.add_another()

    async def act() -> None:
        async with (
            migration_context(mode="none", max_open_engines=1),
            get_session("other"),
            get_session("primary") as session,
        ):
            await session.execute(text("SELECT 1"))

    yield act


# -- running ----------------------------------------------------------------------------------


@raises(errors.StatementFailed, "migrate")
def a_statement_fails(site: Site) -> Iterator[Act]:
    site.migration("0001", "SELECT 1 FROM nowhere;")
    yield migrate


@raises(errors.LockTimeout, "migrate")
def a_table_is_locked(site: Site) -> Iterator[Act]:
    site.configure(lock_timeout=0.05, lock_retries=0)
    site.migration("0001", "ALTER TABLE t ADD a int;")
    with site.connection() as execute:
        execute("CREATE TABLE t (id int)")
        execute("BEGIN; LOCK TABLE t")
        yield migrate


@raises(errors.MigratorBusy, "migrate")
def another_migrator_runs(site: Site) -> Iterator[Act]:
    site.configure(migration_lock_timeout=0.05)
    site.migration("0001", "CREATE TABLE t (id int);")
    with site.portal.wrap_async_context_manager(another_migrator(site.config)):
        yield migrate


@raises(errors.TimedOut, "migrate")
def it_takes_too_long(site: Site) -> Iterator[Act]:
    site.configure(timeout=0.5)
    site.migration("0001", "SELECT pg_sleep(600);")
    yield migrate


@raises(errors.ReadOnlyDatabase, "migrate")
def it_takes_no_writes(site: Site) -> Iterator[Act]:
    site.migration("0001", "CREATE TABLE t (id int);")
    site.execute("ALTER DATABASE here SET default_transaction_read_only = on")
    yield migrate


@raises(errors.LedgerError, "status")
def another_table_has_the_name_of_the_ledger(site: Site) -> Iterator[Act]:
    with site.connection() as execute:
        execute("CREATE TABLE dbwarden_ledger (id int)")
        yield status


# -- history ----------------------------------------------------------------------------------


@raises(errors.HistoryError)
def another_process_rolls_back_first(site: Site) -> Iterator[Act]:
    for number in (1, 2):
        site.migration(f"000{number}", f"CREATE TABLE t{number} ();", f"DROP TABLE t{number};")
    site.migrate()
    config = site.config

    async def act() -> None:
        error = await interleaved(
            config,
            lambda: dbwarden.rollback("primary"),
            lambda other: other.roll_back("0002"),
        )
        assert error is not None
        raise error

    yield act


@raises(errors.ChangedMigration, "migrate")
def an_applied_file_was_edited(site: Site) -> Iterator[Act]:
    site.migration("0001", "CREATE TABLE t (id int);")
    site.migrate()
    site.migration("0001", "CREATE TABLE t (id bigint);")
    yield migrate


@raises(errors.MissingMigration, "migrate")
def an_applied_file_is_gone(site: Site) -> Iterator[Act]:
    path = site.migration("0001", "CREATE TABLE t (id int);")
    site.migrate()
    path.unlink()
    yield migrate


@raises(errors.PartialMigration, "migrate")
def a_finished_step_was_edited(site: Site) -> Iterator[Act]:
    site.migration("0001", "CREATE TABLE t (id int);\nVACUUM;\nSELECT 1 FROM nowhere;")
    with pytest.raises(errors.StatementFailed):
        site.migrate()
    site.migration("0001", "CREATE TABLE t (id bigint);\nVACUUM;\nSELECT 1;")
    yield migrate


@raises(errors.OutOfOrder, "migrate")
def an_older_file_came_later(site: Site) -> Iterator[Act]:
    site.migration("0002", "CREATE TABLE t (id int);")
    site.migrate()
    site.migration("0001", "CREATE TABLE u (id int);")
    yield migrate


@raises(errors.RollbackImpossible, "rollback")
def a_file_has_no_rollback(site: Site) -> Iterator[Act]:
    path = site.migration("0001", "CREATE TABLE t (id int);")
    path.write_text(path.read_text().partition("-- rollback")[0])
    site.migrate()
    yield lambda: dbwarden.rollback("primary")


# -- writing migrations -----------------------------------------------------------------------


@raises(errors.UnsupportedChange, "make-migrations", "-m", "change")
def a_type_without_a_conversion(site: Site) -> Iterator[Act]:
    site.configure(schema_paths=["schema.sql"])
    site.migration("0001", "CREATE TABLE t (id int);", "DROP TABLE t;")
    (site.folder / "schema.sql").write_text("CREATE TABLE t (id uuid);")
    yield lambda: dbwarden.make_migrations("primary", message="change")


@raises(errors.ScratchRefused, "make-migrations", "-m", "change")
def a_file_that_does_not_run(site: Site) -> Iterator[Act]:
    site.configure(schema_paths=["schema.sql"])
    site.migration("0001", "SELECT 1 FROM nowhere;")
    (site.folder / "schema.sql").write_text("CREATE TABLE t (id int);")
    yield lambda: dbwarden.make_migrations("primary", message="change")


EVENT_TRIGGER = """
CREATE FUNCTION comment_altered() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE altered record;
BEGIN
    FOR altered IN SELECT * FROM pg_event_trigger_ddl_commands() LOOP
        EXECUTE format('COMMENT ON TABLE %s IS ''altered''', altered.object_identity);
    END LOOP;
END $$;
CREATE EVENT TRIGGER comment_altered ON ddl_command_end WHEN TAG IN ('ALTER TABLE')
    EXECUTE FUNCTION comment_altered();
"""


@raises(errors.NotProven, "make-migrations", "-m", "change")
def an_event_trigger_changes_the_result(site: Site) -> Iterator[Act]:
    site.configure(schema_paths=["schema.sql"])
    site.migration("0001", "CREATE TABLE t (id int);" + EVENT_TRIGGER)
    (site.folder / "schema.sql").write_text("CREATE TABLE t (id int, a int);" + EVENT_TRIGGER)
    yield lambda: dbwarden.make_migrations("primary", message="change")


@raises(errors.DriftFound, "migrate", "--check-drift")
def the_database_was_changed_by_hand(site: Site) -> Iterator[Act]:
    site.migration("0001", "CREATE TABLE t (id int);")
    site.migrate()
    with site.connection() as execute:
        execute("ALTER TABLE t ADD COLUMN a int")
    site.migration("0002", "CREATE TABLE u (id int);")
    yield lambda: dbwarden.migrate("primary", check_drift="fail")


@raises(errors.BackfillUnfinished, "migrate", "--to", "0003")
def a_backfill_has_not_ended(site: Site) -> Iterator[Act]:
    table = "CREATE TABLE t (id int PRIMARY KEY, a int);"
    site.migration("0001", f"{table} INSERT INTO t SELECT generate_series(1, 10001);")
    fill = site.migration("0002", "UPDATE t SET a = 1 WHERE {batch};")
    header = "-- dbwarden: backfill\n-- table: t\n"
    fill.write_text(header + fill.read_text())
    other = site.migration("0003", "ALTER TABLE t ALTER a SET NOT NULL;")
    other.write_text("-- requires-backfill: 0002\n" + other.read_text())
    yield lambda: dbwarden.migrate("primary", to="0003")


@raises(errors.PhaseOrder, "migrate", "--phase", "pre")
def a_migration_needs_one_of_a_later_phase(site: Site) -> Iterator[Act]:
    late = site.migration("0001", "CREATE TABLE t (id int);")
    late.write_text("-- phase: post\n" + late.read_text())
    early = site.migration("0002", "CREATE TABLE u (id int);")
    early.write_text('-- phase: pre\n-- depends_on: ["0001"]\n' + early.read_text())
    yield lambda: dbwarden.migrate("primary", phase="pre")


@raises(errors.ImportFailed, "import", "alembic")
def the_environment_of_alembic_fails(site: Site) -> Iterator[Act]:
    folder = site.folder / "alembic"
    (folder / "versions").mkdir(parents=True)
    (site.folder / "alembic.ini").write_text("[alembic]\nscript_location = alembic\n")
    (folder / "env.py").write_text(f"print({site.url()!r})\nraise ValueError({site.url()!r})\n")
    config = site.config
    yield lambda: import_alembic(config)


# -- the fleet --------------------------------------------------------------------------------


@raises(errors.Interrupted, "migrate")
def it_is_interrupted(site: Site) -> Iterator[Act]:
    site.migration("0001", "SELECT pg_sleep(600);")
    config = site.config

    async def act() -> None:
        stop = anyio.Event()

        async def interrupt() -> None:
            await site.until_asleep()
            stop.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(interrupt)
            (outcome,) = await dbwarden.migrate_all([config], stop=stop)
        assert outcome.error is not None
        raise outcome.error

    async def press_ctrl_c() -> None:
        await site.until_asleep()
        os.kill(os.getpid(), signal.SIGINT)

    site.during_command = lambda: site.portal.start_task_soon(press_ctrl_c)
    yield act


@raises(errors.NotStarted, "migrate", "--all", "--canary", "primary")
def the_canary_fails(site: Site) -> Iterator[Act]:
    site.add_another()
    site.migration("0001", "SELECT 1 FROM nowhere;")
    site.migration("0001", "CREATE TABLE t (id int);", of="other")
    databases = dbwarden.load_project().single

    async def act() -> None:
        _, other = await dbwarden.migrate_all(databases, canary="primary")
        assert other.error is not None
        raise other.error

    yield act


@raises(errors.StartupFailed)
def the_application_has_pending_migrations(site: Site) -> Iterator[Act]:
    site.migration("0001", "CREATE TABLE t (id int);")
    yield startup


# -- all of them ------------------------------------------------------------------------------


def words(message: str) -> str:
    """Return the words of *message*, which numbers and line breaks do not change."""
    return re.sub(r"\d+", "N", " ".join(message.replace("\\", "").split()))


# Those of workers carry no server's text, and are loaded only if another test was collected before.
KINDS = [kind for kind in subclasses(DBWardenError) if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_error_shows_the_password_of_a_connection_that_works(
    site: Site, capsys: pytest.CaptureFixture[str], kind: type[DBWardenError]
) -> None:
    assert kind in SCENARIOS, "write a scenario for this class, or remove the class"
    scenario = SCENARIOS[kind]
    with scenario.open(site) as act:
        with pytest.raises(kind) as caught:
            anyio.run(act)
        assert type(caught.value) is kind
        judge(caught.value)
        if not scenario.command:
            return
        capsys.readouterr()
        for more in ((), ("--json",), ("--log-level", "debug", "--log-format", "json")):
            site.during_command()
            assert run([*scenario.command, *more]) != 0
            captured = capsys.readouterr()
            assert MARK not in captured.out + captured.err
            assert words(caught.value.message) in words(captured.out + captured.err)
