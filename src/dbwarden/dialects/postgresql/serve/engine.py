"""Create engines for the application on PostgreSQL, and read the status through their pools.

Each connection of SQLAlchemy is opened here from the current value of ``database_url``, so that
the password may change while the program runs.
"""

import time
from collections.abc import Mapping, MutableSet
from contextvars import ContextVar
from functools import partial
from types import MappingProxyType
from typing import Any

import anyio
import asyncpg
import sqlalchemy.dialects.postgresql.asyncpg  # noqa: F401  # loaded here, not in the event loop
from sqlalchemy import URL, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.config.libpq import asyncpg_arguments, engine_arguments
from dbwarden.config.urls import DatabaseURL
from dbwarden.dialects.ledger_values import Writer
from dbwarden.dialects.postgresql.migrate.connecting import (
    CONNECT_FAILURES,
    application_name,
    connect_to,
)
from dbwarden.dialects.postgresql.migrate.history_queries import LedgerAddress
from dbwarden.dialects.postgresql.migrate.parse_status import Lines
from dbwarden.dialects.postgresql.migrate.session import BROKEN, ServerRefused
from dbwarden.dialects.postgresql.migrate.status_query import read_status
from dbwarden.errors import ConnectionLost, DBWardenError, TimedOut, TooManyConnections
from dbwarden.migration_history import DatabaseStatus
from dbwarden.secrets import redact

PING_AFTER = 1.0
"""Seconds after which an idle connection of the pool is pinged before use."""

ENDED_WITHIN = 5.0
"""Seconds to terminate the backends of a cancelled request."""

_probing: ContextVar[bool] = ContextVar("dbwarden_probing", default=False)
"""True in a task that reads the status, which makes a ping before it superfluous."""

_NOTHING: Mapping[str, Any] = MappingProxyType({})

_CACHE_SIZE = "prepared_statement_cache_size"
"""The size of SQLAlchemy's statement cache, which must be off if asyncpg's is."""

_PLACE = frozenset({"host", "port", "user", "password", "database", "dsn", "passfile"})
"""Arguments of the driver that come from the URL alone."""


async def engine_url(config: DatabaseConfig) -> DatabaseURL | None:
    """Return the URL if it is no function, which every new connection calls."""
    return config.url


def make_engine(
    config: DatabaseConfig, url: DatabaseURL | None, opened: MutableSet[Any]
) -> AsyncEngine:
    """Create an engine whose connections :func:`open_connection` opens. No I/O.

    Args:
        config: The database.
        url: Its URL, if it is no function.
        opened: Receives every driver connection.
    """
    engine_options = dict(config.engine_options)
    # SQLAlchemy's frames hold these arguments, so they must not include a password.
    connect_args = _without_place(engine_options.pop("connect_args", {}))
    of_url = engine_arguments(url) if url is not None else {}
    if _CACHE_SIZE in of_url:
        connect_args = {_CACHE_SIZE: of_url[_CACHE_SIZE], **connect_args}
    options: dict[str, Any] = {
        "pool_size": config.pool_size,
        "max_overflow": config.max_overflow,
        "pool_timeout": config.pool_timeout,
        "pool_recycle": config.pool_recycle,
        **engine_options,
    }

    async def open_one(*_: object, **arguments: Any) -> asyncpg.Connection:
        connection = await open_connection(config, _without_place(arguments))
        opened.add(connection)
        return connection

    shown = URL.create(**url.engine_parts()) if url else URL.create("postgresql+asyncpg")
    engine = create_async_engine(
        shown, connect_args={**connect_args, "async_creator_fn": open_one}, **options
    )
    _report_lost_connections(engine)
    if config.pool_pre_ping and "poolclass" not in engine_options:
        _ask_before_use(engine, config.connect_timeout)
    return engine


def _report_lost_connections(engine: AsyncEngine) -> None:
    """Report a connection as lost that the server ended and whose socket is still open.

    The driver has an error of its own for it, which SQLAlchemy before 2.1 does not know.
    """

    @event.listens_for(engine.sync_engine, "handle_error")
    def report(context: ExceptionContext) -> Exception | None:
        error = context.original_exception
        if not isinstance(error, asyncpg.InternalClientError):
            return None
        context.is_disconnect = True
        return OperationalError(context.statement, None, error, connection_invalidated=True)


def _without_place(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if name not in _PLACE}


async def open_connection(
    config: DatabaseConfig, more: Mapping[str, Any] = _NOTHING
) -> asyncpg.Connection:
    """Open a connection of the driver to the current URL, within ``connect_timeout``.

    Args:
        config: The database.
        more: Further arguments of ``asyncpg.connect``, from ``engine_options["connect_args"]``.

    Raises:
        ConnectError: Connecting failed; has a message and a next step for each cause.
    """
    connection, _ = await connect_to(config, partial(_arguments, more))
    return connection


