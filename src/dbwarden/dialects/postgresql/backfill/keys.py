"""Find the unique key by which a table is walked, and build the SQL of its batches. Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from dbwarden.dialects.postgresql.sql.quoting import literal
from dbwarden.quoting import quoted

Key = tuple[str, ...]
"""The values of a key's columns, as the server writes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableKey:
    """A table, qualified, and the columns of the unique key that orders its rows."""

    table: str
    columns: tuple[str, ...]
    types: tuple[str, ...]

    def names(self, alias: str | None = None) -> str:
        """Return the columns as a row, or the only column, of the table or its *alias*."""
        prefix = f"{alias}." if alias else ""
        return _row([prefix + quoted(column) for column in self.columns])

    def values(self, key: Key) -> str:
        """Return *key* as a row of literals."""
        return _row([f"{literal(v)}::{t}" for v, t in zip(key, self.types, strict=True)])

    def between(self, after: Key | None, to: Key, alias: str | None = None) -> str:
        """Return the condition for rows after the key *after*, if any, and up to *to*."""
        names = self.names(alias)
        lower = f"{names} > {self.values(after)} AND " if after is not None else ""
        return f"({lower}{names} <= {self.values(to)})"

    def among(self, keys: Sequence[Key], alias: str | None = None) -> str:
        """Return the condition for the rows with *keys*."""
        listed = ", ".join(self.values(key) for key in keys)
        if len(self.columns) == 1:
            return f"({self.names(alias)} IN ({listed}))"
        return f"({self.names(alias)} IN (VALUES {listed}))"

    def texts(self) -> str:
        """Return the columns as texts, for a SELECT.

        They get other names, because ORDER BY would sort by the texts otherwise.
        """
        return ", ".join(
            f"{quoted(column)}::text AS dbwarden_{place}"
            for place, column in enumerate(self.columns)
        )

    def order(self, direction: str = "") -> str:
        """Return the columns for ORDER BY."""
        return ", ".join(quoted(column) + direction for column in self.columns)

    def last_sql(self) -> str:
        """Return a query for the last key of the table."""
        return f"SELECT {self.texts()} FROM {self.table} ORDER BY {self.order(' DESC')} LIMIT 1"

    def bound_sql(self, after: Key | None, to: Key, size: int) -> str:
        """Return a query for the number of the next *size* rows, and the last key of them."""
        columns = ", ".join(quoted(column) for column in self.columns)
        return (
            f"WITH batch AS MATERIALIZED (SELECT {columns} FROM {self.table} WHERE "
            f"{self.between(after, to)} ORDER BY {self.order()} LIMIT {size}) "
            f"SELECT (SELECT count(*) FROM batch), {self.texts()} FROM batch "
            f"ORDER BY {self.order(' DESC')} LIMIT 1"
        )

    def unsatisfied_sql(self, after: Key | None, to: Key, size: int, until: str) -> str:
        """Return a query for the keys of the next *size* rows without *until*; it locks them."""
        return (
            f"SELECT {self.texts()} FROM {self.table} WHERE {self.between(after, to)} "
            f"AND (\n{until}\n) IS NOT TRUE ORDER BY {self.order()} LIMIT {size} FOR UPDATE"
        )


def _row(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"


def key_sql(table: str) -> str:
    """Return a query for *table*, qualified, and for its best unique key, as one JSON text.

    No line means that there is no such table. The primary key comes first, then short keys.
    """
    return f"""SELECT json_build_array(format('%I.%I', n.nspname, c.relname), (
  SELECT json_agg(json_build_array(k.columns, k.types)
                  ORDER BY i.indisprimary DESC, i.indnkeyatts, x.relname)
  FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid,
  LATERAL (
    SELECT json_agg(a.attname ORDER BY u.place) AS columns,
      json_agg(pg_catalog.format_type(a.atttypid, a.atttypmod) ORDER BY u.place) AS types,
      count(*) AS columns_found, bool_and(a.attnotnull) AS required
    FROM unnest(i.indkey::int2[]) WITH ORDINALITY u(number, place)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.number
    WHERE u.place <= i.indnkeyatts
  ) k
  WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
    AND i.indpred IS NULL AND k.columns_found = i.indnkeyatts AND k.required
))::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = to_regclass({literal(table)}) AND c.relkind IN ('r', 'p')"""


def parse_key(text: str) -> TableKey | None:
    """Parse the result of ``key_sql``; ``None`` if the table has no usable key."""
    table, keys = json.loads(text)
    if not keys:
        return None
    columns, types = keys[0]
    return TableKey(table=table, columns=tuple(columns), types=tuple(types))
