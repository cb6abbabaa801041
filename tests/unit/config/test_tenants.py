"""Databases by a pattern: which ids may enter a name or URL, whose list it is, and when it is
asked for."""

import gc
import re
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbwarden import telemetry
from dbwarden.config import tenants as tenants_module
from dbwarden.config.loading import load_project
from dbwarden.config.patterns import REFRESH_AFTER, TENANT_OPTIONS
from dbwarden.config.project import Project
from dbwarden.config.registry import (
    PROCESS,
    DatabaseHandle,
    Declaration,
    TenantDeclaration,
    tenant_databases,
)
from dbwarden.config.tenants import TenantFamily
from dbwarden.config.urls import parse_url
from dbwarden.config.validation import validate
from dbwarden.errors import ConfigurationError, ConnectError, UnknownDatabase, UsageError
from dbwarden.types import Location
from tests.urls import revealed

ROOT = Path("/project")
PG = "postgresql://ann:hunter2@h/tenant_{tenant_id}"
SQLITE = "sqlite:///data/{tenant_id}.db"
INJECTIONS = (
    *("../x", "x/../y", "a?b", "a#b", "a@evil", "a:b", "a b", "a%2e", "a'b", 'a"b', "a;b", "a\\b"),
    *("", ".", "..", "-a", "_a", "a\n", "a\0", "\u00e9", "\u0131", "\u0663", "a*", "a[b]", "{x}"),
    *("a/b", "$(x)", "`x`", "a&b", "a=b", "a,b", "~", "%s", "{tenant_id}"),
)


def declared(kind: type[Declaration], line: int, **options: Any) -> Declaration:
    return kind(options=options, location=Location(path=ROOT / "dbwarden.py", line=line))


def family(**options: Any) -> Declaration:
    given = {"name": "tenant_{tenant_id}", "database_url": PG, "tenants": ["a", "b"], **options}
    return declared(TenantDeclaration, 7, **{k: v for k, v in given.items() if v is not ...})


def single(name: str, **options: Any) -> Declaration:
    url = options.pop("database_url", f"postgresql://h/{name}")
    return declared(Declaration, 3, database_name=name, database_url=url, **options)


def problems(*declarations: Declaration) -> str:
    configs, found = validate(declarations, ROOT)
    assert configs == () and found
    assert "hunter2" not in repr(found)
    return "\n".join(found)


def project(*declarations: Declaration) -> Project:
    with ThreadPoolExecutor(1) as thread:  # it looks at the disk, and the tests guard the loop
        entries, found = thread.submit(validate, declarations, ROOT).result()
    assert found == ()
    return Project(path=ROOT / "dbwarden.py", root=ROOT, declared=entries)


def only(loaded: Project) -> TenantFamily:
    (found,) = loaded.families
    return found


# -- what a tenant's database is ----------------------------------------------------------------


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
def test_files_are_named_after_the_pattern_without_the_id(name: str, files: str) -> None:
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
    assert config.url is not None and config.url.search_path == "tenant_a"


def test_a_database_beside_tenants_is_not_the_default_by_itself() -> None:
    loaded = project(single("primary"), family())
    with pytest.raises(UsageError) as caught:
        _ = loaded.default
    assert "primary, tenant_* are configured" in caught.value.message
    assert project(single("primary", default=True), family()).default.database_name == "primary"


# -- ids ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", INJECTIONS)
def test_an_id_that_could_mean_something_else_is_refused_and_named(bad: str) -> None:
    told = problems(family(tenants=["good", bad]))
    assert "tenant_{tenant_id}.tenants: " in told and repr(bad) in told
    assert "dbwarden.py:7" in told


@pytest.mark.parametrize("bad", INJECTIONS)
def test_no_id_pattern_lets_such_an_id_in(bad: str) -> None:
    assert repr(bad) in problems(family(tenants=[bad], id_pattern="(?s).*"))


@pytest.mark.parametrize("bad", INJECTIONS)
async def test_such_a_name_is_no_database_even_to_make(bad: str) -> None:
    loaded = project(family())
    for call in (loaded.database, lambda name: loaded.database(name, unlisted=True)):
        with pytest.raises(UnknownDatabase):
            call(f"tenant_{bad}")
    with pytest.raises(UnknownDatabase):
        await loaded.find(f"tenant_{bad}")


