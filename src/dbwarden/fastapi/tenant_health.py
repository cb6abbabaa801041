"""Choose the tenants to probe: a sample for ``/health``, or a page of the full list."""

import contextlib
import heapq
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import anyio

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.config.tenants import TenantFamily
from dbwarden.errors import DBWardenError
from dbwarden.fastapi.state import Serving
from dbwarden.operations.health import DatabaseHealth, Health

SAMPLED = 50
"""Maximum number of a pattern's tenants that are probed for the summary of ``/health``."""
PAGE = 100
"""Default number of tenants on a page of the list."""
LARGEST_PAGE = 1000
"""Maximum number of tenants on a page of the list."""

ChosenDatabases = tuple[DatabaseConfig, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantsHealth:
    """The health of the tenants of one pattern; its fields are the JSON of the endpoint.

    ``total`` is ``None`` while the list cannot be read; ``looked_at`` is the number of probed ones.
    """

    pattern: str
    total: int | None
    looked_at: int
    ok: int
    degraded: int
    error: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of the list of tenants: its databases by family, and whether more follow."""

    chosen: tuple[ChosenDatabases, ...]
    more: bool


async def known_families(state: Serving, until: float) -> tuple[TenantFamily, ...]:
    """Return the tenant families after loading the lists that can be loaded before *until*."""
    families = state.project.families

    async def load(family: TenantFamily) -> None:
        with contextlib.suppress(DBWardenError):
            await family.load(max_age=family.refresh_after)

    async with anyio.create_task_group() as group:
        group.cancel_scope.deadline = until
        for family in families:
            group.start_soon(load, family)
    return families


def sample(state: Serving, family: TenantFamily, *, most: int = SAMPLED) -> ChosenDatabases:
    """Choose tenants to probe: first those with an open engine, then random ones."""
    ids = family.ids
    if len(ids) > most:
        names = (family.pattern.id_of(name) for name, _ in state.engines.open)
        served = [name for name in dict.fromkeys(names) if name is not None and name in family]
        others = [name for name in random.sample(ids, most) if name not in served]
        ids = (*served, *others)[:most]
    return tuple(state.locate(family.database_of(tenant_id)) for tenant_id in ids)


def page_of(
    state: Serving, families: Sequence[TenantFamily], *, after: str, limit: int
) -> Page | None:
    """Choose the next *limit* tenants after the database *after*, in the order of their ids.

    Removing a tenant between two pages does not shift the others. Return ``None`` if *after* cannot
    be the name of a tenant's database; an empty *after* starts the list.
    """
    first, last_id = 0, ""
    if after:
        ids = ((n, family.pattern.id_of(after)) for n, family in enumerate(families))
        start = next(((n, tenant_id) for n, tenant_id in ids if tenant_id is not None), None)
        if start is None:
            return None
        first, last_id = start
    chosen: list[ChosenDatabases] = []
    room = limit + 1
    for number, family in enumerate(families):
        remaining = (each for each in family.ids if number > first or each > last_id)
        some = heapq.nsmallest(room, remaining) if number >= first else []
        room -= len(some)
        if room == 0 and some:
            some.pop()
        chosen.append(tuple(state.locate(family.database_of(each)) for each in some))
        if room == 0:
            break
    chosen += [()] * (len(families) - len(chosen))
    return Page(chosen=tuple(chosen), more=room == 0)


def sum_up(family: TenantFamily, probed: Sequence[DatabaseHealth]) -> TenantsHealth:
    """Count the probed tenants of *family* by their health."""
    counts = Counter(health.status for health in probed)
    return TenantsHealth(
        pattern=family.pattern.name,
        total=family.count,
        looked_at=len(probed),
        ok=counts["ok"],
        degraded=counts["degraded"],
        error=counts["error"],
    )


def with_tenants(health: Health, tenants: Sequence[TenantsHealth]) -> Health:
    """Return the application's health, degraded if all probed tenants of a family have failed.

    The failure of a single tenant does not degrade the application.
    """
    for each in tenants:
        if health.status == "ok" and (each.total is None or 0 < each.looked_at == each.error):
            return Health(status="degraded", databases=health.databases)
    return health


def represents(family: TenantFamily, chosen: ChosenDatabases) -> bool:
    """Return whether *chosen* has enough tenants to judge *family*, or the list is unknown."""
    return family.count is None or len(chosen) >= min(family.count, SAMPLED)
