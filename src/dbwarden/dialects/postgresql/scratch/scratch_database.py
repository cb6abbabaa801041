"""Create temporary databases on a PostgreSQL server, in which SQL is tried."""

import itertools
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import anyio
import anyio.to_thread
import asyncpg

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.config.libpq import search_path
from dbwarden.dialects.authoring import (
    Expression,
    ScratchAddress,
    ScratchDatabase,
    TracedStatement,
    setup_of,
)
from dbwarden.dialects.backfill.work import whole_table
from dbwarden.dialects.base import Step
from dbwarden.dialects.postgresql.catalog import read_database
from dbwarden.dialects.postgresql.migrate.batching import (
    locate_offset,
    split_step,
    statement_offsets,
)
from dbwarden.dialects.postgresql.migrate.connect_errors import may_not_create
from dbwarden.dialects.postgresql.migrate.session_state import RESET, leftovers, prelude_of
from dbwarden.dialects.postgresql.scratch.adapting import adapt, adapted_text, needs_adapting
from dbwarden.dialects.postgresql.scratch.backfills import replay_backfill
from dbwarden.dialects.postgresql.scratch.expressions import normalize
from dbwarden.dialects.postgresql.scratch.namespaces import default_namespace, make_namespace
from dbwarden.dialects.postgresql.scratch.observing import Observer
from dbwarden.dialects.postgresql.scratch.place import Dial, Place, end_sessions
from dbwarden.dialects.postgresql.scratch.sample_rows import add_rows, fingerprint, rehearse
from dbwarden.dialects.postgresql.scratch.scratch_errors import refusal, statement_at, unless_exists
from dbwarden.dialects.postgresql.scratch.subscriptions import EXIST, FORGET, recreating
from dbwarden.dialects.postgresql.scratch.tracing import locating, trace_statements
from dbwarden.dialects.postgresql.sql import splitting
from dbwarden.dialects.postgresql.sql.error_texts import PostgresText
from dbwarden.dialects.scratch_clients import Pacing, go_on
from dbwarden.errors import ScratchRefused
from dbwarden.files.migration import Migration, Section
from dbwarden.linting.facts import Observed
from dbwarden.quoting import quoted
from dbwarden.schema import Schema
from dbwarden.types import Location

PREFIX = "dbwarden_scratch_"
SWEPT_AFTER = 24 * 3600
"""Seconds after which a scratch database counts as abandoned."""

AT_ONCE = 250
"""Statements per message; after each, the server walks over all locks of its transaction."""


