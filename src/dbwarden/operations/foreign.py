"""Read what another tool has applied to a database."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, assert_never

from dbwarden.dialects.base import Connection, ForeignHistory
from dbwarden.files.migration import Migration
from dbwarden.planning.foreign import ForeignState, foreign_state, foreign_table

Tool = Literal["alembic", "flyway", "dbmate", "prisma", "django"]


def history_of(tool: Tool) -> ForeignHistory:
    """Return where *tool* keeps its history by default."""
    match tool:
        case "alembic":
            return ForeignHistory(table="alembic_version", column="version_num")
        case "flyway":
            return ForeignHistory(
                table="flyway_schema_history",
                column="version",
                where="success AND type NOT IN ('BASELINE', 'SCHEMA', 'DELETE')",
            )
        case "dbmate":
            return ForeignHistory(table="schema_migrations", column="version")
        case "prisma":
            return ForeignHistory(
                table="_prisma_migrations",
                column="migration_name",
                where="finished_at IS NOT NULL AND rolled_back_at IS NULL",
            )
        case "django":
            return ForeignHistory(table="django_migrations", column="app || '.' || name")
        case _:
            assert_never(tool)


async def read_foreign_state(
    connection: Connection, files: Sequence[Migration], tool: Tool
) -> ForeignState | None:
    """Return what *tool* has applied; ``None`` if the database has no history of it."""
    history = history_of(tool)
    table = foreign_table(files, tool)
    if table is not None:
        history = replace(history, table=table)
    ids = await connection.foreign_ids(history)
    return None if ids is None else foreign_state(files, tool, ids)
