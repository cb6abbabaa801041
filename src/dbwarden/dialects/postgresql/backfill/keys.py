"""Find the unique keys of a table, and write their columns and values as SQL. Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from dbwarden.dialects.backfill.keys import KeyValues, TableKey
from dbwarden.dialects.postgresql.sql.quoting import literal
from dbwarden.quoting import quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresKey(TableKey):
    """A unique key; a stored value is the text that the server writes for it."""

    lock: ClassVar[str] = " FOR UPDATE"

    def compared(self) -> list[str]:
        """Return each column as it is compared and sorted."""
        return [quoted(column) for column in self.columns]

    def selected(self) -> str:
        """Return the columns as texts.

        They get other names, because ORDER BY would sort by the texts otherwise.
        """
        return ", ".join(
            f"{quoted(column)}::text AS dbwarden_{place}"
            for place, column in enumerate(self.columns)
        )

    def key_of(self, values: Sequence[Any]) -> KeyValues:
        """Return the key that a SELECT returned."""
        return tuple(map(str, values))

    def literals(self, key: KeyValues) -> list[str]:
        """Return each value of *key* as SQL."""
        return [f"{literal(v)}::{t}" for v, t in zip(key, self.types, strict=True)]


def key_sql(table: str) -> str:
    """Return a query for *table*, qualified, and for its usable unique keys, as one JSON text.

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


def parse_keys(text: str) -> list[PostgresKey]:
    """Parse the result of ``key_sql``, best first."""
    table, keys = json.loads(text)
    return [
        PostgresKey(table=table, columns=tuple(columns), types=tuple(types))
        for columns, types in keys or ()
    ]
