"""``/health``: the health of every database, for people, load balancers and Kubernetes."""

import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import anyio
from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from dbwarden.config.model import DatabaseConfig
from dbwarden.config.tenants import TenantFamily
from dbwarden.errors import DBWardenError, NotStarted, TimedOut, UnknownDatabase
from dbwarden.fastapi.probing import Probe
from dbwarden.fastapi.state import Serving, serving
from dbwarden.fastapi.tenant_health import (
    LARGEST_PAGE,
    PAGE,
    Page,
    TenantsHealth,
    known_families,
    page_of,
    represents,
    sample,
    sum_up,
    with_tenants,
)
from dbwarden.operations.health import DatabaseHealth, Health, overall, public_sentence, unwell

Authorize = Callable[[Request], bool | Awaitable[bool]]

TTL = 1.0
"""Seconds for which the answer of a database counts."""
PROBE_TIMEOUT = 2.0
"""Seconds that one database has to answer."""
DEADLINE = 4.0
"""Seconds after which the endpoint answers in any case."""
ANSWERED_WITHIN = 0.75
"""Part of the deadline for the probes; the rest is for stopping those that have not answered."""

_NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthOptions:
    """How health is asked; the arguments of :func:`DBWardenHealthRouter`."""

    degraded_status_code: int = 503
    ttl: float = TTL
    probe_timeout: float = PROBE_TIMEOUT
    deadline: float = DEADLINE
    details: bool = False
    authorize: Authorize | None = None
    list_tenants: bool = False

    def code(self, health: Health | DatabaseHealth) -> int:
        """The HTTP status of this health."""
        return {"ok": 200, "degraded": self.degraded_status_code, "error": 503}[health.status]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """The health of one database; ``in_time`` is false where there was no time to probe it."""

    health: DatabaseHealth
    probe: Probe | None = None
    in_time: bool = True


async def probe_all(
    state: Serving, configs: Sequence[DatabaseConfig], options: HealthOptions, until: float
) -> tuple[Probed, ...]:
    """Probe *configs* concurrently, a bounded number per server, and return at *until*.

    A database that is still being probed then counts as one that does not answer only if its
    probe began in the first half of the time.
    """
    found: dict[int, Probed] = {}
    half = (anyio.current_time() + until) / 2

    async def probe(number: int, config: DatabaseConfig) -> None:
        async with state.probes.slot(config):
            if anyio.current_time() < half:
                found[number] = _unanswered(config, TimedOut())
            probe = await state.probes.look(
                config,
                state.engines,
                ttl=options.ttl,
                limit=options.probe_timeout,
                primary=state.primary_of(config),
            )
            found[number] = Probed(health=probe.health, probe=probe)

    async with anyio.create_task_group() as group:
        group.cancel_scope.deadline = until
        for number, config in enumerate(configs):
            group.start_soon(probe, number, config)
    return tuple(
        found.get(number) or _unanswered(config, NotStarted(), in_time=False)
        for number, config in enumerate(configs)
    )


def _unanswered(config: DatabaseConfig, error: DBWardenError, *, in_time: bool = True) -> Probed:
    return Probed(health=unwell(config.database_name, error), in_time=in_time)


def _details(probe: Probe | None) -> Mapping[str, Any]:
    """Return what is added for requests that pass ``authorize``."""
    if probe is None:
        return {"details": None}
    status, error = probe.status, probe.error
    return {
        "details": {
            "version": status.version if status else None,
            "pending": status.pending if status else (),
            "changed": status.changed if status else (),
            "missing": status.missing if status else (),
            "partial": status.partial if status else (),
            "ahead": status.ahead if status else (),
            "lock_holder": str(status.lock_holder) if status and status.lock_holder else None,
            "server_version": status.server_version if status else None,
            "replica": probe.replica,
            "probe_ms": round(probe.duration_ms, 3),
            "error": error.message if error else None,
            "next_step": error.next_step if error else None,
        }
    }


async def allowed(authorize: Authorize | None, request: Request) -> bool:
    """Return whether *authorize* lets this request see more; without one, none may."""
    if authorize is None:
        return False
    answer = authorize(request)
    return bool(await answer if isinstance(answer, Awaitable) else answer)


# FastAPI reads these as users write them, like a class.
def DBWardenHealthRouter(
    *,
    degraded_status_code: int = 503,
    ttl: float = TTL,
    probe_timeout: float = PROBE_TIMEOUT,
    deadline: float = DEADLINE,
    details: bool = False,
    authorize: Authorize | None = None,
    list_tenants: bool = False,
) -> APIRouter:
    """Return a router for ``app.include_router(DBWardenHealthRouter(), prefix="/health")``.

    ``/health`` reports all databases, ``/health/{database}`` one, ``/health/readiness`` is
    ``/health`` for Kubernetes; ``/health/liveness`` only says that the process answers.

    Args:
        degraded_status_code: The HTTP status when a database answers but is not as its migration
            files say (pending, changed, missing).
        ttl: Seconds for which the answer of a database counts; requests at the same time share
            one probe.
        probe_timeout: Seconds that one database has to answer.
        deadline: Seconds after which the endpoint answers in any case.
        details: Add the causes of failures for requests that *authorize* accepts.
        authorize: A function of the request, plain or async. Requests that it accepts may list
            tenants (``/health?tenants=all``).
        list_tenants: Let every request list tenants.
    """
    options = HealthOptions(
        degraded_status_code=degraded_status_code,
        ttl=ttl,
        probe_timeout=probe_timeout,
        deadline=deadline,
        details=details,
        authorize=authorize,
        list_tenants=list_tenants,
    )
    answers = _Answers(options)
    router = APIRouter(tags=["health"])
    for path in ("", "/"):
        router.add_api_route(path, answers.everything, include_in_schema=not path, name="health")
    router.add_api_route("/liveness", answers.liveness, name="liveness")
    router.add_api_route("/readiness", answers.everything, name="readiness")
    router.add_api_route("/{database}", answers.one, name="health_of_database")
    return router


