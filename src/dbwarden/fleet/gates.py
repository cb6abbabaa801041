"""Hold a task back until other databases have what it requires."""

from collections.abc import Awaitable, Callable, Sequence

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import DBWardenError
from dbwarden.files.migration import Requirement
from dbwarden.operations.operation import read_status
from dbwarden.types import DatabaseName, format_version

Gate = Callable[[], Awaitable[str | None]]
"""Returns why a task must not start, or ``None``."""


def gate_of(
    requires: Sequence[Requirement], find: Callable[[DatabaseName], DatabaseConfig]
) -> Gate | None:
    """Return the gate of a task that *requires* migrations of databases that *find* returns."""
    if not requires:
        return None

    async def gate() -> str | None:
        for need in requires:
            if (reason := await _unmet(need, find)) is not None:
                return reason
        return None

    return gate


async def _unmet(need: Requirement, find: Callable[[DatabaseName], DatabaseConfig]) -> str | None:
    """Return why the history of the required database does not meet *need*, if so."""
    version = format_version(need.version)
    needs = f"it requires {need.database}@{version}"
    try:
        reading = await read_status(find(need.database))
    except DBWardenError as error:
        return f"{needs}, but {need.database} cannot be read: {error.message}"
    applied = {row.key for row in reading.rows or () if row.live and row.finished_at}
    return None if version in applied else f"{needs}, which is not applied"
