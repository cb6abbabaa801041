"""Generate a few rows for each table, so that migrations are not only tried on empty tables."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import asyncpg

from dbwarden.dialects.postgresql.ddl.names import qualified
from dbwarden.dialects.sample_rows import ROWS, SampleRows
from dbwarden.quoting import quoted, text_literal
from dbwarden.schema import (
    Column,
    CompositeType,
    Domain,
    Enum,
    ForeignKey,
    QualifiedName,
    Schema,
    Table,
)

T = TypeVar("T", Enum, Domain, CompositeType)

_RANGES = {
    **{name: f"{name}range({{n}}0, {{n}}1)" for name in ("int4", "int8", "num")},
    "date": "daterange(DATE '2024-01-01' + {n}, DATE '2024-01-02' + {n})",
    **{
        name: f"{name}range({type_} + {{n}} * {day}, {type_} + {{n}} * {day} + INTERVAL '1 hour')"
        for name, type_ in (
            ("ts", "TIMESTAMP '2024-01-01 00:00'"),
            ("tstz", "TIMESTAMPTZ '2024-01-01 00:00+00'"),
        )
        for day in ("INTERVAL '1 day'",)
    },
}
"""The range of row {n} in each type. Ranges do not overlap and are not empty."""

_EXPRESSIONS = (
    # the prefix of the type, and the value of row {n}
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
    ("bytea", "'\\x{n:02x}'"),
    ("inet", "'10.0.0.{n}'"),
    ("cidr", "'10.0.{n}.0/24'"),
    ("macaddr8?", "'08:00:2b:01:02:{n:02x}'"),
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
    *((f"{name}multirange", f"{name}multirange({values})") for name, values in _RANGES.items()),
    *((f"{name}range", values) for name, values in _RANGES.items()),
    ("point", "'({n},{n})'"),
    ("box", "'({n},{n}),(0,0)'"),
    ("hstore", "'n=>{n}'"),
    ("ltree", "'n{n}'"),
)


_GUESSES = ("1", "a", "{}", "()", "(1,1)", "[1,2)", "empty")
"""Literals that an extension type may accept; lists of numbers, for vectors, are tried last."""
_DEPTH = 5
"""The maximum depth to which composite types are filled."""


async def add_rows(
    raw: asyncpg.Connection, schema: Schema, *, duplicate: bool = False
) -> tuple[str, ...]:
    """Insert up to two rows into each table, and return the tables that have rows.

    Foreign keys hold, because equal columns get equal values, and rows that reference a refused row
    are deleted. The second row has NULL where allowed. With *duplicate*, a third row equals the
    first in all columns that may be equal.
    """
    try:
        await _try(raw, "SET session_replication_role = replica")
    except asyncpg.PostgresError:
        return ()
    tables = [table for table in schema.tables if table.partition_by is None]
    values = Values(schema, await guesses(raw, schema))
    counts: dict[QualifiedName, int] = {}
    for table in tables:
        numbers = values.numbers(table, duplicate=duplicate)
        added = [number for number in numbers if await _add_row(raw, values, table, number)]
        counts[table.name] = sum(number <= ROWS + duplicate for number in added)
    await _take_back_strays(raw, tables, counts, ROWS + duplicate)
    await raw.execute("RESET session_replication_role")
    return tuple([str(name) for name, count in counts.items() if count or await _any(raw, name)])


async def _any(raw: asyncpg.Connection, name: QualifiedName) -> bool:
    return bool(await raw.fetchval(f"SELECT EXISTS (SELECT FROM {qualified(name)})"))


async def guesses(raw: asyncpg.Connection, schema: Schema) -> dict[str, str]:
    """Return a literal that the server accepts for each otherwise unknown type."""
    types = {column.type for table in schema.tables for column in table.columns}
    literals: dict[str, str] = {}
    values = Values(schema, {})
    for type_ in sorted(types):
        if values.of_type(type_, 1) is not None:
            continue
        size = re.search(r"\((\d+)", type_)
        listed = ",".join(["1"] * min(int(size[1]), 20_000)) if size is not None else "1"
        for text in (*_GUESSES, f"[{listed}]", f"{{1:1}}/{size[1] if size is not None else 1}"):
            literal = text_literal(text)
            try:
                await _try(raw, f"SELECT {literal}::{type_}")
            except asyncpg.PostgresError:
                continue
            literals[type_] = literal
            break
    return literals


async def _add_row(raw: asyncpg.Connection, values: "Values", table: Table, number: int) -> bool:
    for sql in values.inserts(table, number):
        try:
            await _try(raw, sql)
        except asyncpg.PostgresError:
            continue  # the next values may satisfy the constraints
        return True
    return False


async def _try(raw: asyncpg.Connection, sql: str) -> None:
    """Run *sql*; if it fails, an enclosing transaction stays usable."""
    if not raw.is_in_transaction():
        await raw.execute(sql)
        return
    try:
        await raw.execute(f"SAVEPOINT dbwarden; {sql}; RELEASE SAVEPOINT dbwarden")
    except asyncpg.PostgresError:
        await raw.execute("ROLLBACK TO SAVEPOINT dbwarden")
        raise


async def _take_back_strays(
    raw: asyncpg.Connection, tables: Sequence[Table], counts: dict[QualifiedName, int], rows: int
) -> None:
    """Delete rows that reference a refused row, and update *counts*."""
    wanting = {name for name, count in counts.items() if count < rows}
    while wanting:
        keys = [(it, key) for it in tables for key in it.foreign_keys if key.references in wanting]
        wanting = set()
        for table, key in keys:
            status = await raw.execute(_strays(table, key))
            if count := int(status.rpartition(" ")[2]):
                counts[table.name] -= count
                wanting.add(table.name)


def _strays(table: Table, key: ForeignKey) -> str:
    pairs = zip(key.columns, key.referred_columns, strict=True)
    same = [f"a.{quoted(mine)} = b.{quoted(theirs)}" for mine, theirs in pairs]
    not_null = [f"a.{quoted(name)} IS NOT NULL" for name in key.columns]
    parents = f"SELECT FROM {qualified(key.references)} b WHERE {' AND '.join(same)}"
    where = " AND ".join([*not_null, f"NOT EXISTS ({parents})"])
    return f"DELETE FROM {qualified(table.name)} a WHERE {where}"


class Values(SampleRows):
    """Values for the columns of one schema, as SQL."""

    default = "DEFAULT"
    most = 60

    def __init__(self, schema: Schema, guesses: Mapping[str, str]) -> None:
        """Store the *schema* with its types, and literals of other types."""
        self._guesses = guesses
        self._enums = _by_name(schema, schema.of(Enum))
        self._domains = _by_name(schema, schema.of(Domain))
        self._composites = _by_name(schema, schema.of(CompositeType))

    def insert(self, table: Table, columns: Sequence[str], values: Sequence[str]) -> str:
        """Return the INSERT of a row, which may have no columns."""
        into = f"INSERT INTO {qualified(table.name)}"
        if not columns:
            return f"{into} DEFAULT VALUES"
        names = ", ".join(map(quoted, columns))
        return f"{into} ({names}) OVERRIDING SYSTEM VALUE VALUES ({', '.join(values)})"

    def value(self, table: Table, column: Column, number: int) -> str | None:
        """Return the value of row *number*; ``None`` if none is known."""
        return self.of_type(column.type, number)

    def of_type(self, type_: str, number: int, depth: int = 0) -> str | None:
        """Return the value of row *number* in *type_*; ``None`` if none is known."""
        if type_ in self._guesses:
            return f"{self._guesses[type_]}::{type_}"
        if type_.endswith("[]"):
            element = self.of_type(type_.removesuffix("[]"), number, depth)
            return "'{}'" if element is None else f"ARRAY[{element}]::{type_}"
        for beginning, expression in _EXPRESSIONS:
            if re.match(rf"{beginning}\b", type_):
                return f"({expression.format(n=number)})::{_base(type_)}"
        if (enum := self._enums.get(type_)) is not None and enum.values:
            word = enum.values[(number - 1) % len(enum.values)]
            return f"{text_literal(word)}::{type_}"
        if (domain := self._domains.get(type_)) is not None:
            value = self.of_type(domain.type, number, depth)
            return None if value is None else f"({value})::{type_}"
        if (composite := self._composites.get(type_)) is not None and depth < _DEPTH:
            parts = [self.of_type(it.type, number, depth + 1) for it in composite.attributes]
            return f"ROW({', '.join(part or 'NULL' for part in parts)})::{type_}"
        return None

    def choices(self, table: Table) -> int:
        """Return the length of the longest list of values for a column of *table*."""
        columns = (column for column in table.columns if column.generated is None)
        sizes = (self._enum_size(column.type) for column in columns)
        return max(super().choices(table), *sizes, 0)

    def _enum_size(self, type_: str, depth: int = 0) -> int:
        type_ = type_.removesuffix("[]")
        if (enum := self._enums.get(type_)) is not None:
            return len(enum.values)
        if (domain := self._domains.get(type_)) is not None:
            return self._enum_size(domain.type, depth)
        if (composite := self._composites.get(type_)) is not None and depth < _DEPTH:
            sizes = [self._enum_size(it.type, depth + 1) for it in composite.attributes]
            return max(sizes, default=0)
        return 0

    def limited(self, table: Table, column: Column) -> bool:
        """Return whether a check limits the values of *column*."""
        checked = super().limited(table, column)
        return checked or column.type in self._domains or column.type in self._guesses

    def listed(self, table: Table, column: Column) -> list[str]:
        """Return the values in a check on *column* or its domain."""
        domain = self._domains.get(column.type)
        checks = [it.expression for it in table.checks if column.name in it.columns]
        checks += [it.expression for it in domain.checks] if domain is not None else []
        for expression in checks:
            texts = re.findall(r"'(?:[^']|'')*'", expression)
            values = texts or re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?", expression)
            if values:
                return [str(text) for text in values]
        return []


def _base(type_: str) -> str:
    return "text::" + type_ if type_.startswith(("character", "bit")) else type_


def _by_name(schema: Schema, types: Iterable[T]) -> dict[str, T]:
    return {name: it for it in types for name in _names(schema, it.name)}


def _names(schema: Schema, name: QualifiedName) -> tuple[str, ...]:
    words = (name.name, quoted(name.name))
    namespace = name.namespace or ""
    spaces = (namespace, quoted(namespace))
    full = [f"{space}.{word}" for space in spaces for word in words]
    return (*(words if name.namespace == schema.default_namespace else ()), *full)


async def fingerprint(raw: asyncpg.Connection, schema: Schema) -> dict[str, str]:
    """Return a digest of the values of each column, by names such as ``users.email``."""
    digests: dict[str, str] = {}
    for table in schema.tables:
        columns = [column.name for column in table.columns]
        if not columns:
            continue
        row = await raw.fetchrow(_digest(table.name, columns))
        labels = (table.name.label(schema.default_namespace, name) for name in columns)
        digests.update(zip(labels, row, strict=True))
    return digests


async def rehearse(
    raw: asyncpg.Connection, schema: Schema, texts: Sequence[str], *, duplicate: bool
) -> tuple[dict[str, str], dict[str, str]] | None:
    """Return fingerprints before and after *texts* ran on a few rows, and roll back.

    Return ``None`` if a statement failed. Deferred constraints are checked after each of *texts*.
    """
    transaction = raw.transaction()
    await transaction.start()
    try:
        filled = await add_rows(raw, schema, duplicate=duplicate)
        before = await fingerprint(raw, schema)
        if not filled:
            return before, before
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
        text = f"{quoted(name)}::text"
        digest = f"md5(coalesce(string_agg(coalesce({text}, '-'), ',' ORDER BY {text}), ''))"
        values.append(f"count({text}) || ':' || {digest}")
    return f"SELECT {', '.join(values)} FROM {qualified(table)}"
