"""Startup and shutdown of an application."""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import asyncpg
import pytest
from fastapi import FastAPI
from sqlalchemy import text

import dbwarden
from dbwarden import telemetry
from dbwarden.errors import ConfigurationNotFound, DBWardenError, StartupFailed, UsageError
from dbwarden.fastapi import (
    DBWardenHealthRouter,
    dbwarden_lifespan,
    get_session,
    migration_context,
)
from dbwarden.fastapi.state import serving, serving_now
from tests.integration.fastapi.conftest import Serve, Site
from tests.proxy import Proxy


async def test_a_clean_project_starts_with_the_engines_that_serve(three: Site) -> None:
    async with migration_context(mode="check", all_databases=True, fail_fast=True):
        state = await serving()
        looked_at = dict(state.engines.open)
        async with get_session("analytics") as session:
            await session.execute(text("SELECT 1"))
        assert dict(state.engines.open) == looked_at
        assert len(looked_at) == 3
    assert serving_now() is None
    assert not state.engines.open


async def test_pending_migrations_stop_the_start_with_a_next_step(three: Site) -> None:
    three.migration("analytics", "0002", "ALTER TABLE users ADD COLUMN age integer;")
    with pytest.raises(StartupFailed) as raised:
        async with migration_context(mode="check", all_databases=True):
            raise AssertionError("it started")
    said = str(raised.value)
    assert "analytics: 1 pending: 0002. Apply with: dbwarden migrate -d analytics" in said
    assert "primary: " in said and "logging: " in said


async def test_pending_migrations_are_a_warning_on_request(three: Site) -> None:
    three.migration("analytics", "0002", "ALTER TABLE users ADD COLUMN age integer;")
    events: list[telemetry.Event] = []
    with telemetry.listening(events.append):
        async with migration_context(mode="check", all_databases=True, on_pending="warn"):
            pass
    warned = [event for event in events if event.name == "startup_finding"]
    assert [event.fields["database"] for event in warned] == ["analytics"]


@pytest.mark.parametrize("mode", ["check", "migrate"])
async def test_all_log_lines_of_a_start_share_an_id_and_record_begin_and_end(
    three: Site, mode: Any
) -> None:
    three.migration("analytics", "0002", "ALTER TABLE users ADD COLUMN age integer;")
    events: list[telemetry.Event] = []
    with telemetry.listening(events.append):
        async with migration_context(mode=mode, all_databases=True, on_pending="warn"):
            pass
    logged = [event for event in events if event.level != "debug"]
    assert len({event.fields["run"] for event in logged}) == 1
    assert (logged[0].name, logged[0].fields["operation"]) == ("started", "startup")
    assert (logged[-1].name, logged[-1].fields["outcome"]) == ("startup", "succeeded")
    for operation in ("check", "migrate") if mode == "migrate" else ("check",):
        own = [event for event in logged if event.fields.get("operation") == operation]
        for name in ("started", operation):
            found = sorted(event.fields["database"] for event in own if event.name == name)
            assert found == ["analytics", "logging", "primary"]


async def test_only_the_default_database_is_read_without_a_name(three: Site) -> None:
    three.migration("analytics", "0002", "ALTER TABLE users ADD COLUMN age integer;")
    async with migration_context():
        assert [name for name, _ in (await serving()).engines.open] == ["primary"]
    async with migration_context(database=["primary", "log*"]):
        names = {name for name, _ in (await serving()).engines.open}
        assert names == {"primary", "logging"}


async def test_an_edited_migration_stops_the_start(three: Site) -> None:
    three.migration("primary", "0001", "CREATE TABLE people (id integer);")
    with pytest.raises(StartupFailed, match="changed after it was applied"):
        async with migration_context():
            raise AssertionError("it started")


async def test_a_database_that_is_ahead_of_this_application_is_fine(three: Site) -> None:
    newer = three.migration("primary", "0002", "CREATE TABLE extra (id integer);")
    await dbwarden.migrate("primary")
    newer.unlink()
    async with migration_context():
        pass


