"""Build, read, run and dump throw-away databases; what the case runner stands on."""

import functools
import itertools
import os
import re
import subprocess
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import fields, is_dataclass, replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from dbwarden.dialects.postgresql.binaries import find_binaries
from dbwarden.dialects.postgresql.catalog import read_schema
from dbwarden.dialects.postgresql.ddl import render
from dbwarden.diff import diff
from dbwarden.diff.statements import PlannedStatement
from dbwarden.schema import Namespace, Schema

NUMBERS = itertools.count()


def sibling(url: str, name: str) -> str:
    """The URL of the database called *name* on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@asynccontextmanager
async def database(url: str) -> AsyncIterator[str]:
    """A new, empty database; gone afterwards."""
    name = f"case_{os.getpid()}_{next(NUMBERS)}"
    server = await asyncpg.connect(url)
    try:
        await server.execute(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY FILE_COPY")
        try:
            yield sibling(url, name)
        finally:
            await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await server.close()


@asynccontextmanager
async def connection(url: str) -> "AsyncIterator[asyncpg.Connection]":
    """A connection whose search_path is the default namespace."""
    opened = await asyncpg.connect(url, server_settings={"search_path": "public"})
    try:
        yield opened
    finally:
        await opened.close()


async def read(url: str, *, privileges: bool = False) -> Schema:
    async with connection(url) as opened:
        version = int(await opened.fetchval("SHOW server_version_num"))
        return await read_schema(opened.fetch, server_version=version, privileges=privileges)


async def run(url: str, statements: Iterable[PlannedStatement]) -> None:
    """Run *statements* as a migration would: in a transaction, those that refuse one alone."""
    async with connection(url) as opened:
        batch: list[str] = []
        for statement in statements:
            if statement.transactional:
                batch.append(statement.text)
                continue
            await _commit(opened, batch)
            batch = []
            await opened.execute(statement.text)
        await _commit(opened, batch)


async def _commit(opened: "asyncpg.Connection", batch: list[str]) -> None:
    if batch:
        await opened.execute(";\n".join(["BEGIN", *batch, "COMMIT"]))


async def run_text(url: str, text: str) -> None:
    async with connection(url) as opened:
        await opened.execute(text or "SELECT 1")


def empty(like: Schema) -> Schema:
    """A schema with nothing in it, on the same server as *like*."""
    return Schema(server_version=like.server_version, namespaces=(Namespace(name="public"),))


async def settled(url: str, schema: Schema) -> tuple[Schema, str]:
    """*schema* and its dump after it was printed, run and read again.

    Spelling (``IN (...)`` or ``= ANY (ARRAY[...])``) is the same afterwards.
    """
    async with database(url) as copy:
        before = empty(schema)
        await run(copy, render(diff(before, schema), current=before, desired=schema))
        again = await read(copy, privileges=bool(schema.grants or schema.default_privileges))
        assert diff(unspelled(again), unspelled(schema)) == ()
        return again, dump(copy)


SPELLED = {"default", "expression", "where", "definition", "using", "check"}


def unspelled(value: Any) -> Any:
    """*value* without the text of its expressions: what is there, however it is spelled."""
    if isinstance(value, tuple):
        return tuple(map(unspelled, value))
    if not is_dataclass(value):
        return value
    changed = {}
    for field in fields(value):
        was = getattr(value, field.name)
        spelled = field.name in SPELLED and isinstance(was, str) and "nextval" not in was
        changed[field.name] = "" if spelled else unspelled(was)
    return replace(value, **changed)


@functools.cache
def pg_dump() -> str:
    """The server's own pg_dump; first asked for outside of the event loop."""
    return str(find_binaries().program("pg_dump"))


def dump(url: str) -> str:
    """``pg_dump --schema-only``, with the lines in an order that column order does not decide."""
    done = subprocess.run(
        [pg_dump(), "--schema-only", "--no-owner", url],
        capture_output=True,
        text=True,
        check=True,
    )
    return comparable(done.stdout)


def comparable(text: str) -> str:
    """A dump as sorted statements, each with its lines sorted.

    A column that is added stands last, wherever the models have it; and the name that
    PostgreSQL 18 gives to a NOT NULL keeps the column's first name: neither is the schema's.
    """
    text = re.sub(
        r"^(--.*|\\(un)?restrict .*|SET .*|SELECT pg_catalog.set_config.*)?$", "", text, flags=re.M
    )
    text = re.sub(r"CONSTRAINT (\"[^\"]+\"|\S+) NOT NULL", "NOT NULL", text)
    pieces = re.split(r"\n{2,}", text)
    made = ("\n".join(sorted(line.rstrip(",") for line in piece.split("\n"))) for piece in pieces)
    return "\n\n".join(sorted(piece for piece in made if piece.strip()))
