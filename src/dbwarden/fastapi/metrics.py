"""Metrics for Prometheus, from what health and page have seen (extra ``metrics``)."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from dbwarden.fastapi.probing import Probe
from dbwarden.fastapi.state import Serving, states

GAUGES = {
    "up": "Whether the database answered the last look (of tenants: the part that did).",
    "pending_migrations": "Migrations that are not applied yet.",
    "applied_migrations": "Migrations that are applied.",
    "last_migration_seconds": "How long the newest migration took.",
    "lock_active": "Whether a migrator holds the database.",
    "pool_in_use": "Connections that sessions hold.",
    "pool_limit": "The most connections that the pool may hold.",
    "replica_lag_seconds": "How long ago what a replica shows was true, where it can tell.",
    "replica_behind": "Migrations of its primary that a replica does not have yet.",
    "probe_seconds": "How long the last look took.",
    "probe_age_seconds": "How long ago the last look was.",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one gauge."""

    gauge: str
    value: float


class DBWardenCollector(Collector):
    """What ``prometheus_client.REGISTRY.register(DBWardenCollector())`` takes.

    Every database that was declared by hand is a label; all tenants of a pattern share one, so
    that labels stay few. Nothing is asked of a database here: the values are those of the last
    look by the health endpoint or the page, and ``dbwarden_probe_age_seconds`` tells their age.
    """

    def collect(self) -> Iterator[Metric]:
        """The gauges, as they are now."""
        found: dict[str, dict[str, list[float]]] = {}
        for state in states():
            for probe in tuple(state.probes.last.values()):
                label = label_of(state, probe.config.database_name)
                for each in samples(state, probe):
                    found.setdefault(each.gauge, {}).setdefault(label, []).append(each.value)
        for gauge, text in GAUGES.items():
            family = GaugeMetricFamily(f"dbwarden_{gauge}", text, labels=["database"])
            for label, values in found.get(gauge, {}).items():
                family.add_metric([label], together(gauge, values))
            yield family


def label_of(state: Serving, name: str) -> str:
    """Return the database's own name, or a tenant's pattern, also of one that is not listed now."""
    if state.single(name) is not None:
        return name
    patterns = (family.pattern for family in state.project.families)
    return next((each.name for each in patterns if each.id_of(name) is not None), name)


def samples(state: Serving, probe: Probe) -> Iterable[Sample]:
    """What the last look at one database tells."""
    yield Sample("up", float(probe.status is not None))
    yield Sample("probe_seconds", probe.duration_ms / 1000)
    yield Sample("probe_age_seconds", max(0.0, time.monotonic() - probe.at))
    if probe.status is not None:
        yield Sample("pending_migrations", len(probe.status.pending))
        yield Sample("applied_migrations", len(probe.status.applied))
        yield Sample("lock_active", float(probe.status.lock_holder is not None))
        replica = probe.status.replica
        if replica is not None:
            yield Sample("replica_behind", len(replica.behind))
            if replica.lag_seconds is not None:
                yield Sample("replica_lag_seconds", replica.lag_seconds)
    if probe.applied_ms is not None:
        yield Sample("last_migration_seconds", probe.applied_ms / 1000)
    served = state.engines.open.get((probe.config.database_name, probe.config.dev))
    if served is not None:
        yield Sample("pool_in_use", served.pool.in_use)
        if served.pool.limit is not None:
            yield Sample("pool_limit", served.pool.limit)


def together(gauge: str, values: list[float]) -> float:
    """The value of several databases with one label: sums, the worst, or the part that is up."""
    match gauge:
        case "up":
            return sum(values) / len(values)
        case "pending_migrations" | "pool_in_use" | "pool_limit" | "lock_active":
            return sum(values)
        case "applied_migrations":
            return min(values)
        case _:
            return max(values)