async def test_fail_fast_cancels_the_other_reads(
    site: Site, postgres_url: str, postgres_server: Any
) -> None:
    async with Proxy(postgres_server.port) as proxy:
        proxy.stall()
        stalled = postgres_url.replace(f":{postgres_server.port}", f":{proxy.port}")
        site.add("stalled", stalled, connect_timeout=60.0, timeout=60.0)
        site.add("broken", "sqlite:///nowhere/app.db")
        with pytest.raises(StartupFailed) as raised:
            async with migration_context(all_databases=True, fail_fast=True):
                raise AssertionError("it started")
    assert [line.partition(":")[0] for line in raised.value.known] == ["broken", "stalled"]
    assert "stopped because broken failed" in raised.value.known[1]


async def test_without_fail_fast_failures_are_logged_and_the_application_starts(
    three: Site,
) -> None:
    three.add("broken", "sqlite:///nowhere/app.db")
    three.migration("logging", "0002", "CREATE TABLE extra (id integer);")
    events: list[telemetry.Event] = []
    with telemetry.listening(events.append):
        async with migration_context(all_databases=True, fail_fast=False), get_session() as session:
            await session.execute(text("SELECT 1"))
    failed = [event.fields["database"] for event in events if event.name == "startup_failed"]
    assert sorted(failed) == ["broken", "logging"]


async def test_a_migration_that_fails_is_logged_once_where_the_application_starts(
    three: Site,
) -> None:
    three.migration("logging", "0002", "CREATE TABLE users (id integer);")
    events: list[telemetry.Event] = []
    with telemetry.listening(events.append):
        async with migration_context(mode="migrate", all_databases=True, fail_fast=False):
            pass
    serious = [event for event in events if event.level in ("warning", "error")]
    assert [(each.name, each.fields["database"]) for each in serious] == [
        ("startup_failed", "logging")
    ]


async def test_pending_migrations_are_applied_before_the_first_request(three: Site) -> None:
    three.migration("analytics", "0002", "CREATE TABLE extra (id integer);")
    async with (
        migration_context(mode="migrate", all_databases=True),
        get_session("analytics") as session,
    ):
        await session.execute(text("SELECT id FROM extra"))


async def test_a_migration_that_fails_stops_the_start_with_its_place(three: Site) -> None:
    three.migration("analytics", "0002", "CREATE TABLE users (id integer);")
    with pytest.raises(StartupFailed, match=r"analytics: .*already exists"):
        async with migration_context(mode="migrate", all_databases=True):
            raise AssertionError("it started")
    assert serving_now() is None


