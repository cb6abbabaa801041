"""Write rows as an application does, while a migration runs in a scratch database."""

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import LiteralString

import asyncpg

from dbwarden.dialects.authoring import ScratchDatabase
from dbwarden.dialects.postgresql.ddl.names import qualified
from dbwarden.dialects.postgresql.scratch.sample_rows import Values, guesses
from dbwarden.dialects.postgresql.scratch.scratch_database import PostgresScratchDatabase
from dbwarden.dialects.postgresql.sql.quoting import literal_or_null, quote
from dbwarden.dialects.sample_rows import key_columns
from dbwarden.dialects.scratch_clients import Pacing, RowKey, RowTexts, ScratchClient, WriteRefused
from dbwarden.files.migration import Migration, Section
from dbwarden.schema import QualifiedName, Schema, Table

_IMPATIENT: LiteralString = "SET lock_timeout TO '5s'"
_TYPES: LiteralString = """
    SELECT attname, pg_catalog.format_type(atttypid, atttypmod) AS type
    FROM pg_catalog.pg_attribute
    WHERE attrelid = pg_catalog.to_regclass($1) AND attnum > 0 AND NOT attisdropped
"""


@asynccontextmanager
async def client_of(database: ScratchDatabase) -> AsyncGenerator[ScratchClient]:
    """Connect an application to *database*."""
    assert isinstance(database, PostgresScratchDatabase)
    raw = await database.dial()
    try:
        await raw.execute(_IMPATIENT)
        yield PostgresScratchClient(database, raw)
    finally:
        await raw.close()


@dataclass(frozen=True, slots=True)
class PostgresScratchClient:
    """A connection of its own; see ``ScratchClient``."""

    database: PostgresScratchDatabase
    raw: asyncpg.Connection

    async def replay(self, migration: Migration, section: Section, pause: Pacing) -> None:
        """Run a section with pauses."""
        await self.database.replay(migration, section, pause)

    async def add_samples(
        self, schema: Schema, table: Table, numbers: Sequence[int], *, unchecked: bool = False
    ) -> Sequence[RowTexts]:
        """Insert generated rows, and return them as they are then; none if one was refused."""
        values = Values(schema, await guesses(self.raw, schema))
        role = "replica" if unchecked else "origin"
        for choice in _Choice:
            rows = [_sample(values, table, number, choice) for number in numbers]
            if any(row is None for row in rows):
                continue
            try:
                await self.raw.execute(f"SET session_replication_role = {role}")
                return await self._add(table, [row for row in rows if row])
            except asyncpg.PostgresError:
                continue  # with the next choice of values
            finally:
                await self.raw.execute("RESET session_replication_role")
        return ()

    async def _add(self, table: Table, rows: Sequence[Mapping[str, str]]) -> Sequence[RowTexts]:
        names = list(rows[0])
        lists = ", ".join(f"({', '.join(row.values())})" for row in rows)
        returned = ", ".join(_texts(table))
        added = await self.raw.fetch(
            f"INSERT INTO {qualified(table.name)} ({', '.join(map(quote, names))})"
            f" OVERRIDING SYSTEM VALUE VALUES {lists} RETURNING {returned}"
        )
        return [dict(row) for row in added]

    async def sample_texts(
        self, schema: Schema, table: Table, numbers: Sequence[int]
    ) -> Mapping[int, RowTexts]:
        """Return the values of generated rows."""
        values = Values(schema, await guesses(self.raw, schema))
        texts_by_number: dict[int, RowTexts] = {}
        for number in numbers:
            row = _sample(values, table, number, _Choice.OWN) or {}
            if row:
                texts = [f"({value})::text AS {quote(name)}" for name, value in row.items()]
                texts_by_number[number] = dict(
                    await self.raw.fetchrow(f"SELECT {', '.join(texts)}")
                )
        return texts_by_number

    async def read(self, table: Table, key: Sequence[str]) -> dict[RowKey, RowTexts]:
        """Return all rows by the columns *key*."""
        columns = ", ".join(_texts(table))
        rows = await self.raw.fetch(f"SELECT {columns} FROM {qualified(table.name)}")
        return {tuple(row[name] for name in key): dict(row) for row in rows}

    async def types(self, name: QualifiedName) -> Mapping[str, str]:
        """Return the types of a table's columns as they are now."""
        rows = await self.raw.fetch(_TYPES, qualified(name))
        return {row["attname"]: row["type"] for row in rows}

    async def write(self, texts: Sequence[str]) -> Sequence[WriteRefused | None]:
        """Run statements in one message, or each in its own if the server refused one."""
        if not texts:
            return ()
        try:
            await self.raw.execute(";\n".join(texts))
        except asyncpg.PostgresError:
            return [await self._write(text) for text in texts]
        return [None] * len(texts)

    async def _write(self, text: str) -> WriteRefused | None:
        try:
            await self.raw.execute(text)
        except asyncpg.PostgresError as error:
            return WriteRefused(
                reason=str(error.args[0]),
                sqlstate=error.sqlstate,
                column=getattr(error, "column_name", None),
                constraint=getattr(error, "constraint_name", None),
            )
        return None

    def insert(self, table: Table, row: RowTexts) -> str:
        """Return the SQL that inserts *row*."""
        values = ", ".join(map(literal_or_null, row.values()))
        given = {column.name for column in table.columns if column.identity is not None} & {*row}
        overriding = " OVERRIDING SYSTEM VALUE" if given else ""
        into = f"{qualified(table.name)} ({', '.join(map(quote, row))})"
        return f"INSERT INTO {into}{overriding} VALUES ({values})"

    def update(self, table: Table, key: RowTexts, values: RowTexts) -> str:
        """Return the SQL that changes *values* of the row with *key*."""
        given = ", ".join(
            f"{quote(name)} = {literal_or_null(text)}" for name, text in values.items()
        )
        return f"UPDATE {qualified(table.name)} SET {given} WHERE {_where(key)}"

    def delete(self, table: Table, key: RowTexts | None) -> str:
        """Return the SQL that deletes the row with *key*, or all rows."""
        where = f" WHERE {_where(key)}" if key is not None else ""
        return f"DELETE FROM {qualified(table.name)}{where}"


class _Choice(Enum):
    """The values of the columns that are in no key: each row's own, those in checks, or small."""

    OWN = auto()
    LISTED = auto()
    SMALL = auto()


def _sample(values: Values, table: Table, number: int, choice: _Choice) -> dict[str, str] | None:
    """Return the values of row *number* as SQL; ``None`` if a required one is unknown."""
    row: dict[str, str] = {}
    keys = key_columns(table)
    for column in table.columns:
        if column.generated is not None:
            continue
        is_free = column.name not in keys
        listed = values.listed(table, column) if is_free and choice is _Choice.LISTED else ()
        is_small = is_free and choice is _Choice.SMALL
        value = values.value(table, column, number % 8 + 1 if is_small else number)
        value = listed[number % len(listed)] if listed else value
        if value is not None:
            row[column.name] = value
        elif column.not_null and column.default is None and column.identity is None:
            return None
    return row


def _texts(table: Table) -> Iterator[str]:
    for column in table.columns:
        yield f"{quote(column.name)}::text AS {quote(column.name)}"


def _where(key: RowTexts) -> str:
    return " AND ".join(f"{quote(name)} = {literal_or_null(text)}" for name, text in key.items())
