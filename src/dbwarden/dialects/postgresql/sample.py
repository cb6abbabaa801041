"""A few rows for each table, so that a migration is tried on more than empty tables."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import asyncpg

from dbwarden.dialects.postgresql.quoting import identifier
from dbwarden.schema import Column, ForeignKey, QualifiedName, Schema, Table

ROWS = 2
ALIKE = 3
"""The number of the row that is like the first."""
TRIES = {
    1: ((True, False), (False, False), (False, True)),
    2: ((False, False), (True, False), (False, True)),
    3: ((True, False), (False, False), (False, True)),
}
"""For each row, in which order its table is offered values: whether columns with a default take
it, and whether they take values that checks name. A column that is dropped and comes back with its
default is not what it was, which only a row shows that has another value."""

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
    ("jsonb?", "'{{\"n\": {n}}}'"),
    ("bytea", "'\\x0{n}'"),
    ("inet", "'10.0.0.{n}'"),
    ("cidr", "'10.0.{n}.0/24'"),
    ("macaddr8?", "'08:00:2b:01:02:0{n}'"),
    ("text", "'{n}'"),
    ("character", "'{n}'"),
    ("citext", "'{n}'"),
    ("name", "'{n}'"),
    ("money", "{n}"),
    ("xml", "'<a/>'"),
    ("tsvector", "'{n}'"),
    ("tsquery", "'{n}'"),
    ("bit", "B'1'"),
    ("oid", "{n}"),
    (r"\w+multirange", "'{{}}'"),
    (r"\w+range", "'empty'"),
    ("point", "'({n},{n})'"),
    ("box", "'({n},{n}),(0,0)'"),
    ("hstore", "'n=>{n}'"),
    ("ltree", "'n{n}'"),
)


async def add_rows(raw: Any, schema: Schema, *, alike: bool = False) -> tuple[str, ...]:
    """Put up to two rows into each table; which tables hold some now.

    Foreign keys hold, because equal columns get equal values, and what refers to a row that a table
    refused goes again. The second row has no value where none is needed. With *alike* there is a
    third, which is like the first in all that need not differ.
    """
    try:
        await _try(raw, "SET session_replication_role = replica")
    except asyncpg.PostgresError:
        return ()
    tables = [table for table in schema.tables if table.partition_by is None]
    rows = ROWS + alike
    counts = {table.name: await _fill(raw, schema, table, rows) for table in tables}
    await _take_back_strays(raw, tables, counts, rows)
    await raw.execute("RESET session_replication_role")
    return tuple([str(name) for name, count in counts.items() if count or await _any(raw, name)])


async def _any(raw: Any, name: QualifiedName) -> bool:
    return bool(await raw.fetchval(f"SELECT EXISTS (SELECT FROM {_sql(name)})"))


async def _fill(raw: Any, schema: Schema, table: Table, rows: int) -> int:
    return sum([await _add_row(raw, schema, table, number) for number in range(1, rows + 1)])


async def _add_row(raw: Any, schema: Schema, table: Table, number: int) -> bool:
    for defaults, allowed in TRIES[number]:
        sql = insert(schema, table, number, defaults=defaults, allowed=allowed)
        if sql is None:
            return False
        try:
            await _try(raw, sql)
        except asyncpg.PostgresError:
            continue  # the next values may please its constraints; else it stays without this row
        return True
    return False


async def _try(raw: Any, sql: str) -> None:
    """Run *sql*; where it is refused, a transaction around it goes on."""
    if not raw.is_in_transaction():
        await raw.execute(sql)
        return
    try:
        await raw.execute(f"SAVEPOINT dbwarden; {sql}; RELEASE SAVEPOINT dbwarden")
    except asyncpg.PostgresError:
        await raw.execute("ROLLBACK TO SAVEPOINT dbwarden")
        raise


async def _take_back_strays(
    raw: Any, tables: Sequence[Table], counts: dict[QualifiedName, int], rows: int
) -> None:
    """Delete rows that refer to one that a table did not take, as *counts* says; keep it true."""
    wanting = {name for name, count in counts.items() if count < rows}
    while wanting:
        keys = [(it, key) for it in tables for key in it.foreign_keys if key.references in wanting]
        wanting = set()
        for table, key in keys:
            gone = await raw.execute(_strays(table, key))
            if count := int(gone.rpartition(" ")[2]):
                counts[table.name] -= count
                wanting.add(table.name)


def _strays(table: Table, key: ForeignKey) -> str:
    pairs = zip(key.columns, key.referred_columns, strict=True)
    same = [f"a.{identifier(mine)} = b.{identifier(theirs)}" for mine, theirs in pairs]
    there = [f"a.{identifier(name)} IS NOT NULL" for name in key.columns]
    parents = f"SELECT FROM {_sql(key.references)} b WHERE {' AND '.join(same)}"
    return (
        f"DELETE FROM {_sql(table.name)} a WHERE {' AND '.join(there)} AND NOT EXISTS ({parents})"
    )


def insert(
    schema: Schema, table: Table, number: int, *, defaults: bool, allowed: bool = False
) -> str | None:
    """The INSERT for a row; ``None`` where a column needs a value that we cannot make.

    Args:
        schema: Where types are.
        table: The table.
        number: Of the row, from 1.
        defaults: Whether columns with a default take it.
        allowed: Whether columns take the values that checks name.
    """
    keys = _unique_columns(table) if number == ALIKE else _key_columns(table)
    names, values = [], []
    for column in table.columns:
        if column.generated is not None:
            continue
        plain = column.name not in keys
        own = 1 if plain and number == ALIKE else number
        value = _allowed(table, column, own) if allowed else None
        value = value or _value(schema, column, own)
        if defaults and plain and column.default is not None:
            value = "DEFAULT"
        elif own > 1 and plain and column.default is not None and column.type == "boolean":
            value = f"NOT ({column.default})"
        elif own > 1 and plain and not column.not_null:
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


def _allowed(table: Table, column: Column, number: int) -> str | None:
    """One of the values that a check on *column* names."""
    for check in table.checks:
        if column.name in check.columns:
            texts = re.findall(r"'(?:[^']|'')*'", check.expression)
            found = texts or re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?", check.expression)
            if found:
                return str(found[(number - 1) % len(found)])
    return None


def _key_columns(table: Table) -> set[str]:
    """Columns that tell rows apart or lead to other rows."""
    return _unique_columns(table).union(*(key.columns for key in table.foreign_keys))


def _unique_columns(table: Table) -> set[str]:
    """Columns that tell rows apart."""
    keys = set(table.primary_key.columns if table.primary_key else ())
    for unique in table.uniques:
        keys.update(unique.columns)
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
            value = _value(schema, replace(column, type=domain.type), number)
            return None if value is None else f"({value})::{column.type}"
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


async def rehearse(
    raw: Any, schema: Schema, texts: Sequence[str], *, alike: bool
) -> tuple[dict[str, str], dict[str, str]] | None:
    """Fingerprints before and after *texts* ran on a few rows, in a transaction taken back.

    ``None`` where something was refused. What is deferred is checked after each of *texts*.
    """
    transaction = raw.transaction()
    await transaction.start()
    try:
        if not await add_rows(raw, schema, alike=alike):
            return {}, {}
        before = await fingerprint(raw, schema)
        for text in texts:
            await raw.execute(text)
            await raw.execute("SET CONSTRAINTS ALL IMMEDIATE")
        return before, await fingerprint(raw, schema)
    except asyncpg.PostgresError:
        return None
    finally:
        await transaction.rollback()


def _digest(table: QualifiedName, columns: Sequence[str]) -> str:
    values = []
    for name in columns:
        text = f"{identifier(name)}::text"
        values.append(f"md5(coalesce(string_agg(coalesce({text}, '-'), ',' ORDER BY {text}), ''))")
    return f"SELECT {', '.join(values)} FROM {_sql(table)}"


def _sql(name: QualifiedName) -> str:
    return f"{identifier(name.namespace or '')}.{identifier(name.name)}"
