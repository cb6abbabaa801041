"""The declaration of a family: its pattern, the ids and the options."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbwarden.config.registry import (
    DatabaseDeclaration,
)
from dbwarden.config.urls import parse_url
from dbwarden.errors import ConfigurationError, UnknownDatabase
from tests.unit.config.families import PG, SQLITE, family, only, problems, project, single

INJECTIONS = (
    *("../x", "x/../y", "a?b", "a#b", "a@evil", "a:b", "a b", "a%2e", "a'b", 'a"b', "a;b", "a\\b"),
    *("", ".", "..", "-a", "_a", "a\n", "a\0", "\u00e9", "\u0131", "\u0663", "a*", "a[b]", "{x}"),
    *("a/b", "$(x)", "`x`", "a&b", "a=b", "a,b", "~", "%s", "{tenant_id}"),
)


@pytest.mark.parametrize("bad", INJECTIONS)
def test_an_id_that_could_mean_something_else_is_refused_and_named(bad: str) -> None:
    told = problems(family(tenants=["good", bad]))
    assert "tenant_{tenant_id}.tenants: " in told and repr(bad) in told
    assert "dbwarden.py:7" in told


@pytest.mark.parametrize("bad", INJECTIONS)
def test_no_id_pattern_accepts_such_an_id(bad: str) -> None:
    assert repr(bad) in problems(family(tenants=[bad], id_pattern="(?s).*"))


@pytest.mark.parametrize("bad", INJECTIONS)
async def test_an_invalid_tenant_name_cannot_be_created(bad: str) -> None:
    loaded = project(family())
    for call in (loaded.database, lambda name: loaded.database(name, unlisted=True)):
        with pytest.raises(UnknownDatabase):
            call(f"tenant_{bad}")
    with pytest.raises(UnknownDatabase):
        await loaded.find(f"tenant_{bad}")


@given(st.text(max_size=70))
def test_any_id_changes_only_the_database_name(text: str) -> None:
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


def test_an_id_is_listed_once() -> None:
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


def test_no_database_name_exceeds_63_bytes() -> None:
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
def test_problems_use_the_names_of_the_declaration(options: dict[str, Any], words: str) -> None:
    told = problems(family(**options))
    assert words in told
    assert "tenant0id" not in told


def test_an_option_of_tenants_is_refused_for_a_database() -> None:
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
def test_tenants_and_other_databases_must_not_collide(
    others: list[DatabaseDeclaration], words: str
) -> None:
    told = problems(family(), *others)
    assert words in told
    assert "tenant0id" not in told


def test_the_template_database_of_the_tenants_may_be_configured_too() -> None:
    loaded = project(family(), single("template", database_url="postgresql://h/tenant_template"))
    assert loaded.names == ("tenant_a", "tenant_b", "template")


async def test_a_list_with_the_database_of_another_is_refused() -> None:
    loaded = project(
        family(tenants=lambda: ["a", "template"]),
        single("template", database_url="postgresql://h/tenant_template"),
    )
    with pytest.raises(ConfigurationError, match="'template': its database is that of 'template'"):
        await loaded.expand(all_databases=True)
    with pytest.raises(UnknownDatabase):
        loaded.database("tenant_template", unlisted=True)


def test_families_with_different_suffixes_do_not_overlap() -> None:
    other = family(name="{tenant_id}_shop", database_url=SQLITE)
    told = problems(family(), other)  # tenant_x_shop could be either's
    assert "its names may be those of" in told
    loaded = project(family(), family(name="shop_{tenant_id}", database_url=SQLITE))
    assert len(loaded.databases) == 4
