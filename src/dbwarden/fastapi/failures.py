"""Answer requests whose database is unavailable with 503."""

from typing import Any

from fastapi import FastAPI, WebSocket
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.requests import HTTPConnection

from dbwarden import telemetry
from dbwarden.engines import failure_of
from dbwarden.errors import ConnectError, ConnectionLost, TimedOut, UnknownTenant
from dbwarden.fastapi.tenants import NO_SUCH_TENANT
from dbwarden.operations.health import public_sentence

RETRY_AFTER = 5
"""Seconds after which a client should retry."""
TRY_AGAIN_LATER = 1013
"""The close code of a WebSocket."""

_FAILURES = (ConnectError, ConnectionLost, TimedOut, DBAPIError, PoolTimeout)


def install_error_handlers(app: FastAPI, *, retry_after: int = RETRY_AFTER) -> None:
    """Answer with 503 and ``Retry-After`` if a database is unavailable, and log one line.

    A database is unavailable if it cannot be reached, its server shuts down or has no connection
    left, its pool is exhausted, or it does not answer within a time limit. An unknown tenant
    (:class:`~dbwarden.errors.UnknownTenant`) is answered with 404. Any other error is re-raised.

    Args:
        app: The application.
        retry_after: Seconds after which a client should retry.
    """

    async def unavailable(connection: HTTPConnection, error: Exception) -> JSONResponse | None:
        failure = failure_of(error)
        if failure is None:
            raise error
        telemetry.emit(
            "request_failed",
            level="error",
            method=connection.scope.get("method", "WEBSOCKET"),
            path=connection.scope["path"],
            database=failure.database,
            error=failure.message,
        )
        if isinstance(connection, WebSocket):
            await connection.close(TRY_AGAIN_LATER)
            return None
        detail = f"The database is not available: {public_sentence(failure)}."
        return _answer(503, detail, {"Retry-After": str(retry_after)})

    async def no_such_tenant(_: HTTPConnection, error: Exception) -> JSONResponse:
        return _answer(404, NO_SUCH_TENANT)

    handlers: Any = {**dict.fromkeys(_FAILURES, unavailable), UnknownTenant: no_such_tenant}
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def _answer(code: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(
        {"detail": detail},
        status_code=code,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )
