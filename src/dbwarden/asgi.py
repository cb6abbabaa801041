"""Provide startup, sessions and health for any ASGI framework, without FastAPI.

``migration_context`` is an async context manager for the framework's lifespan, ``lifespan`` the
same for frameworks that call it with the application. ``get_session`` opens a session with
``async with``. ``HealthApp`` is an ASGI application to mount anywhere.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Unpack
from urllib.parse import parse_qsl

from dbwarden.fastapi.health_report import (
    LIVENESS,
    HealthArguments,
    HealthEndpoints,
    HealthOptions,
    HealthResponse,
)
from dbwarden.fastapi.lifespan import dbwarden_lifespan as lifespan
from dbwarden.fastapi.lifespan import migration_context
from dbwarden.fastapi.sessions import get_session
from dbwarden.fastapi.tenant_health import LARGEST_PAGE, PAGE

__all__ = ["HealthApp", "get_session", "lifespan", "migration_context"]

Scope = MutableMapping[str, Any]
AsgiMessage = MutableMapping[str, Any]
AsgiReceive = Callable[[], Awaitable[AsgiMessage]]
AsgiSend = Callable[[AsgiMessage], Awaitable[None]]


class HealthApp:
    """An ASGI application with the paths of the health router: ``Mount("/health", HealthApp())``.

    ``/`` and ``/readiness`` report all databases, ``/liveness`` only that the process answers, and
    ``/{database}`` one database. The answers are those of ``DBWardenHealthRouter``.
    """

    def __init__(self, **options: Unpack[HealthArguments]) -> None:
        """Take the options of ``DBWardenHealthRouter``; *authorize* gets the ASGI scope."""
        self._endpoints = HealthEndpoints(HealthOptions(**options))

    async def __call__(self, scope: Scope, receive: AsgiReceive, send: AsgiSend) -> None:
        """Answer one request; the lifespan protocol is the surrounding application's."""
        match scope["type"]:
            case "http":
                await _respond(await self._answer(scope), scope["method"], send)
            case "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1000})
            case "lifespan":
                message: AsgiMessage = {"type": ""}  # of a server that runs this application alone
                while message["type"] != "lifespan.shutdown":
                    message = await receive()
                    await send({"type": f"{message['type']}.complete"})
            case _:
                raise ValueError(f"HealthApp does not speak {scope['type']!r}")

    async def _answer(self, scope: Scope) -> HealthResponse:
        if scope["method"] not in ("GET", "HEAD"):
            return HealthResponse({"detail": "Method Not Allowed"}, 405)
        match _path_of(scope):
            case "" | "readiness":
                return await self._all_databases(scope)
            case "liveness":
                return LIVENESS
            case name:
                return await self._endpoints.one_database(scope, name)

    async def _all_databases(self, scope: Scope) -> HealthResponse:
        text = bytes(scope.get("query_string", b"")).decode("latin-1")
        query = dict(parse_qsl(text))
        limit = query.get("limit", str(PAGE))
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= LARGEST_PAGE):
            return HealthResponse({"detail": f"limit= is a number from 1 to {LARGEST_PAGE}."}, 422)
        return await self._endpoints.all_databases(
            scope,
            tenants=query.get("tenants") == "all",
            limit=int(limit),
            after=query.get("after", ""),
        )


def _path_of(scope: Mapping[str, Any]) -> str:
    """Return the path below the place where the application is mounted.

    Frameworks that follow the ASGI specification leave the mount in ``path``, others remove it.
    """
    path, root = str(scope["path"]), str(scope.get("root_path", "")).rstrip("/")
    if root and (path == root or path.startswith(f"{root}/")):
        path = path[len(root) :]
    return path.strip("/")


async def _respond(answer: HealthResponse, method: str, send: AsgiSend) -> None:
    body = json.dumps(answer.body).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": answer.code, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})
