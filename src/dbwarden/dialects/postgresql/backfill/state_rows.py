"""Read the table with the progress of backfills on PostgreSQL. Pure."""

import json
from dataclasses import dataclass

from dbwarden.dialects.backfill import progress
from dbwarden.dialects.backfill.progress import OPEN
from dbwarden.dialects.ledger_rows import backfills_of
from dbwarden.migration_history import BackfillRow

AS_JSON = "to_json(b)::text"
"""A row as one text; see :func:`parse_row`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTable:
    """The table with the progress of backfills next to the ``ledger``, which is qualified."""

    ledger: str

    def read_sql(self, *, ended: bool = True) -> str:
        """Return a query for the rows, oldest first; without those that are done if not *ended*."""
        which = "" if ended else f"WHERE {OPEN} "
        return self.rows_sql(f"{which}ORDER BY started_at, key")

    def rows_sql(self, which: str) -> str:
        """Return a query for the rows that *which* selects."""
        return f"SELECT {AS_JSON} FROM {backfills_of(self.ledger)} b {which}"


def parse_row(text: str) -> BackfillRow:
    """Parse a row of :data:`AS_JSON`."""
    return progress.parse_row(json.loads(text))
