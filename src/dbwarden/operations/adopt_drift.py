"""Write the drift of one database as the next migration, and mark it where it is already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dbwarden.authoring.collect.current import files_source
from dbwarden.authoring.compare.normalize import normalize_schema
from dbwarden.authoring.compare.user_choices import Answers
from dbwarden.authoring.scratch_session import ScratchSession, open_scratch_session
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.diff import differ
from dbwarden.errors import UsageError
from dbwarden.files.migration import Migration
from dbwarden.operations.baseline import mark_applied, up_to
from dbwarden.operations.diff import compare_live
from dbwarden.operations.operation import (
    dialect_of,
    forget_files,
    migration_files,
    operation,
    parse_file,
    refuse_read_only,
)
from dbwarden.operations.writing import MakeMigrationsResult, MakeOptions, write_between
from dbwarden.planning.comparing import HistoryComparison, compare
from dbwarden.types import DatabaseName


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptDriftResult:
    """The migration that was written and marked as applied in the database that it came from."""

    database: DatabaseName
    path: Path
    version: str
    verdict: str | None
    notes: tuple[str, ...] = ()


@operation("adopt_drift")
async def adopt_drift(
    config: DatabaseConfig,
    *,
    message: str,
    allow_drop: Sequence[str] = (),
    fills: Mapping[str, str] | None = None,
    ignore: Sequence[str] = (),
) -> AdoptDriftResult:
    """Write what differs in a live database as the next migration, proven, and mark it there.

    Other databases get the difference with their next migrate.

    Args:
        config: The database, its name, or ``None`` for the default one.
        message: What the migration does; becomes the file's name.
        allow_drop: Objects that other databases may lose, by exact name.
        fills: Expressions for existing rows without a value, by column.
        ignore: More patterns of ``ignore_drift``.

    Raises:
        UsageError: The database is as its files say, or has migrations that are not applied.
        UnsupportedChange: A difference that cannot be expressed.
        NotProven, ScratchRefused: The proof failed; nothing was written.
    """
    config = replace(config, ignore_drift=(*config.ignore_drift, *ignore))
    answers = Answers(allow_drop=allow_drop, fills=fills or {})
    options = MakeOptions(message=message, answers=answers)
    async with dialect_of(config).connect(config) as connection, connection.lock():
        files = await migration_files(config)
        reading = await connection.read()
        refuse_read_only(config, reading)
        _refuse_unclear(config, compare(files, reading.rows, config.database_name))
        async with open_scratch_session(config) as session:
            written = await _write(session, files, options)
        assert written.path is not None and written.sql is not None and written.version is not None
        migration = parse_file(config, written.path, written.sql)
        await forget_files(config)
        await mark_applied(config, connection, (*files, migration), up_to(written.version))
    return AdoptDriftResult(
        database=config.database_name,
        path=written.path,
        version=written.version,
        verdict=written.verdict,
        notes=written.notes,
    )


def _refuse_unclear(config: DatabaseConfig, history: HistoryComparison) -> None:
    """Raise if the database differs from the files for another reason than drift."""
    open_ = [each for each in history.pending if not each.always]
    if open_ or history.partial or history.changed or history.missing or history.ahead:
        raise UsageError(
            "its migration history and the files do not agree, so that the drift cannot be told "
            "from them",
            database=config.database_name,
            next_step=f"See dbwarden status -d {config.database_name}, and migrate or repair it "
            "first.",
        )


async def _write(
    session: ScratchSession, files: Sequence[Migration], options: MakeOptions
) -> MakeMigrationsResult:
    comparison = await compare_live(session, files)
    if not differ(comparison.current, comparison.desired):
        raise UsageError(
            "the database is as its files say",
            database=session.config.database_name,
            next_step="There is nothing to adopt.",
        )
    desired = await normalize_schema(session, comparison.desired, comparison.current)
    source = files_source(files)
    turned = replace(comparison, source=source, current=comparison.desired, desired=desired)
    return await write_between(session, files, options, turned)