@dataclass(frozen=True, slots=True)
class _Answers:
    """The endpoints."""

    options: HealthOptions

    async def liveness(self) -> JSONResponse:
        """The process answers. Never touches a database."""
        return _json({"status": "ok"}, 200)

    async def everything(
        self,
        request: Request,
        tenants: Annotated[Literal["all"] | None, Query(description="List tenants too.")] = None,
        limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="Tenants a page.")] = PAGE,
        after: Annotated[str, Query(description="The ``next`` of the page before.")] = "",
    ) -> JSONResponse:
        """The health of every database; ``?tenants=all`` lists tenants too, a page at a time."""
        if tenants and not (self.options.list_tenants or await self._authorized(request)):
            return _json({"detail": "Only authorized requests may list tenants."}, 403)
        now, deadline = anyio.current_time(), self.options.deadline * ANSWERED_WITHIN
        try:
            state = await serving()
            families = await known_families(state, now + deadline / 2)
            configs = state.databases
        except DBWardenError as error:
            return _json({"status": "error", "databases": [], "error": public_sentence(error)}, 503)
        page = Page(chosen=tuple(sample(state, family) for family in families), more=False)
        if tenants:
            asked = page_of(state, families, after=after, limit=limit)
            if asked is None:
                return _json({"detail": "after= is not the name of a tenant's database."}, 422)
            page = asked
        everybody = (*configs, *(config for chosen in page.chosen for config in chosen))
        probed = await probe_all(state, everybody, self.options, now + deadline)
        own, rest = probed[: len(configs)], probed[len(configs) :]
        if tenants:  # the next page begins with the first tenant for which there was no time
            rest = tuple(itertools.takewhile(lambda each: each.in_time, rest))
        found = _Found(own, families, page, rest)
        more = self.options.details and await self._authorized(request)
        body: dict[str, Any] = {
            "status": found.health.status,
            "databases": [_shown(each, more) for each in found.listed(tenants, after)],
            **({"tenants": [asdict(each) for each in found.sums]} if families else {}),
            **({"next": found.next(after)} if families and tenants else {}),
        }
        return _json(body, self.options.code(found.health))

    async def one(self, request: Request, database: str) -> JSONResponse:
        """The health of one database."""
        until = anyio.current_time() + self.options.deadline * ANSWERED_WITHIN
        try:
            state = await serving()
            config = await state.database(database)
        except UnknownDatabase:
            return _json({"detail": "There is no database of that name."}, 404)
        except DBWardenError as error:
            return _json({"status": "error", "error": public_sentence(error)}, 503)
        (probed,) = await probe_all(state, (config,), self.options, until)
        more = self.options.details and await self._authorized(request)
        return _json(_shown(probed, more), self.options.code(probed.health))

    async def _authorized(self, request: Request) -> bool:
        return await allowed(self.options.authorize, request)


@dataclass(frozen=True, slots=True)
class _Found:
    """What was probed: the databases that were declared by hand, and tenants of a page."""

    own: tuple[Probed, ...]
    families: tuple[TenantFamily, ...]
    page: Page
    tenants: tuple[Probed, ...]

    @property
    def sums(self) -> tuple[TenantsHealth, ...]:
        """The health of each family."""
        ends = itertools.accumulate((len(chosen) for chosen in self.page.chosen), initial=0)
        parts = [self.tenants[start:end] for start, end in itertools.pairwise(ends)]
        return tuple(
            sum_up(family, [each.health for each in part if each.in_time])
            for family, part in zip(self.families, parts, strict=True)
        )

    @property
    def health(self) -> Health:
        """The health of the application."""
        chosen = zip(self.families, self.page.chosen, self.sums, strict=True)
        judged = [health for family, some, health in chosen if represents(family, some)]
        return with_tenants(overall([each.health for each in self.own]), judged)

    def listed(self, tenants: str | None, after: str) -> tuple[Probed, ...]:
        """Return what the answer lists: the databases on the first page, then tenants."""
        if not tenants:
            return self.own
        return (*(self.own if not after else ()), *self.tenants)

    def next(self, after: str) -> str | None:
        """Return where the next page of tenants begins; ``None`` after the last one."""
        if not self.page.more and len(self.tenants) == sum(map(len, self.page.chosen)):
            return None
        return self.tenants[-1].health.database if self.tenants else after


def _shown(probed: Probed, details: bool) -> dict[str, Any]:
    return {**asdict(probed.health), **(_details(probed.probe) if details else {})}


def _json(body: Mapping[str, Any], code: int) -> JSONResponse:
    return JSONResponse(body, status_code=code, headers=_NO_STORE)