async def test_migrate_refuses_production_unless_it_is_allowed(
    three: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    with pytest.raises(UsageError, match="production"):
        async with migration_context(mode="migrate"):
            raise AssertionError("it started")
    async with migration_context(mode="migrate", allow_in_production=True):
        pass
    async with migration_context(mode="check"):
        pass


@pytest.mark.parametrize(
    "options",
    [{"mode": "apply"}, {"on_pending": "ignore"}, {"max_open_engines": 0}],
    ids=lambda options: next(iter(options)),
)
async def test_contradictory_arguments_are_refused(three: Site, options: Any) -> None:
    with pytest.raises(UsageError):
        async with migration_context(**options):
            raise AssertionError("it started")


async def test_the_development_databases_serve_on_request(site: Site) -> None:
    site.add("primary", "sqlite:///real.db", default=True, dev_database_url="sqlite:///dev.db")
    site.add("other", "sqlite:///other.db")
    site.users("primary", "other")
    await dbwarden.migrate("other")
    with pytest.raises(DBWardenError, match="no development database"):
        async with migration_context(mode="migrate", all_databases=True, dev=True):
            raise AssertionError("it started")
    async with migration_context(mode="migrate", all_databases=True, only_dev=True):
        async with get_session() as session:
            await session.execute(text("INSERT INTO users VALUES (1, 'dev')"))
            await session.commit()
        async with get_session("other") as session:
            await session.execute(text("SELECT * FROM users"))
    assert not (site.root / "real.db").exists()
    assert (site.root / "dev.db").exists()


async def test_development_sessions_work_next_to_real_ones(three: Site) -> None:
    three.add("extra", "sqlite:///extra.db", dev_database_url="sqlite:///extra_dev.db")
    async with migration_context(mode="none"):
        async with get_session("extra", dev=True) as session:
            await session.execute(text("CREATE TABLE only_in_dev (id integer)"))
        assert (three.root / "extra_dev.db").exists()
        assert not (three.root / "extra.db").exists()


async def test_a_start_that_fails_halfway_leaves_no_connection(
    site: Site, postgres_url: str, ask: Callable[..., list[Any]]
) -> None:
    site.add("primary", postgres_url, default=True)
    site.add("broken", "sqlite:///nowhere/app.db")
    with pytest.raises(StartupFailed):
        async with migration_context(all_databases=True, fail_fast=True):
            raise AssertionError("it started")

    with pytest.raises(RuntimeError, match="after the databases"):
        async with migration_context(database="primary", warm=3):
            raise RuntimeError("after the databases")
    left = await anyio.to_thread.run_sync(
        lambda: ask(
            "SELECT pid FROM pg_stat_activity WHERE datname = $1", postgres_url.rpartition("/")[2]
        )
    )
    assert left == []


async def test_a_cancelled_start_gives_everything_back(
    site: Site, postgres_url: str, postgres_server: Any
) -> None:
    async with Proxy(postgres_server.port) as proxy:
        proxy.silence()
        stalled = postgres_url.replace(f":{postgres_server.port}", f":{proxy.port}")
        site.add("stalled", stalled, connect_timeout=60.0, timeout=60.0)
        with anyio.move_on_after(0.3) as scope:
            async with migration_context(database="stalled"):
                raise AssertionError("it started")
        assert scope.cancelled_caught
        with anyio.fail_after(10):
            while proxy.open_connections:  # noqa: ASYNC110 - the proxy tells of both sides only
                await anyio.sleep(0.01)
    assert serving_now() is None


async def test_pools_are_warmed_on_request(
    site: Site, postgres_url: str, ask: Callable[..., list[Any]]
) -> None:
    site.add("primary", postgres_url, default=True, pool_size=3)
    async with migration_context(warm=10):
        (served,) = (await serving()).engines.open.values()
        assert served.pool.idle == 3


async def test_two_lifespans_in_one_loop_close_the_engines_when_the_last_ends(three: Site) -> None:
    async with migration_context():
        async with migration_context(database="analytics"):
            pass
        state = serving_now()
        assert state is not None and len(state.engines.open) == 2
    assert not state.engines.open


async def test_a_project_without_configuration_is_reported(site: Site) -> None:
    (site.root / ".git").mkdir()
    with pytest.raises(ConfigurationNotFound):
        async with migration_context():
            raise AssertionError("it started")


def test_dbwarden_lifespan_is_a_lifespan(three: Site, serve: Serve) -> None:
    app = FastAPI(lifespan=partial(dbwarden_lifespan, mode="check", all_databases=True))
    app.include_router(DBWardenHealthRouter(), prefix="/health")
    with serve(app) as client:
        assert client.get("/health").json()["status"] == "ok"


def start_worker(folder: Path) -> "subprocess.Popen[str]":
    """Start an application that migrates, in a process of its own."""
    program = (
        "import anyio\n"
        "from dbwarden.fastapi import migration_context\n"
        "async def main():\n"
        "    async with migration_context(mode='migrate'):\n"
        "        print('started')\n"
        "anyio.run(main)\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.long
async def test_ten_workers_that_start_together_migrate_once(site: Site, postgres_url: str) -> None:
    """The migration cannot end before all of them are connected."""
    patience: dict[str, Any] = dict.fromkeys(
        ("migration_lock_timeout", "lock_timeout", "connect_timeout"), 100.0
    )
    site.add("primary", postgres_url, default=True, timeout=100.0, **patience)
    site.migration("primary", "0001", "CREATE TABLE users (id integer); LOCK TABLE gate;")
    connected = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name LIKE 'dbwarden%'"
    )
    gate, watching = [await asyncpg.connect(postgres_url) for _ in range(2)]
    await gate.execute("CREATE TABLE gate ()")
    async with gate.transaction():
        await gate.execute("LOCK TABLE gate")
        workers = [start_worker(site.root) for _ in range(10)]
        while await watching.fetchval(connected) < len(workers):  # noqa: ASYNC110
            await anyio.sleep(0.01)
    ended = [await anyio.to_thread.run_sync(worker.communicate) for worker in workers]
    assert all("started" in out for out, _ in ended), [err for _, err in ended]
    rows = await watching.fetch("SELECT key, state FROM dbwarden_ledger")
    await gate.close()
    await watching.close()
    assert [tuple(row) for row in rows] == [("0001", "applied")]
