"""Metrics and spans."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from dbwarden.fastapi import migration_context
from dbwarden.fastapi.metrics import DBWardenCollector, combine
from tests.integration.fastapi.conftest import Site


def scraped() -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(DBWardenCollector())
    lines = generate_latest(registry).decode().splitlines()
    pairs = [line.rpartition(" ") for line in lines if not line.startswith("#")]
    return {name: float(value) for name, _, value in pairs}


async def test_every_database_has_its_gauges(three: Site) -> None:
    three.migration("analytics", "0002", "CREATE TABLE extra (id integer);")
    assert scraped() == {}
    async with migration_context(all_databases=True, on_pending="warn"):
        found = scraped()
    assert found['dbwarden_up{database="primary"}'] == 1
    assert found['dbwarden_pending_migrations{database="analytics"}'] == 1
    assert found['dbwarden_pending_migrations{database="primary"}'] == 0
    assert found['dbwarden_applied_migrations{database="primary"}'] == 1
    assert found['dbwarden_lock_active{database="primary"}'] == 0
    assert found['dbwarden_pool_in_use{database="primary"}'] == 0
    assert found['dbwarden_last_migration_seconds{database="primary"}'] > 0
    assert found['dbwarden_probe_seconds{database="primary"}'] > 0


async def test_a_database_that_is_down_is_not_up(site: Site) -> None:
    site.add("broken", "sqlite:///nowhere/app.db", default=True)
    async with migration_context(fail_fast=False):
        found = scraped()
    assert found['dbwarden_up{database="broken"}'] == 0
    assert 'dbwarden_pending_migrations{database="broken"}' not in found


async def test_all_tenants_of_a_pattern_share_one_label(site: Site) -> None:
    site.add("primary", "sqlite:///primary.db", default=True)
    site.lines += [
        "from dbwarden import tenant_databases",
        "tenant_databases(name='t_{tenant_id}', database_type='sqlite', "
        "database_url='sqlite:///t_{tenant_id}.db', tenants=['a', 'b'])",
    ]
    site.write()
    site.migration("t", "0001", "CREATE TABLE notes (id integer);")
    async with migration_context(all_databases=True, on_pending="warn"):
        found = scraped()
    assert found['dbwarden_pending_migrations{database="t_{tenant_id}"}'] == 2
    assert not [name for name in found if "t_a" in name or "t_b" in name]


@pytest.mark.parametrize(
    ("gauge", "value"),
    [("up", 0.5), ("lock_active", 1), ("applied_migrations", 0), ("probe_seconds", 1)],
)
def test_values_of_one_label_are_put_together(gauge: str, value: float) -> None:
    assert combine(gauge, [0.0, 1.0]) == value


async def test_startup_and_reads_are_opentelemetry_spans(
    three: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    async with migration_context(all_databases=True):
        pass
    spans = exporter.get_finished_spans()
    assert sorted(each.name for each in spans) == [*["dbwarden health"] * 3, "dbwarden startup"]
    names = {(each.attributes or {}).get("dbwarden.database") for each in spans}
    assert names == {"primary", "analytics", "logging", None}
    assert len({(each.attributes or {})["dbwarden.run"] for each in spans}) == 1
