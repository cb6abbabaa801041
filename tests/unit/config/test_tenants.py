"""The databases of a family, and its list of tenants."""

import gc
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from dbwarden import telemetry
from dbwarden.config import tenants as tenants_module
from dbwarden.config.libpq import search_path
from dbwarden.config.loading import load_project
from dbwarden.config.registry import (
    Registry,
    collecting,
)
from dbwarden.errors import ConfigurationError, ConnectError, UnknownDatabase, UsageError
from dbwarden.library import tenant_databases
from tests.unit.config.families import PG, ROOT, Tenants, family, only, project, single
from tests.urls import revealed


def test_each_tenant_has_a_database_of_its_own_and_shares_the_migrations() -> None:
    first, second = project(family(migration_url=PG.replace("h/", "direct/"))).databases
    assert (first.database_name, second.database_name) == ("tenant_a", "tenant_b")
    assert [config.url.database for config in (first, second) if config.url] == [
        "tenant_a",
        "tenant_b",
    ]
    assert revealed(second.migration_url).endswith("direct/tenant_b")
    assert first.migrations_dir == second.migrations_dir == ROOT / "migrations" / "tenant"
    assert first.files_of == second.files_of == "tenant"
    assert not first.default


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("tenant_{tenant_id}", "tenant"),
        ("{tenant_id}_shop", "shop"),
        ("eu_{tenant_id}_shop", "eu_shop"),
        ("t{tenant_id}", "t"),
    ],
)
def test_files_take_the_name_of_the_pattern_without_the_id(name: str, files: str) -> None:
    loaded = project(family(name=name))
    assert only(loaded).name == files
    assert loaded.databases[0].migrations_dir == ROOT / "migrations" / files


def test_databases_and_tenants_come_in_configured_order() -> None:
    loaded = project(single("first"), family(), single("last"))
    assert loaded.names == ("first", "tenant_a", "tenant_b", "last")
    assert [config.database_name for config in loaded.single] == ["first", "last"]


def test_a_number_is_an_id_and_a_set_is_sorted() -> None:
    assert project(family(tenants=[7, "x-y", "x_y"])).names == (
        "tenant_7",
        "tenant_x-y",
        "tenant_x_y",
    )
    assert project(family(tenants={"b", "a"})).names == ("tenant_a", "tenant_b")
    assert project(family(tenants=iter(["b", "a"]))).names == ("tenant_b", "tenant_a")


def test_the_options_of_database_config_hold_for_every_tenant() -> None:
    (config, _) = project(family(timeout=3, model_paths=["app.models"])).databases
    assert (config.timeout, config.model_paths) == (3.0, ("app.models",))


def test_a_pattern_may_give_each_tenant_a_namespace_of_one_database() -> None:
    url = "postgresql://h/all?options=-csearch_path%3Dtenant_{tenant_id}"
    (config, _) = project(family(database_url=url)).databases
    assert config.url is not None and search_path(config.url) == ("tenant_a",)


def test_a_database_next_to_tenants_is_not_the_default() -> None:
    loaded = project(single("primary"), family())
    with pytest.raises(UsageError) as caught:
        _ = loaded.default
    assert "primary, tenant_* are configured" in caught.value.message
    assert project(single("primary", default=True), family()).default.database_name == "primary"


def test_tenant_databases_is_importable_and_loads_from_the_file(
    write_config: Callable[[str], Path],
) -> None:
    write_config(
        """
        from dbwarden import tenant_databases

        pattern = tenant_databases(
            name="tenant_{tenant_id}", database_url="sqlite:///{tenant_id}.db", tenants=["a"]
        )
        assert pattern == "tenant_{tenant_id}"
        """
    )
    assert load_project().names == ("tenant_a",)


@pytest.mark.usefixtures("project")
async def test_a_program_without_a_file_calls_the_list_function_once() -> None:
    asked: list[int] = []

    def who() -> list[str]:
        asked.append(1)
        return ["a"]

    registry = Registry()
    with collecting(registry):
        await anyio.to_thread.run_sync(
            lambda: tenant_databases(name="tenant_{tenant_id}", database_url=PG, tenants=who)
        )
        for _ in range(2):
            loaded = await anyio.to_thread.run_sync(load_project)
            await loaded.find("tenant_a")
        assert asked == [1]
        registry.declarations.append(single("later"))
        assert (await anyio.to_thread.run_sync(load_project)).names == ("later",)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]

    class Time:
        @staticmethod
        def monotonic() -> float:
            return now[0]

    monkeypatch.setattr(tenants_module, "time", Time)
    return now


@pytest.mark.parametrize("kind", ["plain", "slow"])
async def test_the_list_function_is_called_once_when_it_is_needed(kind: str) -> None:
    source = Tenants("a", "b")
    loaded = project(single("primary"), family(tenants=getattr(source, kind)))
    assert list(loaded.names) == ["primary"]
    await loaded.expand(["primary"])
    await loaded.expand(["prim*"])
    await loaded.find("primary")
    assert source.asked == 0

    await loaded.expand(["tenant_*"])
    await loaded.expand(["ten*"])
    await loaded.expand(all_databases=True)
    assert loaded.names == ("primary", "tenant_a", "tenant_b")
    assert source.asked == 1


