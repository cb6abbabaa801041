"""Apply what is pending."""

from collections.abc import Sequence
from dataclasses import dataclass

import anyio

from dbwarden import telemetry
from dbwarden.config.model import DatabaseConfig
from dbwarden.dialects.base import Connection, LedgerAppeared, PendingMigration
from dbwarden.errors import LockTimeout, ReadOnlyDatabase, StatementFailed
from dbwarden.files.directives import failing_note
from dbwarden.files.migration import Migration
from dbwarden.history import LedgerRow, Reading
from dbwarden.operations.operation import (
    Cutter,
    cut_once,
    dialect_of,
    files_once,
    migration_files,
    operation,
)
from dbwarden.operations.pending import fresh_works, resumed_work
from dbwarden.planning import compare, plan_upgrade
from dbwarden.types import DatabaseName

DATA_EXCEPTION = "22"
CONSTRAINT = "23"
"""The classes of SQLSTATE that are about the values of rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationRun:
    """One migration that ran. ``duration_ms`` is the server's own count, in milliseconds."""

    key: str
    description: str
    resumed: bool = False
    duration_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSQL:
    """What a dry run would send: the SQL of one migration, as written."""

    key: str
    description: str
    path: str
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrateResult:
    """What a migrate did.

    ``applied`` in the order in which they ran; empty when there was nothing to do. ``version``
    is the newest applied version afterwards. ``ahead`` are applied versions newer than any file.
    ``planned`` is filled by a dry run only, which applies nothing.
    """

    database: DatabaseName
    version: str | None
    applied: tuple[MigrationRun, ...] = ()
    ahead: tuple[str, ...] = ()
    dry_run: bool = False
    planned: tuple[PlannedSQL, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How far to go: up to a version, so many, and whether older ones may follow newer ones."""

    to: str | None = None
    count: int | None = None
    out_of_order: bool = False
    at_least: bool = False


@operation("migrate")
async def migrate(
    config: DatabaseConfig,
    *,
    to: str | None = None,
    count: int | None = None,
    out_of_order: bool = False,
    at_least: bool = False,
    dry_run: bool = False,
) -> MigrateResult:
    """Apply what is pending on one database.

    Looks first without a lock, so that programs that start together with nothing to do don't
    queue; then holds the lock, looks again, and applies what is left.

    Args:
        config: The database, its name, or ``None`` for the default one.
        to: Up to and including this version (``"7"`` or ``"0007"``).
        count: At most so many.
        out_of_order: Apply files that are older than what is applied already, too.
        at_least: A database that is past *to* already has nothing to do, instead of an error.
        dry_run: Return the SQL in order instead; read-only, enforced by the server.

    Raises:
        HistoryError: Files and ledger do not agree; says what to do.
        MigrationFileError: A file cannot be read; nothing was run.
        StatementFailed: The server refused a statement; what came before it is applied.
        MigratorBusy: Another migrator held the database for ``migration_lock_timeout`` seconds.
    """
    wanted = Wanted(to=to, count=count, out_of_order=out_of_order, at_least=at_least)
    async with files_once():
        try:
            return await _migrate(config, wanted, dry_run=dry_run)
        except StatementFailed as error:
            await _repeat_header(error)
            raise


async def _repeat_header(error: StatementFailed) -> None:
    """Add to *error* what its file's header knows about tables that have rows."""
    about_rows = error.sqlstate is None or error.sqlstate[:2] in (DATA_EXCEPTION, CONSTRAINT)
    if error.location is None or isinstance(error, LockTimeout) or not about_rows:
        return
    try:
        text = await anyio.Path(error.location.path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):  # it was read a moment ago; the error itself matters more
        return
    if note := failing_note(text):
        error.next_step = f"{error.next_step or ''} The header of the file says: {note}.".lstrip()


async def _migrate(config: DatabaseConfig, wanted: Wanted, *, dry_run: bool) -> MigrateResult:
    files = await migration_files(config)
    dialect = cut_once(dialect_of(config))
    async with dialect_of(config).connect(config, read_only=dry_run) as connection:
        reading = await connection.read(claim=bool(files) and not dry_run)
        works = plan(config, dialect, files, reading, wanted)
        if dry_run:
            return _dry(config, files, reading, works)
        if not works:
            return _result(config, files, reading, ())
        if reading.read_only:
            raise read_only(config, replica=reading.replica is not None)
        async with connection.lock():
            if reading.rows is None:
                try:
                    await connection.run_first(works, _applied)
                    return _result(config, files, await connection.read_last(), works)
                except LedgerAppeared:
                    pass  # so there is something to be read
            return await _under_lock(config, dialect, connection, files, wanted)


async def _under_lock(
    config: DatabaseConfig,
    dialect: Cutter,
    connection: Connection,
    files: Sequence[Migration],
    wanted: Wanted,
) -> MigrateResult:
    reading = await connection.read()
    if reading.rows is None:
        await connection.create_ledger()
    works = plan(config, dialect, files, reading, wanted)
    if not works:
        return _result(config, files, reading, ())
    telemetry.emit("planned", level="debug", migrations=len(works))
    await connection.run(works, _applied)
    return _result(config, files, await connection.read_last(), works)


async def _applied(work: PendingMigration) -> None:
    telemetry.emit("migration_applied", version=work.migration.key, outcome="succeeded")


def plan(
    config: DatabaseConfig,
    dialect: Cutter,
    files: Sequence[Migration],
    reading: Reading,
    wanted: Wanted,
) -> tuple[PendingMigration, ...]:
    """What to run, in order: first what stopped half-way, then what is pending.

    Raises:
        HistoryError: Something has to be cleared up first.
    """
    found = compare(files, reading.rows, config.database_name)
    migrations = plan_upgrade(
        found,
        to=wanted.to,
        count=wanted.count,
        out_of_order=wanted.out_of_order,
        at_least=wanted.at_least,
    )
    resumed = [
        resumed_work(dialect, migration, row, "upgrade")
        for row, migration in found.partial
        if migration is not None
    ]
    return (*resumed, *fresh_works(dialect, migrations, reading.rows or ()))


def read_only(config: DatabaseConfig, *, replica: bool) -> ReadOnlyDatabase:
    """The error for an operation that would have to write."""
    if config.database_type == "sqlite":
        return ReadOnlyDatabase(
            "the database takes no writes: this user may not write its file, or its URL says so",
            database=config.database_name,
            next_step="Give this user write access to the file and its folder, or correct "
            "database_url.",
        )
    if replica:
        return ReadOnlyDatabase(
            "this server is a replica, which takes no writes",
            database=config.database_name,
            next_step="Migrate its primary, and declare the replica with replica_of= in its "
            "database_config.",
        )
    return ReadOnlyDatabase(
        "transactions of this user are read-only by a setting of the role, the database or the "
        "server (default_transaction_read_only)",
        database=config.database_name,
        next_step="Name a user that may write in migration_url=, or take the setting away: "
        "ALTER ROLE ... RESET default_transaction_read_only;",
    )


def _result(
    config: DatabaseConfig,
    files: Sequence[Migration],
    reading: Reading,
    works: Sequence[PendingMigration],
) -> MigrateResult:
    found = compare(files, reading.rows)
    rows = {row.key: row for row in reading.rows or () if row.live}
    return MigrateResult(
        database=config.database_name,
        version=found.version,
        applied=tuple(_run_of(work, rows.get(work.migration.key)) for work in works),
        ahead=tuple(row.key for row in found.ahead),
    )


def _run_of(work: PendingMigration, row: LedgerRow | None) -> MigrationRun:
    return MigrationRun(
        key=work.migration.key,
        description=work.migration.description,
        resumed=work.resumed,
        duration_ms=row.duration_ms if row else None,
    )


def _dry(
    config: DatabaseConfig,
    files: Sequence[Migration],
    reading: Reading,
    works: Sequence[PendingMigration],
) -> MigrateResult:
    found = compare(files, reading.rows)
    return MigrateResult(
        database=config.database_name,
        version=found.version,
        ahead=tuple(row.key for row in found.ahead),
        dry_run=True,
        planned=planned_sql(works),
    )


def planned_sql(works: Sequence[PendingMigration]) -> tuple[PlannedSQL, ...]:
    """What *works* would send, step by step, as written."""
    return tuple(
        PlannedSQL(
            key=work.migration.key,
            description=work.migration.description,
            path=str(work.migration.path),
            sql=sql_of(work),
        )
        for work in works
    )


def sql_of(work: PendingMigration) -> str:
    """The SQL that is left to run: the whole section as written, or the steps not done yet."""
    section = work.migration.section(work.direction)
    if not work.done and section is not None:
        return section.text.strip("\n")
    return "\n".join(step.text.strip("\n").rstrip(";") + ";" for step in work.steps[work.done :])
