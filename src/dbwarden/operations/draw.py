"""Draw the tables of a database and their keys, with the changes since a migration."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from dbwarden.authoring.collect.current import files_source
from dbwarden.authoring.collect.foreign_histories import without_ledgers
from dbwarden.authoring.collect.other_databases import read_live
from dbwarden.authoring.scratch_session import open_scratch_session
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.drawing.diagram import Diagram, diagram_of
from dbwarden.drawing.page import POLICY, page
from dbwarden.errors import UsageError
from dbwarden.files.migration import Migration
from dbwarden.files.naming import parse_version
from dbwarden.operations.operation import migration_files, operation
from dbwarden.types import DatabaseName, Version, format_version


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaDiagram:
    """The tables and foreign keys of a database, for ``dbwarden.drawing`` to write.

    ``since`` is the version whose schema the marks compare with, or ``None``.
    """

    database: DatabaseName
    since: str | None
    diagram: Diagram = field(repr=False)


@operation("draw_schema")
async def draw_schema(
    config: DatabaseConfig, *, live: bool = False, since: str | None = None
) -> SchemaDiagram:
    """Return the tables of the migration files, with their columns and keys.

    Args:
        config: The database, its name, or ``None`` for the default one.
        live: Read the live database instead of the files; reads only.
        since: A version; mark what changed since that migration. 0 marks everything as added.

    Raises:
        ConnectError: The live database cannot be reached.
        UsageError: No file has the version *since*, or there is no place for a scratch database.
    """
    files = await migration_files(config)
    version = None if since is None else parse_version(since, "--since")
    earlier = None if version is None else _up_to(files, version, config)
    async with open_scratch_session(config) as session:
        before = None if earlier is None else await session.schema(files_source(earlier))
        if live:
            schema = without_ledgers(await read_live(session), config.ledger_schema)
        else:
            schema = await session.schema(files_source(files))
    return SchemaDiagram(
        database=config.database_name,
        since=None if version is None else format_version(version),
        diagram=diagram_of(schema, before),
    )


def _up_to(
    files: Sequence[Migration], version: Version, config: DatabaseConfig
) -> tuple[Migration, ...]:
    """Return the files up to *version*, without repeatable ones."""
    versions = [item.version for item in files if item.version is not None]
    if version and version not in versions:
        newest = f"the newest is {format_version(max(versions))}" if versions else "there are none"
        raise UsageError(
            f"there is no migration {format_version(version)} here; {newest}",
            database=config.database_name,
            next_step="Give the version of a file, or 0 for an empty database.",
        )
    kept = versions[: versions.index(version) + 1] if version else []
    return tuple(item for item in files if item.version in kept)


__all__ = ["POLICY", "SchemaDiagram", "draw_schema", "page"]
