"""Build the current schema from migration files."""

from collections.abc import Sequence

from dbwarden.authoring.scratch_session import ScratchSession, Source, sql_source
from dbwarden.dialects.authoring import ScratchDatabase
from dbwarden.diff import diff
from dbwarden.files.migration import Migration
from dbwarden.schema import Schema


def files_source(files: Sequence[Migration]) -> Source:
    """Return the source that replays the upgrades of *files*, in order."""

    async def build(database: ScratchDatabase) -> None:
        for migration in files:
            await database.replay(migration, migration.upgrade)

    parts = tuple(migration.upgrade.text for migration in files)
    return Source(parts=("files", *parts) if parts else (), build=build)


async def schema_source(session: ScratchSession, schema: Schema, floor: Schema) -> Source:
    """Return the source that builds *schema*, which was read elsewhere, on *floor*.

    Raises:
        UnsupportedChange: *schema* has an object that cannot be created.
    """
    changes = diff(floor, schema)
    rendered = session.authoring_dialect.render(changes, current=floor, desired=schema)
    return sql_source([statement.text for statement in rendered])
