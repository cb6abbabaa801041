"""Export the last probes of health and page as Prometheus metrics (extra ``metrics``)."""

import time
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from dbwarden.fastapi.probing import ProbeResult
from dbwarden.fastapi.state import Serving, states

GAUGES = {
    "up": "Whether the database answered the last probe (for tenants, the fraction that did).",
    "pending_migrations": "Migrations that are not applied yet.",
    "applied_migrations": "Migrations that are applied.",
    "last_migration_seconds": "Duration of the newest migration.",
    "backfills": "Backfills that have not ended.",
    "backfills_stuck": "Backfills that failed, or that no process carries on.",
    "backfill_rows_left": "Rows that unfinished backfills have to do, as estimated.",
    "lock_active": "Whether a migrator holds the database.",
    "pool_in_use": "Connections that sessions hold.",
    "pool_limit": "Maximum number of connections of the pool.",
    "replica_lag_seconds": "Replication lag of a replica, if it is known.",
    "replica_behind": "Migrations of its primary that a replica does not have yet.",
    "probe_seconds": "Duration of the last probe.",
    "probe_age_seconds": "Time since the last probe.",
}


class DBWardenCollector(Collector):
    """A collector for ``prometheus_client.REGISTRY.register(DBWardenCollector())``.

    Every single database is a label; all tenants of a pattern share one, to limit the number of
    labels. The collector queries no database. The values are those of the last probe by the health
    endpoint or the page, and ``dbwarden_probe_age_seconds`` is their age.
    """

    def collect(self) -> Iterator[Metric]:
        """Yield the current gauges."""
        by_gauge: dict[str, dict[str, list[float]]] = {}
        for state in states():
            for probe in tuple(state.probes.last.values()):
                label = label_of(state, probe.config.database_name)
                for gauge, value in samples(state, probe):
                    by_gauge.setdefault(gauge, {}).setdefault(label, []).append(value)
        for gauge, text in GAUGES.items():
            family = GaugeMetricFamily(f"dbwarden_{gauge}", text, labels=["database"])
            for label, values in by_gauge.get(gauge, {}).items():
                family.add_metric([label], combine(gauge, values))
            yield family


def label_of(state: Serving, name: str) -> str:
    """Return *name* of a single database, or the pattern of a tenant, listed or not."""
    if state.single(name) is not None:
        return name
    patterns = (family.pattern for family in state.project.families)
    return next((each.name for each in patterns if each.id_of(name) is not None), name)


def samples(state: Serving, probe: ProbeResult) -> Iterator[tuple[str, float]]:
    """Yield the value of each gauge of one database's last probe."""
    yield "up", float(probe.status is not None)
    yield "probe_seconds", probe.duration_ms / 1000
    yield "probe_age_seconds", max(0.0, time.monotonic() - probe.at)
    if probe.status is not None:
        yield "pending_migrations", len(probe.status.pending)
        yield "applied_migrations", len(probe.status.applied)
        backfills = probe.status.backfills
        yield "backfills", len(backfills)
        yield "backfills_stuck", sum(item.needs_attention for item in backfills)
        left = (max(0, item.total - item.rows) for item in backfills if item.total is not None)
        yield "backfill_rows_left", sum(left)
        yield "lock_active", float(probe.status.lock_holder is not None)
        replica = probe.status.replica
        if replica is not None:
            yield "replica_behind", len(replica.behind)
            if replica.lag_seconds is not None:
                yield "replica_lag_seconds", replica.lag_seconds
    if probe.applied_ms is not None:
        yield "last_migration_seconds", probe.applied_ms / 1000
    served = state.engines.open.get((probe.config.database_name, probe.config.dev))
    if served is not None:
        yield "pool_in_use", served.pool.in_use
        if served.pool.limit is not None:
            yield "pool_limit", served.pool.limit


def combine(gauge: str, values: list[float]) -> float:
    """Combine the values of databases with the same label by sum, worst value or average."""
    match gauge:
        case "up":
            return sum(values) / len(values)
        case "pending_migrations" | "pool_in_use" | "pool_limit" | "lock_active":
            return sum(values)
        case "backfills" | "backfills_stuck" | "backfill_rows_left":
            return sum(values)
        case "applied_migrations":
            return min(values)
        case _:
            return max(values)
