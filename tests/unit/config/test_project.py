"""Databases and tenants that a command chooses."""

import pytest

from dbwarden.config.project import Project
from dbwarden.errors import UnknownDatabase
from dbwarden.library import DatabaseHandle
from tests.unit.config.families import Tenants, family, project, single


def chosen(loaded: Project, *names: str, **how: bool) -> list[str]:
    return [config.database_name for config in loaded.select(names, **how)]


def test_patterns_and_all_take_tenants_too() -> None:
    loaded = project(single("primary"), family(tenants=["a1", "a2", "b1"]))
    assert chosen(loaded, "tenant_a*") == ["tenant_a1", "tenant_a2"]
    assert chosen(loaded, "tenant_?1", "primary") == ["primary", "tenant_a1", "tenant_b1"]
    assert chosen(loaded, "tenant_a2", "tenant_*") == ["tenant_a1", "tenant_a2", "tenant_b1"]
    assert chosen(loaded, all_databases=True) == list(loaded.names)
    assert chosen(loaded, DatabaseHandle("primary")) == ["primary"]


def test_a_pattern_without_a_match_is_an_error_unless_there_are_no_tenants() -> None:
    with pytest.raises(UnknownDatabase):
        chosen(project(family()), "tenant_x*")
    nobody = project(single("primary"), family(tenants=[]))
    assert chosen(nobody, "tenant_*") == []
    with pytest.raises(UnknownDatabase):
        chosen(nobody, "shop_*")


def test_an_unlisted_tenant_can_be_named_where_allowed() -> None:
    loaded = project(family())
    with pytest.raises(UnknownDatabase, match="'tenant_new'") as caught:
        chosen(loaded, "tenant_new")
    assert "has 2; add it there" in str(caught.value.next_step)
    assert chosen(loaded, "tenant_new", unlisted=True) == ["tenant_new"]
    assert chosen(loaded, "tenant_a", unlisted=True) == ["tenant_a"]


async def test_an_unknown_tenant_is_reported_before_the_list_is_read() -> None:
    loaded = project(family(tenants=Tenants("a").plain))
    with pytest.raises(UnknownDatabase) as caught:
        loaded.database("tenant_a")
    assert "was not asked for yet" in str(caught.value.next_step)


def test_an_impossible_tenant_name_is_refused_with_the_reason() -> None:
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