@given(st.text(max_size=70))
def test_whatever_an_id_is_it_changes_nothing_but_the_databases_name(text: str) -> None:
    pattern = only(project(family())).pattern
    if pattern.problem_of(text) is None:
        url = parse_url(PG.replace("{tenant_id}", text))
        assert (url.hosts, url.user, url.query) == ((("h", None),), "ann", ())
        assert url.database == pattern.name_of(text)
        assert pattern.id_of(url.database) == text


def test_several_bad_ids_are_named_and_the_rest_counted() -> None:
    told = problems(family(tenants=[f"bad {n}" for n in range(8)]))
    assert "'bad 0'" in told and "'bad 4'" in told and "'bad 5'" not in told
    assert "and 3 more" in told


def test_an_id_is_there_once() -> None:
    assert "'a' is there twice" in problems(family(tenants=["a", "a"]))
    assert "differ in case only" in problems(family(tenants=["Ab", "aB"], id_pattern="[A-Za-z]+"))


def test_an_id_of_another_kind_is_refused() -> None:
    assert "a value of type NoneType is no id" in problems(family(tenants=["a", None]))
    assert "a value of type bool is no id" in problems(family(tenants=[True]))


def test_ids_may_be_narrowed_or_widened() -> None:
    assert project(family(tenants=["Acme.com"], id_pattern="[A-Z][a-z.]+")).names == (
        "tenant_Acme.com",
    )
    told = problems(family(tenants=["ab"], id_pattern=r"\d+"))
    assert r"it does not match id_pattern='\\d+'" in told


def test_no_name_is_so_long_that_postgresql_would_cut_it() -> None:
    loaded = project(family(tenants=["a" * 56]))
    assert len(loaded.names[0]) == 63
    assert "more than 56 characters" in problems(family(tenants=["a" * 57]))
    url = "postgresql://h/a_long_prefix_tenant_{tenant_id}_{tenant_id}"
    limit = (63 - len("a_long_prefix_tenant__")) // 2
    project(family(database_url=url, tenants=["a" * limit]))
    assert f"more than {limit} characters" in problems(
        family(database_url=url, tenants=["a" * (limit + 1)])
    )


def test_an_id_does_not_make_a_reserved_name() -> None:
    told = problems(family(name="tenant{tenant_id}", tenants=["s"]))
    assert "'tenants' is reserved" in told


# -- the declaration ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": ...}, "tenant_databases.name: is missing"),
        ({"database_url": ...}, "tenant_{tenant_id}.database_url: is missing"),
        ({"tenants": ...}, "tenant_{tenant_id}.tenants: is missing"),
        ({"name": 7}, "name: must be text"),
        ({"name": "postgresql://ann:hunter2@h/{tenant_id}"}, "tenant_databases.name: is a URL"),
        ({"name": "tenant"}, "name: must have {tenant_id} in it once"),
        ({"name": "t_{tenant_id}_{tenant_id}"}, "name: must have {tenant_id} in it once"),
        ({"name": "{tenant_id}"}, "name: must have a word beside {tenant_id}"),
        ({"name": "Tenant_{tenant_id}"}, "name: 'Tenant'"),
        ({"name": "tenant__{tenant_id}"}, "name: 'tenant__"),
        ({"name": "all_{tenant_id}"}, "name: 'all' is reserved"),
        ({"database_url": "postgresql://h/app"}, "database_url: has no {tenant_id}"),
        ({"migration_url": "postgresql://h/app"}, "migration_url: has no {tenant_id}"),
        ({"dev_database_url": "postgresql://h/dev"}, "dev_database_url: has no {tenant_id}"),
        ({"database_url": lambda: PG}, "database_url: must be text with {tenant_id}"),
        (
            {"database_url": "postgresql://{tenant_id}@h/app"},
            "database_url: leads all tenants to one database",
        ),
        (
            {"database_url": "postgresql://h:{tenant_id}/app"},
            "database_url: the port is not a number",
        ),
        ({"database_url": "mongo://h/{tenant_id}"}, "database_url: 'mongo' is no kind"),
        ({"tenants": "acme"}, "tenants: it is of type str, not a list"),
        ({"tenants": 7}, "tenants: it is of type int, not a list"),
        ({"id_pattern": "["}, "id_pattern: is no regular expression"),
        ({"id_pattern": 7}, "id_pattern: must be a regular expression"),
        ({"refresh_after": 0}, "refresh_after: must be a number of seconds"),
        ({"default": True}, "default: a tenant cannot be the default"),
        ({"replica_of": "primary"}, "replica_of: tenants cannot be declared as replicas"),
        ({"database_name": "x"}, "name: stands for database_name here"),
        ({"timeuot": 3}, "timeuot: there is no such option; did you mean 'timeout'?"),
        ({"ledger_schema": "x", "database_url": SQLITE}, "ledger_schema: SQLite has no"),
    ],
)
def test_what_is_wrong_is_told_by_the_names_that_the_user_wrote(
    options: dict[str, Any], words: str
) -> None:
    told = problems(family(**options))
    assert words in told
    assert "tenant0id" not in told