class PostgresScratchServer:
    """A server of scratch databases; see ``ScratchServer``."""

    def __init__(
        self, place: Place, admin: asyncpg.Connection, config: DatabaseConfig, *, exclusive: bool
    ) -> None:
        """Initialize without I/O.

        Args:
            place: The server.
            admin: A connection that creates and drops databases.
            config: The database to write for, with its namespace and ``scratch_setup``.
            exclusive: The server is ours alone, so that missing roles can be created.
        """
        self.exclusive = exclusive
        self.address = place.address
        self.namespace = default_namespace(config)
        self._path = search_path(config.url) if config.url is not None else ()
        self._dial = place.dial
        self._admin = admin
        self._config = config
        self._databases: list[PostgresScratchDatabase] = []
        self._numbers = itertools.count()
        self._making = anyio.Lock()
        self._asking = anyio.Lock()
        self._stamp = f"{PREFIX}{int(time.time())}_{os.getpid()}_{os.urandom(2).hex()}"

    @property
    def version(self) -> str:
        """The server's kind and version."""
        number = self._admin.get_server_version()
        return f"PostgreSQL {number.major}.{number.minor or number.micro}"

    async def create(self, *, copy_of: ScratchDatabase | None = None) -> "PostgresScratchDatabase":
        """Create a database: empty except for ``scratch_setup``, or a copy of another."""
        template = "template0"
        major = self._admin.get_server_version().major
        strategy = " STRATEGY FILE_COPY" if self.exclusive and major >= 15 else ""
        async with self._making:
            if copy_of is not None:
                assert isinstance(copy_of, PostgresScratchDatabase)
                await copy_of.hang_up()
                template = copy_of.name
            name = f"{self._stamp}_{next(self._numbers)}"
            database = PostgresScratchDatabase(name, self, self._dial, self._config)
            self._databases.append(database)
            await self._create(
                f"CREATE DATABASE {quoted(name)} TEMPLATE {quoted(template)}{strategy}"
            )
            if self._path:  # set on the database, so that RESET restores it
                path = ", ".join(quoted(name) for name in self._path)
                await self._ask(f"ALTER DATABASE {quoted(name)} SET search_path TO {path}")
            if copy_of is None:
                await database.set_up()  # may create roles, which databases share
            elif await self._admin.fetchval(EXIST, template):
                await database.execute(recreating(await copy_of.read()))
        return database

    async def _create(self, sql: str) -> None:
        """Create a database with *sql*; raise a UsageError where the role may not."""
        try:
            await self._ask(sql)
        except asyncpg.InsufficientPrivilegeError as error:
            role = await self._admin.fetchval("SELECT current_user::text")
            raise may_not_create(role, error, self._config.database_name) from error

    async def make_role(self, error: asyncpg.PostgresError) -> bool:
        """Create the role that *error* reports as missing; return whether that was possible."""
        role = PostgresText.MISSING_ROLE.name_in(error)
        if not self.exclusive or role is None:
            return False
        # Another scratch database may create it concurrently.
        await self._ask(unless_exists(f"CREATE ROLE {quoted(role)} NOLOGIN"))
        return True

    async def discard(self, database: ScratchDatabase) -> None:
        """Drop *database*."""
        assert isinstance(database, PostgresScratchDatabase)
        self._databases.remove(database)
        await database.hang_up()
        async with self._asking:
            await self._drop(database.name)

    async def lend(self, database: ScratchDatabase) -> ScratchAddress:
        """Let another process use *database*."""
        assert isinstance(database, PostgresScratchDatabase)
        await database.hang_up()
        return replace(self.address, database=database.name)

    async def take_back(self, database: ScratchDatabase) -> None:
        """End the sessions of the other process."""
        assert isinstance(database, PostgresScratchDatabase)
        async with self._asking:
            await end_sessions(self._admin, database.name)

    async def _ask(self, sql: str) -> None:
        async with self._asking:
            await self._admin.execute(sql)

    async def close(self) -> None:
        """Drop the databases, unless the server is ours and ends with us."""
        for database in self._databases:
            database.cut()
        if not self.exclusive:
            for database in self._databases:
                await self._drop(database.name)
        self._admin.terminate()

    async def sweep(self) -> None:
        """Drop scratch databases of our role that a crash left behind."""
        rows = await self._admin.fetch(
            "SELECT datname FROM pg_catalog.pg_database WHERE starts_with(datname::text, $1)"
            " AND pg_catalog.pg_has_role(datdba, 'USAGE')",
            PREFIX,
        )
        for row in rows:
            stamp = row["datname"].removeprefix(PREFIX).split("_")[0]
            if stamp.isdigit() and int(stamp) < time.time() - SWEPT_AFTER:
                await self._drop(row["datname"])

    async def _drop(self, name: str) -> None:
        """Drop a scratch database; ignore one that is in use or dropped concurrently."""
        with suppress(asyncpg.PostgresError):
            if await self._admin.fetchval(EXIST, name):
                raw = await self._dial(name)
                await raw.execute(FORGET)
                await raw.close()
            await self._admin.execute(f"DROP DATABASE IF EXISTS {quoted(name)}")