async def test_concurrent_callers_share_one_call() -> None:
    source = Tenants("a")
    loaded = project(family(tenants=source.slow))
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(loaded.find, "tenant_a")
    assert source.asked == 1


async def test_one_tenant_is_found_without_creating_the_others() -> None:
    loaded = project(family(tenants=Tenants(*map(str, range(1000))).plain))
    config = await loaded.find("tenant_42")
    assert config.database_name == "tenant_42"
    assert config is await loaded.find("tenant_42")
    configs = only(loaded)._configs
    assert configs is not None and [name for name, made in configs.items() if made] == ["42"]


async def test_a_new_tenant_is_found_at_once_and_unknown_ids_ask_once_a_second(
    clock: list[float],
) -> None:
    source = Tenants("a")
    loaded = project(family(tenants=source.plain))
    first = await loaded.find("tenant_a")
    clock[0] += 2
    source.ids.append("new")
    assert (await loaded.find("tenant_new")).database_name == "tenant_new"
    assert source.asked == 2
    assert await loaded.find("tenant_a") is first
    for _ in range(50):
        with pytest.raises(UnknownDatabase, match="no tenant has the database 'tenant_zzz'"):
            await loaded.find("tenant_zzz")
    assert source.asked == 2
    clock[0] += 2
    with pytest.raises(UnknownDatabase):
        await loaded.find("tenant_zzz")
    assert source.asked == 3


async def test_an_old_list_is_refreshed(clock: list[float]) -> None:
    source = Tenants("a", "gone")
    loaded = project(family(tenants=source.plain, refresh_after=60))
    await loaded.find("tenant_gone")
    source.ids.remove("gone")
    clock[0] += 59
    await loaded.find("tenant_gone")
    clock[0] += 2
    with pytest.raises(UnknownDatabase):
        await loaded.find("tenant_gone")
    await loaded.expand(["tenant_*"])
    assert (loaded.names, source.asked) == (("tenant_a",), 2)


async def test_a_list_can_be_kept_forever_and_refreshed_on_demand(clock: list[float]) -> None:
    source = Tenants("a")
    loaded = project(family(tenants=source.plain, refresh_after=None))
    await loaded.expand(all_databases=True)
    source.ids.append("b")
    clock[0] += 1e9
    await loaded.expand(all_databases=True)
    assert list(loaded.names) == ["tenant_a"]
    await loaded.refresh()
    assert (loaded.names, source.asked) == (("tenant_a", "tenant_b"), 2)


async def test_a_failed_refresh_keeps_the_list_and_is_logged(
    clock: list[float],
) -> None:
    source = Tenants("a")
    loaded = project(family(tenants=source.plain))
    await loaded.expand(all_databases=True)
    source.fails = OSError("postgresql://ann:hunter2@h is down")
    clock[0] += 61
    heard: list[telemetry.Event] = []
    with telemetry.listening(heard.append):
        await loaded.find("tenant_a")
        await loaded.find("tenant_a")
    (event,) = heard
    assert (event.name, event.level) == ("tenants_not_refreshed", "warning")
    assert "OSError" in event.fields["error"] and "hunter2" not in str(event)
    with pytest.raises(ConnectError, match="the tenants failed: OSError"):
        await loaded.refresh()
    assert loaded.names == ("tenant_a",)


async def test_a_failed_first_list_is_an_error_with_the_functions_name(
    clock: list[float],
) -> None:
    source = Tenants()
    source.fails = RuntimeError("no")
    loaded = project(family(tenants=source.plain))
    with pytest.raises(ConnectError) as caught:
        await loaded.expand(all_databases=True)
    assert "Tenants.plain() that gives the tenants failed: RuntimeError: no" in str(caught.value)
    assert "Tenants.plain()" in str(caught.value.next_step)
    with pytest.raises(ConnectError, match="a moment ago"):
        await loaded.find("tenant_a")
    assert source.asked == 1
    clock[0] += 2
    source.fails = None
    source.ids = ["a"]
    assert (await loaded.find("tenant_a")).database_name == "tenant_a"


async def test_a_hanging_function_is_abandoned_after_the_time_limit() -> None:
    loaded = project(family(tenants=Tenants().forever, timeout=0.01))
    with pytest.raises(ConnectError, match=r"it did not end within 0\.01 s"):
        await loaded.expand(all_databases=True)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (["good", "../x"], "'../x'"),
        ("acme", "it is of type str"),
        (None, "it is of type NoneType"),
        ([b"x"], "a value of type bytes"),
    ],
)
async def test_an_answer_that_is_no_list_of_ids_is_refused(answer: Any, words: str) -> None:
    source = Tenants()
    source.ids = answer
    with pytest.raises(ConfigurationError, match="the list of tenants cannot be used") as caught:
        await project(family(tenants=source.plain)).expand(all_databases=True)
    assert words in caught.value.message
    assert caught.value.database == "tenant_{tenant_id}"


def test_ten_thousand_tenants_take_little_memory() -> None:
    ids = [f"customer-{number}" for number in range(10_000)]
    loaded = project(family(tenants=[], engine_options={"echo": False}))
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    only(loaded)._store_ids(ids)
    databases = loaded.databases
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(databases) == 10_000
    assert (after - before) / len(databases) < 2048
    assert databases[0].engine_options is databases[-1].engine_options
