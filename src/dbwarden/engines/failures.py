"""Errors of sessions that mean that a database is not available now."""

from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from dbwarden.config.model import DatabaseConfig
from dbwarden.errors import ConnectError, ConnectionLost, DBWardenError, PoolExhausted, TimedOut

_ORIGIN = "dbwarden_origin"


def mark_errors(engine: AsyncEngine, config: DatabaseConfig) -> None:
    """Let every error of *engine* say from which database it is."""

    @event.listens_for(engine.sync_engine, "handle_error")
    def mark(context: ExceptionContext) -> None:
        if context.sqlalchemy_exception is not None:
            mark_error(context.sqlalchemy_exception, config)


def mark_error(error: Exception, config: DatabaseConfig) -> None:
    """Let *error* say from which database it is, unless it says so already."""
    vars(error).setdefault(_ORIGIN, config)


def failure_of(error: BaseException) -> DBWardenError | None:
    """Return why the database is not available; ``None`` for any other error.

    Errors of engines that are not dbwarden's are other errors, except for an exhausted pool.
    """
    config: DatabaseConfig | None = vars(error).get(_ORIGIN)
    match error:
        case ConnectError() | ConnectionLost() | TimedOut():
            return error
        case PoolTimeout():
            said = str(error).partition(" (Background on")[0]
            return PoolExhausted(said, database=config.database_name if config else None)
        case DBAPIError() if config is not None:
            return _from_driver(error, config)
        case _:
            return None


def _from_driver(error: DBAPIError, config: DatabaseConfig) -> DBWardenError | None:
    cause: Any = error.orig
    if config.database_type == "postgresql":
        from dbwarden.dialects.postgresql.serve.engine import unavailable as of_postgresql

        found = of_postgresql(cause.__cause__ or cause, closed=error.connection_invalidated)
    else:
        from dbwarden.dialects.sqlite.serve.engine import unavailable as of_sqlite

        found = of_sqlite(cause)
    if found is not None:
        found.database = config.database_name
    return found
