"""The forms that do not block reading and writing. Pure."""

from collections.abc import Iterator

from dbwarden.dialects.postgresql.ddl.context import Context
from dbwarden.diff.changes import Change
from dbwarden.diff.statements import PlannedStatement


def online(ctx: Context, change: Change) -> Iterator[PlannedStatement] | None:
    """The statements that make *change* without blocking; ``None`` where the plain ones do."""
    return None
