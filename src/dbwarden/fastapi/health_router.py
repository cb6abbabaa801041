"""Report the health of every database at ``/health``."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Literal, Unpack

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from dbwarden.fastapi.health_report import (
    LIVENESS,
    NO_STORE,
    HealthArguments,
    HealthEndpoints,
    HealthOptions,
    HealthResponse,
)
from dbwarden.fastapi.tenant_health import LARGEST_PAGE, PAGE

Authorize = Callable[[Request], bool | Awaitable[bool]]


# The name is capitalized like a class, because users call it like FastAPI's APIRouter.
def DBWardenHealthRouter(**options: Unpack[HealthArguments]) -> APIRouter:
    """Return a router for ``app.include_router(DBWardenHealthRouter(), prefix="/health")``.

    ``/health`` reports all databases, ``/health/{database}`` one. ``/health/readiness`` is
    ``/health`` for Kubernetes; ``/health/liveness`` reports only that the process answers.

    Args:
        **options: Any of these:

            - ``degraded_status_code``: The HTTP status, by default 503, if a database answers but
              differs from its migration files (pending, changed, missing).
            - ``ttl``: Seconds for which a probe is reused, by default 1; concurrent requests share
              one.
            - ``probe_timeout``: Time limit for one database, by default 2 seconds.
            - ``deadline``: Time limit for the endpoint, by default 4 seconds.
            - ``details``: Add the causes of failures for requests that *authorize* accepts.
            - ``authorize``: A function of the request, synchronous or async. Requests that it
              accepts may list tenants (``/health?tenants=all``).
            - ``list_tenants``: Let every request list tenants.
    """
    endpoints = _Routes(HealthEndpoints(HealthOptions(**options)))
    router = APIRouter(tags=["health"])
    for path in ("", "/"):
        router.add_api_route(
            path, endpoints.all_databases, include_in_schema=not path, name="health"
        )
    router.add_api_route("/liveness", endpoints.liveness, name="liveness")
    router.add_api_route("/readiness", endpoints.all_databases, name="readiness")
    router.add_api_route("/{database}", endpoints.one_database, name="health_of_database")
    return router


@dataclass(frozen=True, slots=True)
class _Routes:
    """The routes of the health router."""

    endpoints: HealthEndpoints

    async def liveness(self) -> JSONResponse:
        """Report that the process answers, without querying a database."""
        return _json(LIVENESS)

    async def all_databases(
        self,
        request: Request,
        tenants: Annotated[Literal["all"] | None, Query(description="List tenants too.")] = None,
        limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="Tenants a page.")] = PAGE,
        after: Annotated[str, Query(description="The ``next`` of the page before.")] = "",
    ) -> JSONResponse:
        """Report the health of every database; ``?tenants=all`` also lists a page of tenants."""
        answer = await self.endpoints.all_databases(
            request, tenants=tenants is not None, limit=limit, after=after
        )
        return _json(answer)

    async def one_database(self, request: Request, database: str) -> JSONResponse:
        """Report the health of one database."""
        return _json(await self.endpoints.one_database(request, database))


def _json(answer: HealthResponse) -> JSONResponse:
    return JSONResponse(answer.body, status_code=answer.code, headers=NO_STORE)
