"""A few rows for each table, so that a migration is tried on more than empty tables."""

import re
from collections.abc import Sequence
from typing import Any

import asyncpg

from dbwarden.dialects.postgresql.quoting import identifier
from dbwarden.schema import Column, QualifiedName, Schema, Table

ROWS = 2

_EXPRESSIONS = (
    # what the type begins with, and the value of row {n} in it
    ("smallint", "{n}"),
    ("integer", "{n}"),
    ("bigint", "{n}"),
    ("numeric", "{n}"),
    ("real", "{n}"),
    ("double precision", "{n}"),
    ("boolean", "({n} % 2 = 1)"),
    ("uuid", "md5('{n}')::uuid"),
    ("date", "DATE '2024-01-01' + {n}"),
    ("timestamp", "TIMESTAMP '2024-01-01 00:00' + {n} * INTERVAL '1 day'"),
    ("time", "TIME '00:00' + {n} * INTERVAL '1 minute'"),
    ("interval", "{n} * INTERVAL '1 day'"),
    ("json", "'{{\"n\": {n}}}'"),
    ("bytea", "'\\x0{n}'"),
    ("inet", "'10.0.0.{n}'"),
    ("cidr", "'10.0.{n}.0/24'"),
    ("macaddr", "'08:00:2b:01:02:0{n}'"),
    ("text", "'{n}'"),
    ("character", "'{n}'"),
    ("citext", "'{n}'"),
    ("name", "'{n}'"),
    ("money", "{n}"),
    ("xml", "'<a/>'"),
    ("tsvector", "'{n}'"),
    ("bit", "B'1'"),
)


async def add_rows(raw: Any, schema: Schema) -> tuple[str, ...]:
    """Put up to two rows into each table; which tables got some.

    Foreign keys hold, because equal columns get equal values; where a table refuses, it stays
    empty. The second row has no value where none is needed.
    """
    try:
        await raw.execute("SET session_replication_role = replica")
    except asyncpg.PostgresError:
        return ()
    filled = [
        str(table.name)
        for table in schema.tables
        if table.partition_by is None and await _fill(raw, schema, table)
    ]
    await raw.execute("RESET session_replication_role")
    return tuple(filled)


async def _fill(raw: Any, schema: Schema, table: Table) -> bool:
    done = False
    for number in range(1, ROWS + 1):
        for defaults in (True, False):
            sql = insert(schema, table, number, defaults=defaults)
            if sql is None:
                break
            try:
                await raw.execute(sql)
            except asyncpg.PostgresError:
                continue
            done = True
            break
    return done


def insert(schema: Schema, table: Table, number: int, *, defaults: bool) -> str | None:
    """The INSERT for row *number*; ``None`` where a column needs a value that we cannot make."""
    keys = _key_columns(schema, table)
    names, values = [], []
    for column in table.columns:
        if column.generated is not None:
            continue
        value = _value(schema, column, number)
        plain = column.name not in keys
        if defaults and plain and column.default is not None:
            value = "DEFAULT"
        elif number > 1 and plain and not column.not_null:
            value = "NULL"
        if value is None:
            if column.not_null and column.default is None:
                return None
            continue
        names.append(identifier(column.name))
        values.append(value)
    where = f"INSERT INTO {_sql(table.name)}"
    if not names:
        return f"{where} DEFAULT VALUES"
    return f"{where} ({', '.join(names)}) OVERRIDING SYSTEM VALUE VALUES ({', '.join(values)})"


def _key_columns(schema: Schema, table: Table) -> set[str]:
    """Columns that tell rows apart or lead to other rows."""
    keys = set(table.primary_key.columns if table.primary_key else ())
    for unique in table.uniques:
        keys.update(unique.columns)
    for key in table.foreign_keys:
        keys.update(key.columns)
    for index in table.indexes:
        if index.unique:
            keys.update(column.column for column in index.columns if column.column)
    return keys


def _value(schema: Schema, column: Column, number: int) -> str | None:
    if column.type.endswith("[]"):
        return "'{}'"
    for beginning, expression in _EXPRESSIONS:
        if re.match(rf"{beginning}\b", column.type):
            return f"({expression.format(n=number)})::{_base(column.type)}"
    for enum in schema.enums:
        if column.type in _names(schema, enum.name) and enum.values:
            word = enum.values[(number - 1) % len(enum.values)].replace("'", "''")
            return f"'{word}'"
    for domain in schema.domains:
        if column.type in _names(schema, domain.name):
            return f"(NULL::{column.type})" if not column.not_null else None
    return None


def _base(type_: str) -> str:
    return "text::" + type_ if type_.startswith(("character", "bit")) else type_


def _names(schema: Schema, name: QualifiedName) -> tuple[str, ...]:
    plain, quoted = name.name, identifier(name.name)
    namespace = name.namespace or ""
    spaces = (namespace, identifier(namespace))
    full = [f"{space}.{word}" for space in spaces for word in (plain, quoted)]
    own = [plain, quoted] if name.namespace == schema.default_namespace else []
    return (*own, *full)


async def fingerprint(raw: Any, schema: Schema) -> dict[str, str]:
    """For each column of each table, as ``users.email``, a digest of its values."""
    found: dict[str, str] = {}
    for table in schema.tables:
        columns = [column.name for column in table.columns]
        if not columns:
            continue
        row = await raw.fetchrow(_digest(table.name, columns))
        plain = table.name.namespace == schema.default_namespace
        label = table.name.name if plain else str(table.name)
        found.update((f"{label}.{name}", row[place]) for place, name in enumerate(columns))
    return found


def _digest(table: QualifiedName, columns: Sequence[str]) -> str:
    values = []
    for name in columns:
        text = f"{identifier(name)}::text"
        values.append(f"md5(coalesce(string_agg(coalesce({text}, '-'), ',' ORDER BY {text}), ''))")
    return f"SELECT {', '.join(values)} FROM {_sql(table)}"


def _sql(name: QualifiedName) -> str:
    return f"{identifier(name.namespace or '')}.{identifier(name.name)}"
