"""``/health``: how every database is, for people, load balancers and Kubernetes."""

import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import anyio
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from dbwarden.config.model import DatabaseConfig
from dbwarden.config.tenants import TenantFamily
from dbwarden.errors import DBWardenError, TimedOut, UnknownDatabase
from dbwarden.fastapi.probing import Probe
from dbwarden.fastapi.state import Serving, serving
from dbwarden.fleet import Outcome, run
from dbwarden.operations.health import DatabaseHealth, Health, overall, public_sentence, unwell

Authorize = Callable[[Request], bool | Awaitable[bool]]

TTL = 1.0
"""Seconds for which the answer of a database counts."""
PROBE_TIMEOUT = 2.0
"""Seconds that one database has to answer."""
DEADLINE = 4.0
"""Seconds after which the endpoint answers, whoever has not answered to it."""
TENANTS_SAMPLED = 50
"""How many tenants are looked at for the summary of ``/health``."""

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

    def code(self, health: Health | DatabaseHealth) -> int:
        """The HTTP status of this health."""
        return {"ok": 200, "degraded": self.degraded_status_code, "error": 503}[health.status]


Probed = tuple[DatabaseHealth, Probe | None]


async def probe_all(
    state: Serving, configs: Sequence[DatabaseConfig], options: HealthOptions
) -> tuple[Probed, ...]:
    """Look at all *configs* at once; who has not answered at the deadline is unwell."""
    by_name = {config.database_name: config for config in configs}

    async def probe(config: DatabaseConfig) -> Probe:
        real = by_name[config.database_name]
        return await state.probes.look(
            real,
            state.engines,
            ttl=options.ttl,
            limit=options.probe_timeout,
            primary=state.primary_of(real),
        )

    stop = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(_ring, options.deadline, stop)
        # Not fewer at a time: behind dead databases the living would wait for nothing.
        many = max(1, len(configs))
        outcomes = await run(
            probe, configs, timeout=None, concurrency=many, per_server=many, stop=stop
        )
        group.cancel_scope.cancel()
    return tuple(_probed(outcome) for outcome in outcomes)


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantsHealth:
    """The health of the tenants of one pattern; its fields are the JSON of the endpoint.

    ``total`` is ``None`` while their list cannot be had; only ``looked_at`` of them were asked.
    """

    pattern: str
    total: int | None
    looked_at: int
    ok: int
    degraded: int
    error: int


async def known_families(state: Serving, deadline: float) -> tuple[TenantFamily, ...]:
    """The tenants' families, with their lists where those can be had within half of *deadline*."""
    for family in state.project.families:
        with anyio.move_on_after(deadline / 2), contextlib.suppress(DBWardenError):
            await family.ask(max_age=family.refresh_after)
    return state.project.families


def sample(
    state: Serving, family: TenantFamily, *, all_of_them: bool, most: int = TENANTS_SAMPLED
) -> tuple[DatabaseConfig, ...]:
    """Which tenants to look at: those that are served now first, then others by chance."""
    everybody = family.databases
    if not all_of_them and len(everybody) > most:
        served = {name for name, _ in state.engines.open}
        chosen = [config for config in everybody if config.database_name in served][:most]
        others = [config for config in everybody if config.database_name not in served]
        everybody = (*chosen, *random.sample(others, min(len(others), most - len(chosen))))
    return tuple(state.located(config) for config in everybody)


def summed(family: TenantFamily, probed: Sequence[Probed]) -> TenantsHealth:
    """What is known of the tenants of *family*."""
    counts = Counter(health.status for health, _ in probed)
    return TenantsHealth(
        pattern=family.pattern.name,
        total=family.count,
        looked_at=len(probed),
        ok=counts["ok"],
        degraded=counts["degraded"],
        error=counts["error"],
    )


def with_tenants(health: Health, tenants: Sequence[TenantsHealth]) -> Health:
    """A single tenant's illness is not the application's; that of all who were asked is."""
    for each in tenants:
        if health.status == "ok" and (each.total is None or 0 < each.looked_at == each.error):
            return Health(status="degraded", databases=health.databases)
    return health


async def _ring(seconds: float, bell: anyio.Event) -> None:
    await anyio.sleep(seconds)
    bell.set()


def _probed(outcome: Outcome[Probe]) -> Probed:
    if outcome.result is not None:
        return outcome.result.health, outcome.result
    return unwell(outcome.database, TimedOut(database=outcome.database)), None


def _details(probed: Probed) -> Mapping[str, Any]:
    """What those who pass ``authorize`` are told besides."""
    _, probe = probed
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
    """Whether *authorize* lets this request see more; without one nobody may."""
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
) -> APIRouter:
    """A router for ``app.include_router(DBWardenHealthRouter(), prefix="/health")``.

    ``/health`` tells of all databases, ``/health/{database}`` of one, ``/health/readiness`` is
    ``/health`` for Kubernetes; ``/health/liveness`` only says that the process answers.

    Args:
        degraded_status_code: The HTTP status when a database answers but is not as its migration
            files say (pending, changed, missing).
        ttl: Seconds for which the answer of a database counts; all who ask at the same time share
            one look.
        probe_timeout: Seconds that one database has to answer.
        deadline: Seconds after which the endpoint answers in any case.
        details: Add what is behind the short sentences, to those whom *authorize* lets see it.
        authorize: A function of the request, plain or async.
    """
    options = HealthOptions(
        degraded_status_code=degraded_status_code,
        ttl=ttl,
        probe_timeout=probe_timeout,
        deadline=deadline,
        details=details,
        authorize=authorize,
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

    async def everything(self, request: Request, tenants: str | None = None) -> JSONResponse:
        """How every database is; ``?tenants=all`` lists tenants too."""
        try:
            state = await serving()
            families = await known_families(state, self.options.deadline)
            configs = state.databases
        except DBWardenError as error:
            return _json({"status": "error", "databases": [], "error": public_sentence(error)}, 503)
        chosen = [sample(state, family, all_of_them=tenants == "all") for family in families]
        everybody = (*configs, *(config for tenant in chosen for config in tenant))
        probed = await probe_all(state, everybody, self.options)
        own, rest = probed[: len(configs)], list(probed[len(configs) :])
        listed = probed if tenants == "all" else own
        more = await self._sees_details(request)
        sums = []
        for family, tenant in zip(families, chosen, strict=True):
            sums.append(summed(family, rest[: len(tenant)]))
            del rest[: len(tenant)]
        health = with_tenants(overall([each for each, _ in own]), sums)
        body: dict[str, Any] = {
            "status": health.status,
            "databases": [_shown(each, more) for each in listed],
            **({"tenants": [asdict(each) for each in sums]} if sums else {}),
        }
        return _json(body, self.options.code(health))

    async def one(self, request: Request, database: str) -> JSONResponse:
        """How one database is."""
        try:
            state = await serving()
            config = await state.database(database)
        except UnknownDatabase:
            return _json({"detail": "There is no database of that name."}, 404)
        except DBWardenError as error:
            return _json({"status": "error", "error": public_sentence(error)}, 503)
        (probed,) = await probe_all(state, (config,), self.options)
        body = _shown(probed, await self._sees_details(request))
        return _json(body, self.options.code(probed[0]))

    async def _sees_details(self, request: Request) -> bool:
        return self.options.details and await allowed(self.options.authorize, request)


def _shown(probed: Probed, details: bool) -> dict[str, Any]:
    return {**asdict(probed[0]), **(_details(probed) if details else {})}


def _json(body: Mapping[str, Any], code: int) -> JSONResponse:
    return JSONResponse(body, status_code=code, headers=_NO_STORE)
