"""Generate the INSERTs of a few rows, for every database kind. Pure.

The second row has NULL where allowed. A row with another value than the default shows that a column
was dropped and added again.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from dbwarden.schema import Column, Table

ROWS = 2
_DUPLICATE = 3
"""The number of the row that equals the first in all columns that may be equal."""
_BARE = "bare"
_USUAL = ((True, False), (False, False), (False, True), (True, _BARE))
_SECOND = ((False, False), (True, False), (False, True), (False, _BARE))
"""The attempts to insert a row: whether columns with a default use it, and whether columns use the
values in checks (``_BARE``: NULL where allowed)."""
_BOOLEANS = ("BOOL", "BOOLEAN")


class SampleRows(ABC):
    """The rows of one schema. A database kind has its values and the words of its SQL."""

    default: str | None = None
    """The word for a column's default; ``None`` if the column is left out instead."""
    most: int
    """The maximum number of extra rows for the values in a check."""

    @abstractmethod
    def insert(self, table: Table, columns: Sequence[str], values: Sequence[str]) -> str:
        """Return the INSERT of a row, which may have no columns."""

    @abstractmethod
    def value(self, table: Table, column: Column, number: int) -> str | None:
        """Return the value of row *number*; ``None`` if none is known."""

    @abstractmethod
    def listed(self, table: Table, column: Column) -> Sequence[str]:
        """Return the values in a check on *column*."""

    def limited(self, table: Table, column: Column) -> bool:
        """Return whether a check limits the values of *column*."""
        return any(column.name in check.columns for check in table.checks)

    def choices(self, table: Table) -> int:
        """Return the length of the longest list of values for a column of *table*."""
        columns = (column for column in table.columns if column.generated is None)
        return max((len(self.listed(table, column)) for column in columns), default=0)

    def numbers(self, table: Table, *, duplicate: bool) -> Iterator[int]:
        """Yield the numbers of the rows of *table*; with *duplicate*, one equals the first."""
        yield from range(1, ROWS + duplicate + 1)
        more = min(self.choices(table), self.most)
        yield from range(_DUPLICATE + 1, _DUPLICATE + 1 + more if more > 1 else 0)

    def inserts(self, table: Table, number: int) -> Iterator[str]:
        """Yield the INSERTs of row *number* to try; none if a required value is unknown."""
        for defaults, allowed in _SECOND if number == ROWS else _USUAL:
            row = self._row(table, number, defaults=defaults, allowed=allowed)
            if row is None:
                return
            yield self.insert(table, [*row], [*row.values()])

    def _row(
        self, table: Table, number: int, *, defaults: bool, allowed: bool | str
    ) -> dict[str, str] | None:
        keys = _unique_columns(table) if number >= _DUPLICATE else key_columns(table)
        referring = {name for key in table.foreign_keys for name in key.columns}
        row: dict[str, str] = {}
        for column in table.columns:
            if column.generated is not None:
                continue
            plain = column.name not in keys
            like_first = number == _DUPLICATE or (number > _DUPLICATE and column.name in referring)
            own = 1 if plain and like_first else number
            second = plain and own == ROWS
            value: str | None
            if defaults and plain and column.default is not None and number <= _DUPLICATE:
                value = self.default
            elif second and column.default is not None and column.type.upper() in _BOOLEANS:
                value = f"NOT ({column.default})"
            elif not column.not_null and (
                second or (allowed == _BARE and self.limited(table, column))
            ):
                value = "NULL"
            else:
                choices = self.listed(table, column) if allowed is True else ()
                value = choices[(own - 1) % len(choices)] if choices else None
                value = value or self.value(table, column, own)
                if value is None and column.not_null and column.default is None:
                    return None
            if value is not None:
                row[column.name] = value
        return row


def key_columns(table: Table) -> set[str]:
    """Return the columns in unique or foreign keys."""
    return _unique_columns(table).union(*(key.columns for key in table.foreign_keys))


def _unique_columns(table: Table) -> set[str]:
    """Return the columns in unique keys."""
    keys = {name for key in table.keys for name in key.columns}
    for index in table.indexes:
        if index.unique:
            keys.update(column.column for column in index.columns if column.column)
    return keys
