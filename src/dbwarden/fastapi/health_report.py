"""Answer health requests of any web framework: options, probes, and the JSON of each answer."""

import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypedDict

import anyio

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.config.tenants import TenantFamily
from dbwarden.errors import DBWardenError, NotStarted, TimedOut, UnknownDatabase
from dbwarden.fastapi.probing import ProbeResult
from dbwarden.fastapi.state import Serving, serving
from dbwarden.fastapi.tenant_health import (
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
from dbwarden.planning.status_result import StatusResult

TTL = 1.0
"""Seconds for which a probe is reused."""
PROBE_TIMEOUT = 2.0
"""Time limit in seconds for one database."""
DEADLINE = 4.0
"""Time limit in seconds for the endpoint."""
ANSWERED_WITHIN = 0.75
"""Fraction of the deadline for the probes; the rest is for cancelling unfinished ones."""

NO_STORE = {"Cache-Control": "no-store"}


class HealthArguments(TypedDict, total=False):
    """The arguments of the health router and of ``HealthApp``; see :class:`HealthOptions`."""

    degraded_status_code: int
    ttl: float
    probe_timeout: float
    deadline: float
    details: bool
    authorize: Callable[[Any], bool | Awaitable[bool]] | None
    list_tenants: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthOptions:
    """The options of the health endpoints; ``authorize`` takes a request of the framework."""

    degraded_status_code: int = 503
    ttl: float = TTL
    probe_timeout: float = PROBE_TIMEOUT
    deadline: float = DEADLINE
    details: bool = False
    authorize: Callable[[Any], bool | Awaitable[bool]] | None = None
    list_tenants: bool = False

    async def accepts(self, request: Any) -> bool:
        """Return whether *authorize* accepts *request*; without *authorize*, none is accepted."""
        if self.authorize is None:
            return False
        answer = self.authorize(request)
        return bool(await answer if isinstance(answer, Awaitable) else answer)

    def code(self, health: Health | DatabaseHealth) -> int:
        """Return the HTTP status code of *health*."""
        return {"ok": 200, "degraded": self.degraded_status_code, "error": 503}[health.status]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """The health of one database; ``in_time`` is false if there was no time to probe it."""

    health: DatabaseHealth
    probe: ProbeResult | None = None
    in_time: bool = True


async def probe_all(
    state: Serving, configs: Sequence[DatabaseConfig], options: HealthOptions, until: float
) -> tuple[Probed, ...]:
    """Probe *configs* concurrently, a bounded number per server, and return at *until*.

    A database whose probe is unfinished counts as unreachable only if the probe began in the first
    half of the time.
    """
    results: dict[int, Probed] = {}
    half = (anyio.current_time() + until) / 2

    async def probe(number: int, config: DatabaseConfig) -> None:
        async with state.probes.slot(config):
            if anyio.current_time() < half:
                results[number] = _unanswered(config, TimedOut())
            probe = await state.probes.probe(
                config,
                state.engines,
                ttl=options.ttl,
                limit=options.probe_timeout,
                primary=state.primary_of(config),
            )
            results[number] = Probed(health=probe.health, probe=probe)

    async with anyio.create_task_group() as group:
        group.cancel_scope.deadline = until
        for number, config in enumerate(configs):
            group.start_soon(probe, number, config)
    return tuple(
        results.get(number) or _unanswered(config, NotStarted(), in_time=False)
        for number, config in enumerate(configs)
    )


def _unanswered(config: DatabaseConfig, error: DBWardenError, *, in_time: bool = True) -> Probed:
    return Probed(health=unwell(config.database_name, error), in_time=in_time)


def status_fields(status: StatusResult | None) -> dict[str, Any]:
    """Return the version of a database, and the keys of its migrations by their state."""
    names = ("pending", "changed", "missing", "partial", "ahead")
    keys = {name: getattr(status, name) if status else () for name in names}
    return {"version": status.version if status else None, **keys}


def _details(probe: ProbeResult | None) -> Mapping[str, Any]:
    """Return the additional details for requests that *authorize* accepts."""
    if probe is None:
        return {"details": None}
    status, error = probe.status, probe.error
    return {
        "details": {
            **status_fields(status),
            "lock_holder": str(status.lock_holder) if status and status.lock_holder else None,
            "server_version": status.server_version if status else None,
            "replica": probe.replica,
            "probe_ms": round(probe.duration_ms, 3),
            "error": error.message if error else None,
            "next_step": error.next_step if error else None,
        }
    }


@dataclass(frozen=True, slots=True)
class HealthResponse:
    """The JSON body and the HTTP status of a response."""

    body: Mapping[str, Any]
    code: int


LIVENESS = HealthResponse({"status": "ok"}, 200)


@dataclass(frozen=True, slots=True)
class HealthEndpoints:
    """The health endpoints of any framework."""

    options: HealthOptions

    async def all_databases(
        self, request: Any, *, tenants: bool = False, limit: int = PAGE, after: str = ""
    ) -> HealthResponse:
        """Return the health of every database, and list a page of *tenants*."""
        if tenants and not (self.options.list_tenants or await self.options.accepts(request)):
            return HealthResponse({"detail": "Only authorized requests may list tenants."}, 403)
        now, deadline = anyio.current_time(), self.options.deadline * ANSWERED_WITHIN
        try:
            state = await serving()
            families = await known_families(state, now + deadline / 2)
            configs = state.databases
        except DBWardenError as error:
            return HealthResponse(
                {"status": "error", "databases": [], "error": public_sentence(error)}, 503
            )
        page = Page(chosen=tuple(sample(state, family) for family in families), more=False)
        if tenants:
            requested = page_of(state, families, after=after, limit=limit)
            if requested is None:
                return HealthResponse(
                    {"detail": "after= is not the name of a tenant's database."}, 422
                )
            page = requested
        all_configs = (*configs, *(config for chosen in page.chosen for config in chosen))
        probed = await probe_all(state, all_configs, self.options, now + deadline)
        single, rest = probed[: len(configs)], probed[len(configs) :]
        if tenants:  # the next page begins with the first tenant for which there was no time
            rest = tuple(itertools.takewhile(lambda each: each.in_time, rest))
        report = _Report(single, families, page, rest)
        more = self.options.details and await self.options.accepts(request)
        body: dict[str, Any] = {
            "status": report.health.status,
            "databases": [_to_json(each, more) for each in report.listed(tenants, after)],
            **({"tenants": [asdict(each) for each in report.summaries]} if families else {}),
            **({"next": report.next(after)} if families and tenants else {}),
        }
        return HealthResponse(body, self.options.code(report.health))

    async def one_database(self, request: Any, database: str) -> HealthResponse:
        """Return the health of one database."""
        until = anyio.current_time() + self.options.deadline * ANSWERED_WITHIN
        try:
            state = await serving()
            config = await state.database(database)
        except UnknownDatabase:
            return HealthResponse({"detail": "There is no database of that name."}, 404)
        except DBWardenError as error:
            return HealthResponse({"status": "error", "error": public_sentence(error)}, 503)
        (probed,) = await probe_all(state, (config,), self.options, until)
        more = self.options.details and await self.options.accepts(request)
        return HealthResponse(_to_json(probed, more), self.options.code(probed.health))


@dataclass(frozen=True, slots=True)
class _Report:
    """The probed databases: the single ones and the tenants of a page."""

    single: tuple[Probed, ...]
    families: tuple[TenantFamily, ...]
    page: Page
    tenants: tuple[Probed, ...]

    @property
    def summaries(self) -> tuple[TenantsHealth, ...]:
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
        chosen = zip(self.families, self.page.chosen, self.summaries, strict=True)
        judged = [health for family, some, health in chosen if represents(family, some)]
        return with_tenants(overall([each.health for each in self.single]), judged)

    def listed(self, tenants: bool, after: str) -> tuple[Probed, ...]:
        """Return the databases to list: on the first page the single ones, then tenants."""
        if not tenants:
            return self.single
        return (*(self.single if not after else ()), *self.tenants)

    def next(self, after: str) -> str | None:
        """Return the ``after`` of the next page of tenants; ``None`` after the last page."""
        if not self.page.more and len(self.tenants) == sum(map(len, self.page.chosen)):
            return None
        return self.tenants[-1].health.database if self.tenants else after


def _to_json(probed: Probed, details: bool) -> dict[str, Any]:
    return {**asdict(probed.health), **(_details(probed.probe) if details else {})}
