"""Recognize session errors that mean that a database is unavailable."""

from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import ConnectError, ConnectionLost, DBWardenError, PoolExhausted, TimedOut
from dbwarden.kinds import serving_dialect_for

_ORIGIN = "dbwarden_origin"


def mark_errors(engine: AsyncEngine, config: DatabaseConfig) -> None:
    """Attach *config* to every error of *engine*."""

    @event.listens_for(engine.sync_engine, "handle_error")
    def mark(context: ExceptionContext) -> None:
        # A handler before this one may have made another error of it.
        error = getattr(context, "chained_exception", context.sqlalchemy_exception)
        if error is not None:
            mark_error(error, config)


def mark_error(error: BaseException, config: DatabaseConfig) -> None:
    """Attach *config* to *error* unless it has one."""
    vars(error).setdefault(_ORIGIN, config)


def failure_of(error: BaseException) -> DBWardenError | None:
    """Return the reason why the database is unavailable; ``None`` for any other error.

    Errors of engines not created by dbwarden are other errors, except for an exhausted pool.
    """
    config: DatabaseConfig | None = vars(error).get(_ORIGIN)
    match error:
        case ConnectError() | ConnectionLost() | TimedOut():
            return error
        case PoolTimeout():
            message = str(error).partition(" (Background on")[0]
            return PoolExhausted(message, database=config.database_name if config else None)
        case DBAPIError() if config is not None:
            dialect, closed = (
                serving_dialect_for(config.database_type),
                error.connection_invalidated,
            )
            failure = dialect.unavailable(error.orig, closed=closed) if error.orig else None
            if failure is not None:
                failure.database = config.database_name
            return failure
        case _:
            return None
