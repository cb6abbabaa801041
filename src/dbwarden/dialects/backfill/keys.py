"""Build the SQL that walks over a table in batches, by a unique key. Pure."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from dbwarden.dialects.backfill.work import MOST_LEFT, Condition
from dbwarden.quoting import quoted

KeyValues = tuple[str, ...]
"""The values of a key's columns, as the database kind stores them in the progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextRows:
    """The next batch: its condition, its last key and the number of its rows."""

    condition: Condition
    cursor: KeyValues
    rows: int


class Rest(NamedTuple):
    """The rows of one cycle over a table that are left: after one key, up to the last one.

    ``last`` is ``None`` if the table was empty when the cycle began.
    """

    cycle: int
    after: KeyValues | None
    last: KeyValues | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableKey(ABC):
    """A table, qualified and quoted, and the columns of the unique key that orders its rows.

    ``types`` has for each column what its database kind must know to compare its values.
    """

    table: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    lock: ClassVar[str] = ""
    """The SQL that locks the rows of a query; empty if the transaction locks the database."""

    @abstractmethod
    def compared(self) -> list[str]:
        """Return each column as it is compared and sorted."""

    @abstractmethod
    def selected(self) -> str:
        """Return the columns for a SELECT."""

    @abstractmethod
    def key_of(self, values: Sequence[Any]) -> KeyValues:
        """Return the key that a SELECT of :meth:`selected` returned."""

    @abstractmethod
    def literals(self, key: KeyValues) -> list[str]:
        """Return each value of *key* as SQL."""

    def _names(self, alias: str | None = None) -> str:
        prefix = f"{alias}." if alias else ""
        return _row([prefix + name for name in self.compared()])

    def _values(self, key: KeyValues) -> str:
        return _row(self.literals(key))

    def _order(self, direction: str = "") -> str:
        return ", ".join(name + direction for name in self.compared())

    def between(self, after: KeyValues | None, to: KeyValues, alias: str | None = None) -> str:
        """Return the condition for rows after the key *after*, if any, and up to *to*."""
        names = self._names(alias)
        lower = f"{names} > {self._values(after)} AND " if after is not None else ""
        return f"({lower}{names} <= {self._values(to)})"

    def among(self, keys: Sequence[KeyValues], alias: str | None = None) -> str:
        """Return the condition for the rows with *keys*."""
        listed = ", ".join(map(self._values, keys))
        values = listed if len(self.columns) == 1 else f"VALUES {listed}"
        return f"({self._names(alias)} IN ({values}))"

    def last_sql(self) -> str:
        """Return a query for the last key of the table."""
        return f"SELECT {self.selected()} FROM {self.table} ORDER BY {self._order(' DESC')} LIMIT 1"

    def bound_sql(self, after: KeyValues | None, to: KeyValues, size: int) -> str:
        """Return a query for the number of the next *size* rows, and the last key of them."""
        columns = ", ".join(map(quoted, self.columns))
        return (
            f"WITH batch AS (SELECT {columns} FROM {self.table} WHERE {self.between(after, to)} "
            f"ORDER BY {self._order()} LIMIT {size}) "
            f"SELECT (SELECT count(*) FROM batch), {self.selected()} FROM batch "
            f"ORDER BY {self._order(' DESC')} LIMIT 1"
        )

    def unsatisfied_sql(self, after: KeyValues | None, to: KeyValues, size: int, until: str) -> str:
        """Return a query for the keys of the next *size* rows without *until*; it locks them."""
        return (
            f"SELECT {self.selected()} FROM {self.table} WHERE {self.between(after, to)} "
            f"AND (\n{until}\n) IS NOT TRUE ORDER BY {self._order()} LIMIT {size}{self.lock}"
        )

    def count_sql(self, until: str, most: int = MOST_LEFT) -> str:
        """Return a query for the number of rows without *until*, counted up to *most*."""
        return (
            f"SELECT count(*) FROM (SELECT 1 FROM {self.table} WHERE (\n{until}\n) IS NOT TRUE "
            f"LIMIT {most}) unsatisfied"
        )


def _row(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"