def test_an_option_of_tenants_is_none_of_a_database() -> None:
    told = problems(single("primary", tenants=["a"]))
    assert "primary.tenants: there is no such option of database_config" in told


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ([single("tenant")], "'tenant' is configured already"),
        ([single("tenant_x")], "tenant_x.database_name: 'tenant_x' could be a tenant of"),
        ([family(database_url=SQLITE)], "name: 'tenant' is configured already"),
        (
            [family(name="tenant_eu_{tenant_id}", database_url=SQLITE)],
            "name: its names may be those of 'tenant_{tenant_id}' too",
        ),
        ([family(name="shop_{tenant_id}")], "database_url: is the same database as"),
        (
            [
                family(
                    name="shop_{tenant_id}", database_url=SQLITE, migrations_dir="migrations/tenant"
                )
            ],
            "migrations_dir: is the folder of",
        ),
        ([single("replica", replica_of="tenant")], "'tenant' are tenants, and a replica has one"),
        (
            [single("legacy", database_url="postgresql://h/tenant_b")],
            "tenant_{tenant_id}.tenants: 'b': its database is that of 'legacy' already",
        ),
    ],
)
def test_tenants_and_other_databases_are_told_apart(others: list[Declaration], words: str) -> None:
    told = problems(family(), *others)
    assert words in told
    assert "tenant0id" not in told


def test_the_template_database_of_the_tenants_may_be_configured_too() -> None:
    loaded = project(family(), single("template", database_url="postgresql://h/tenant_template"))
    assert loaded.names == ("tenant_a", "tenant_b", "template")


async def test_a_list_that_takes_another_databases_place_is_refused_when_it_is_given() -> None:
    loaded = project(
        family(tenants=lambda: ["a", "template"]),
        single("template", database_url="postgresql://h/tenant_template"),
    )
    with pytest.raises(ConfigurationError, match="'template': its database is that of 'template'"):
        await loaded.expand(all_databases=True)
    with pytest.raises(UnknownDatabase):
        loaded.database("tenant_template", unlisted=True)


def test_families_with_different_ends_are_told_apart() -> None:
    other = family(name="{tenant_id}_shop", database_url=SQLITE)
    told = problems(family(), other)  # tenant_x_shop could be either's
    assert "its names may be those of" in told
    loaded = project(family(), family(name="shop_{tenant_id}", database_url=SQLITE))
    assert len(loaded.databases) == 4


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
async def test_a_program_without_a_file_asks_once_too() -> None:
    asked: list[int] = []

    def who() -> list[str]:
        asked.append(1)
        return ["a"]

    await anyio.to_thread.run_sync(
        lambda: tenant_databases(name="tenant_{tenant_id}", database_url=PG, tenants=who)
    )
    for _ in range(2):
        loaded = await anyio.to_thread.run_sync(load_project)
        await loaded.find("tenant_a")
    assert asked == [1]
    PROCESS.declarations.append(single("later"))
    assert (await anyio.to_thread.run_sync(load_project)).names == ("later",)


# -- the list -------------------------------------------------------------------------------------


class Tenants:
    """Somebody's list, and how often it was asked for."""

    def __init__(self, *ids: str) -> None:
        self.ids: Any = list(ids)
        self.asked = 0
        self.fails: Exception | None = None

    def plain(self) -> Any:
        self.asked += 1
        if self.fails is not None:
            raise self.fails
        return self.ids

    async def slow(self) -> Any:
        await anyio.sleep(0.01)
        return self.plain()

    async def forever(self) -> Any:
        await anyio.sleep_forever()


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
async def test_a_function_is_asked_when_somebody_needs_the_list_and_once(kind: str) -> None:
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


async def test_all_who_ask_at_the_same_time_get_one_answer() -> None:
    source = Tenants("a")
    loaded = project(family(tenants=source.slow))
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(loaded.find, "tenant_a")
    assert source.asked == 1