class PostgresScratchDatabase:
    """One temporary database; see ``ScratchDatabase``."""

    def __init__(
        self, name: str, scratch: PostgresScratchServer, dial: Dial, config: DatabaseConfig
    ) -> None:
        """Initialize without I/O; :class:`PostgresScratchServer` creates the database."""
        self.name = name
        self._scratch = scratch
        self._dial = dial
        self._config = config
        self._raw: asyncpg.Connection | None = None
        self._dirty = self._leaves = False

    async def dial(self) -> asyncpg.Connection:
        """Return a connection of its own, which the caller closes before a copy is made."""
        return await self._dial(self.name)

    async def connection(self) -> asyncpg.Connection:
        """Return the open connection in the state of the last migration or statement."""
        if self._raw is None or self._raw.is_closed():
            self._raw = await self.dial()
        return self._raw

    async def fresh(self) -> asyncpg.Connection:
        """Return the connection in the state in which ``migrate`` starts a migration."""
        if self._leaves:
            await self.hang_up()
        raw = await self.connection()
        if self._dirty:
            await raw.execute(RESET)
        self._dirty = False
        return raw

    async def _start(self, steps: Sequence[Step] = ()) -> asyncpg.Connection:
        """Return a fresh connection for SQL that is about to run; *steps*, if it has a file."""
        raw = await self.fresh()
        self._dirty, self._leaves = True, bool(leftovers(steps))
        return raw

    async def hang_up(self) -> None:
        """Close the connection gracefully, so that the database can be copied."""
        raw, self._raw = self._raw, None
        self._dirty = self._leaves = False
        if raw is not None:
            await raw.close()

    def cut(self) -> None:
        """Close the connection at once."""
        if self._raw is not None:
            self._raw.terminate()

    async def set_up(self) -> None:
        """Create the URL's namespace, and run the project's ``scratch_setup``."""
        if self._scratch.namespace != "public":
            await self.execute([make_namespace(self._scratch.namespace)])
        setup = await anyio.to_thread.run_sync(setup_of, self._config)
        if setup is not None:
            await self.replay(setup, setup.upgrade)

    async def execute(self, statements: Sequence[str]) -> None:
        """Run SQL that is not from a file, in few messages where possible.

        Raises:
            ScratchRefused: With the statement that the server refused.
        """
        await self._start()
        for start in range(0, len(statements), AT_ONCE):
            await self._send_batch(statements[start : start + AT_ONCE])

    async def _send_batch(self, statements: Sequence[str]) -> None:
        try:
            await self._send(";\n".join(statements))
        except asyncpg.PostgresError as error:
            at = statement_at(statements, error)
            if at is not None and not isinstance(error, asyncpg.ActiveSQLTransactionError):
                raise self._failed(error, at, None) from error
            # Nothing was applied. Run them one by one to find the refused one.
            for statement in statements:
                await self._one(statement)

    async def _one(self, statement: str) -> None:
        try:
            await self._send(statement)
        except asyncpg.PostgresError as error:
            raise self._failed(error, statement, None) from error

    async def replay(self, migration: Migration, section: Section, pause: Pacing = go_on) -> None:
        """Run a section of a migration step by step, as ``migrate`` does; without a history.

        Raises:
            ScratchRefused: With file, line and column.
        """
        whole = splitting.steps(migration, section)
        raw = await self._start(whole)
        if migration.backfill is not None and section is migration.upgrade:
            await replay_backfill(raw, self._config, migration, whole, pause)
            return
        for number, step in enumerate(whole):
            if number:
                await raw.execute(RESET + prelude_of(whole[:number]))
            for piece in split_step(step, AT_ONCE):
                await self._run_piece(migration, piece)
            await pause(step.line)

    async def _run_piece(self, migration: Migration, step: Step) -> None:
        text = adapted_text(step, exclusive=self._scratch.exclusive)
        try:
            await self._send(text)
        except asyncpg.PostgresError as error:
            position = getattr(error, "position", None) if text == step.text else None
            offset = int(position) - 1 if position else await self._offset(step)
            at, location = locate_offset(migration, step, offset)
            raise self._failed(error, at.text if at is not None else None, location) from error

    async def _offset(self, step: Step) -> int:
        """Return the offset of the refused statement if the server does not report it."""
        if not step.transactional or len(step.statements) == 1:
            return 0
        raw = await self.connection()
        transaction = raw.transaction()
        await transaction.start()
        try:
            for statement, start in zip(step.statements, statement_offsets(step), strict=True):
                try:
                    await raw.execute(self.adapt(statement.text) or "SELECT")
                except asyncpg.PostgresError:
                    return start
            return 0
        finally:
            await transaction.rollback()

    def adapt(self, statement: str) -> str:
        """Return *statement*, or its replacement if it reaches beyond this database."""
        return adapt(statement, exclusive=self._scratch.exclusive)

    async def _send(self, sql: str) -> None:
        raw = await self.connection()
        while sql:
            try:
                await raw.execute(sql)
            except asyncpg.UndefinedObjectError as error:
                if not await self._scratch.make_role(error):
                    raise
            else:
                return

    async def trace(self, migration: Migration, section: Section) -> tuple[TracedStatement, ...]:
        """Run a section statement by statement, and return the locks and rewrites of each."""
        steps = whole_table("postgresql", migration, section, splitting.steps(migration, section))
        raw, namespace = await self._start(steps), self._scratch.namespace
        with locating(migration, self._config.database_name):
            return await trace_statements(raw, steps, namespace, self.adapt)

    async def observe(self, migration: Migration, section: Section) -> Observed:
        """Run a section as ``migrate`` does, and return the effects of each statement."""
        steps = whole_table("postgresql", migration, section, splitting.steps(migration, section))
        raw, scratch = await self._start(steps), self._scratch
        observer = Observer(raw, scratch.namespace, self.adapt, scratch.make_role)
        with locating(migration, self._config.database_name):
            return await observer.run(steps)

    async def read(self) -> Schema:
        """Read the schema of this database, regardless of the session's settings."""
        raw = await self.fresh()
        await raw.execute(f"SET search_path TO {quoted(self._scratch.namespace)}")
        privileges = self._config.compare_privileges
        schema = await read_database(raw, self._scratch.namespace, privileges=privileges)
        await raw.execute("RESET search_path")
        return schema

    async def normalize(self, expressions: Sequence[Expression]) -> tuple[str | None, ...]:
        """Return a normal form of each expression; equal expressions have the same one."""
        return await normalize(await self.fresh(), self._scratch.namespace, expressions)

    async def add_rows(self, schema: Schema, *, duplicate: bool = False) -> tuple[str, ...]:
        """Insert a few generated rows into each table, and return the tables that have rows."""
        return await add_rows(await self.fresh(), schema, duplicate=duplicate)

    async def fingerprint(self, schema: Schema) -> dict[str, str]:
        """Return a digest of the values of each column, by names such as ``users.email``."""
        try:
            return await fingerprint(await self.fresh(), schema)
        except asyncpg.PostgresError as error:
            raise self._failed(error, None, None) from error

    async def rehearse(
        self, schema: Schema, migration: Migration, sections: Sequence[Section], *, duplicate: bool
    ) -> tuple[dict[str, str], dict[str, str]] | None:
        """Return fingerprints before and after *sections* ran on a few rows, and roll back;
        ``None`` if they cannot run in one transaction, or a statement failed."""
        each = [splitting.steps(migration, section) for section in sections]
        steps = list(itertools.chain.from_iterable(each))
        alone = any(not s.transactional or needs_adapting(s) for s in steps)
        if migration.backfill is not None or leftovers(steps) or alone:
            return None
        texts = [text for part in each for text in (*(step.text for step in part), RESET)]
        return await rehearse(await self.fresh(), schema, texts, duplicate=duplicate)

    def _failed(
        self, error: asyncpg.PostgresError, statement: str | None, location: Location | None
    ) -> ScratchRefused:
        return refusal(error, self._config.database_name, statement, location)
