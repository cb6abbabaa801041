"""Build the SQL of the table with the progress of backfills on PostgreSQL. Pure."""

import json
from dataclasses import dataclass
from typing import ClassVar

from dbwarden.dialects.backfill import progress
from dbwarden.dialects.backfill.progress import OPEN, ProgressTable, Value
from dbwarden.dialects.postgresql.migrate import history_rows
from dbwarden.dialects.postgresql.sql.quoting import literal
from dbwarden.migration_history import BackfillRow

AS_JSON = "to_json(b)::text"
"""A row as one text; see :func:`parse_row`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTable(ProgressTable):
    """The table with the progress of backfills."""

    time_type: ClassVar[str] = "timestamptz"

    @property
    def name(self) -> str:
        """Its qualified name."""
        return history_rows.backfills_beside(self.ledger)

    @property
    def now(self) -> str:
        """The SQL of the current time."""
        return "clock_timestamp()"

    def literal(self, value: Value) -> str:
        """Return *value* as SQL."""
        return literal(value)

    def read_sql(self, *, ended: bool = True) -> str:
        """Return a query for the rows, oldest first; without those that are done if not *ended*."""
        where = "" if ended else f"WHERE {OPEN} "
        return f"SELECT {AS_JSON} FROM {self.name} b {where}ORDER BY started_at, key"


def parse_row(text: str) -> BackfillRow:
    """Parse a row of :data:`AS_JSON`."""
    return progress.parse_row(json.loads(text))
