"""Read the history that another tool keeps in a database."""

from collections.abc import Awaitable, Callable

from dbwarden.dialects.base import ForeignHistory
from dbwarden.dialects.postgresql.sql.quoting import literal
from dbwarden.quoting import quoted

Lines = Callable[[str], Awaitable[list[list[str | None]]]]


async def read_foreign_ids(lines: Lines, history: ForeignHistory) -> tuple[str, ...] | None:
    """Return the ids in the table of *history*; ``None`` if it does not exist."""
    table = ".".join(map(quoted, history.table.split(".")))
    ((found,),) = await lines(f"SELECT pg_catalog.to_regclass({literal(table)})")
    if found is None:
        return None
    rows = await lines(f"SELECT {history.column} FROM {table} WHERE {history.where} ORDER BY 1")
    return tuple(value for (value,) in rows if value is not None)