def _arguments(
    more: Mapping[str, Any], url: DatabaseURL, config: DatabaseConfig
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the arguments of ``asyncpg.connect``, and those without what poolers refuse."""
    arguments = {**asyncpg_arguments(url), **more}
    settings = {
        **asyncpg_arguments(url).get("server_settings", {}),
        **more.get("server_settings", {}),
    }
    name = settings.get("application_name") or application_name(
        config.database_name, Writer.this_process()
    )
    plain = {"application_name": name}
    # The caller's time limit also covers the URL's function and the second try.
    first = {**arguments, "server_settings": settings | plain, "timeout": None}
    return first, {**first, "server_settings": plain}


def _ask_before_use(engine: AsyncEngine, patience: float) -> None:
    """Replace dead connections of the pool before a session gets one.

    SQLAlchemy's own ``pool_pre_ping`` costs four round trips per request and has no timeout. This
    one costs none for a connection that was used within the last second, otherwise one.
    """

    @event.listens_for(engine.sync_engine, "checkin")
    def put_back(_: Any, record: Any) -> None:
        record.info["dbwarden_used"] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def take(connection: Any, record: Any, _: Any) -> None:
        used = record.info.get("dbwarden_used")
        if used is None:
            return
        if record.driver_connection.is_closed():
            raise InvalidatePoolError("the server closed the connection")
        if time.monotonic() - used < PING_AFTER or _probing.get():
            return
        connection.run_async(lambda driver: _ping(driver, patience))

    @event.listens_for(engine.sync_engine, "connect")
    def new(_: Any, record: Any) -> None:
        record.info.pop("dbwarden_used", None)


async def _ping(driver: Any, patience: float) -> None:
    """Ping the connection; raise the error that makes the pool open a new one."""
    try:
        with anyio.fail_after(patience):
            await driver.execute("SELECT 1")
    except (asyncpg.PostgresError, *BROKEN) as error:
        driver.terminate()
        raise InvalidatePoolError("the connection does not answer") from error


def read_only_engine(
    config: DatabaseConfig, url: DatabaseURL | None, engine: AsyncEngine
) -> AsyncEngine:
    """Return an engine on the same pool whose transactions are read-only."""
    del config, url
    return engine.execution_options(postgresql_readonly=True)


async def read(engine: AsyncEngine, config: DatabaseConfig) -> DatabaseStatus:
    """Read the ledger and the lock through the pool, in one round trip if it has a connection.

    Raises:
        LedgerError: The ledger cannot be read.
        sqlalchemy.exc.DBAPIError: The connection broke.
        sqlalchemy.exc.TimeoutError: Every connection of the pool was in use.
    """
    token = _probing.set(True)
    try:
        # Without BEGIN and ROLLBACK, it takes one round trip.
        async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            return await _read(connection, config)
    finally:
        _probing.reset(token)


async def _read(connection: AsyncConnection, config: DatabaseConfig) -> DatabaseStatus:
    address = LedgerAddress(namespace=config.ledger_schema, table=config.ledger_table)

    async def ask(query: str) -> Lines:
        try:
            return (await connection.exec_driver_sql(query)).all()
        except DBAPIError as error:
            refused = _refusal(error)
            if refused is None or error.connection_invalidated:
                raise
            raise refused from error

    return (await read_status(ask, address, config.database_name)).reading


def _refusal(error: DBAPIError) -> ServerRefused | None:
    cause = error.orig.__cause__ if error.orig is not None else None
    return ServerRefused(cause) if isinstance(cause, asyncpg.PostgresError) else None


def unavailable(error: BaseException, *, closed: bool) -> DBWardenError | None:
    """Return the error for an unavailable server; ``None`` for any other error of a session.

    Args:
        error: The error that SQLAlchemy caught.
        closed: The connection is closed.
    """
    error = error.__cause__ or error
    sqlstate = error.sqlstate if isinstance(error, asyncpg.PostgresError) else None
    message = redact(str(error)).partition("\n")[0] or type(error).__name__
    match sqlstate:
        case "53300":
            return TooManyConnections(message)
        case "57014" | "55P03" | "25P03" | "25P04":  # a time limit of the server's ended it
            return TimedOut(message)
        case "57P01" | "57P02" | "57P03" | "57P05":
            return ConnectionLost(message)
    if closed or isinstance(error, OSError) or (sqlstate or "").startswith("08"):
        return ConnectionLost(message)
    return None


def hang_up(driver: Any) -> None:
    """Close the socket at once."""
    if not driver.is_closed():
        driver.terminate()


def backend_of(driver: Any) -> int:
    """Return the server's process number of *driver*, without a query."""
    pid: int = driver.get_server_pid()
    return pid


async def end_on_server(config: DatabaseConfig, pids: tuple[int, ...]) -> None:
    """Terminate the backends *pids*, whose connections a cancellation closed.

    A cancelled statement continues, with its locks, until the server notices the closed connection.
    Call it under a shield; it takes at most :data:`ENDED_WITHIN` seconds and never raises.
    """
    with anyio.move_on_after(ENDED_WITHIN):
        try:
            connection = await open_connection(config, {"statement_cache_size": 0})
        except Exception:  # no caller to raise to; the server will notice by itself
            return
        try:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity "
                f"WHERE pid IN ({', '.join(str(pid) for pid in pids)}) "
                "AND usename = current_user AND datname = current_database() "
                "AND application_name = current_setting('application_name')"
            )
        except CONNECT_FAILURES:
            return
        finally:
            connection.terminate()