async def test_one_tenant_is_found_without_making_the_others() -> None:
    loaded = project(family(tenants=Tenants(*map(str, range(1000))).plain))
    config = await loaded.find("tenant_42")
    assert config.database_name == "tenant_42"
    assert config is await loaded.find("tenant_42")
    configs = only(loaded)._configs
    assert configs is not None and [name for name, made in configs.items() if made] == ["42"]


async def test_a_new_tenant_is_known_at_once_and_strangers_cost_a_question_a_second(
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


async def test_an_old_list_is_asked_for_again(clock: list[float]) -> None:
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


async def test_a_list_can_be_kept_for_good_and_refreshed_by_hand(clock: list[float]) -> None:
    source = Tenants("a")
    loaded = project(family(tenants=source.plain, refresh_after=None))
    await loaded.expand(all_databases=True)
    source.ids.append("b")
    clock[0] += 1e9
    await loaded.expand(all_databases=True)
    assert list(loaded.names) == ["tenant_a"]
    await loaded.refresh()
    assert (loaded.names, source.asked) == (("tenant_a", "tenant_b"), 2)


async def test_a_list_that_cannot_be_had_again_stays_and_the_log_says_so(
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


async def test_a_list_that_cannot_be_had_is_an_error_with_the_functions_name(
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


async def test_a_function_that_hangs_is_given_up_within_the_time_limit() -> None:
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


# -- choosing -------------------------------------------------------------------------------------


def chosen(loaded: Project, *names: str, **how: bool) -> list[str]:
    return [config.database_name for config in loaded.select(names, **how)]


def test_patterns_and_all_take_tenants_too() -> None:
    loaded = project(single("primary"), family(tenants=["a1", "a2", "b1"]))
    assert chosen(loaded, "tenant_a*") == ["tenant_a1", "tenant_a2"]
    assert chosen(loaded, "tenant_?1", "primary") == ["primary", "tenant_a1", "tenant_b1"]
    assert chosen(loaded, "tenant_a2", "tenant_*") == ["tenant_a1", "tenant_a2", "tenant_b1"]
    assert chosen(loaded, all_databases=True) == list(loaded.names)
    assert chosen(loaded, DatabaseHandle("primary")) == ["primary"]


def test_a_pattern_that_fits_no_tenant_is_a_mistake_unless_there_is_none() -> None:
    with pytest.raises(UnknownDatabase):
        chosen(project(family()), "tenant_x*")
    nobody = project(single("primary"), family(tenants=[]))
    assert chosen(nobody, "tenant_*") == []
    with pytest.raises(UnknownDatabase):
        chosen(nobody, "shop_*")


def test_a_tenant_that_is_not_listed_yet_can_be_named_where_that_is_meant() -> None:
    loaded = project(family())
    with pytest.raises(UnknownDatabase, match="'tenant_new'") as caught:
        chosen(loaded, "tenant_new")
    assert "has 2; add it there" in str(caught.value.next_step)
    assert chosen(loaded, "tenant_new", unlisted=True) == ["tenant_new"]
    assert chosen(loaded, "tenant_a", unlisted=True) == ["tenant_a"]


async def test_who_is_unknown_before_anybody_asked_is_told_so() -> None:
    loaded = project(family(tenants=Tenants("a").plain))
    with pytest.raises(UnknownDatabase) as caught:
        loaded.database("tenant_a")
    assert "was not asked for yet" in str(caught.value.next_step)


def test_a_name_that_cannot_be_a_tenants_is_told_why() -> None:
    with pytest.raises(UnknownDatabase, match="an id has small letters"):
        project(family()).database("tenant_Acme")
    with pytest.raises(UnknownDatabase, match="did you mean 'primary'"):
        project(single("primary"), family()).database("primry")


def test_migrations_are_written_for_the_family() -> None:
    loaded = project(single("primary"), family(tenants=[]), single("copy", replica_of="primary"))
    assert [config.files_of for config in loaded.authors] == ["primary", "tenant"]
    assert loaded.author("tenant").files_of == "tenant"
    assert loaded.author("primary").files_of == "primary"
    with pytest.raises(UnknownDatabase):
        loaded.author("shop")


def test_every_option_has_its_row_in_the_documentation() -> None:
    text = (Path(__file__).parents[3] / "docs" / "tenants.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", text, re.MULTILINE))
    assert set(rows) == {*TENANT_OPTIONS, "database_url"}
    assert rows["id_pattern"] == f"`{tenants_module.DEFAULT_IDS}`"
    assert rows["refresh_after"] == f"`{REFRESH_AFTER:g}`"


# -- cost -----------------------------------------------------------------------------------------


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
