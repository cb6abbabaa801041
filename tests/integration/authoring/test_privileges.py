"""Grants and default privileges are compared on request, in both directions."""

import pytest

from tests.integration.authoring.conftest import Project

USERS = """
class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
"""
GRANTS = (
    USERS
    + """
event.listen(Base.metadata, "after_create", DDL("GRANT SELECT ON users TO pg_monitor"))
event.listen(Base.metadata, "after_create", DDL(
    "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO pg_monitor"))
"""
)


@pytest.fixture
def compared(project: Project) -> Project:
    project.options["compare_privileges"] = True
    return project


async def may_read(project: Project) -> bool:
    (row,) = await project.fetch("SELECT has_table_privilege('pg_monitor', 'users', 'SELECT')")
    return bool(row[0])


async def test_a_grant_of_the_models_is_written_with_its_rollback(compared: Project) -> None:
    compared.models(USERS)
    await compared.made("users")
    assert not await may_read(compared)
    compared.models(GRANTS)
    upgrade, _, rollback = (await compared.made("grants")).partition("-- rollback")
    assert "GRANT SELECT ON TABLE users TO pg_monitor;" in upgrade
    assert "ALTER DEFAULT PRIVILEGES" in upgrade
    assert "REVOKE" in rollback
    assert await may_read(compared)


async def test_a_grant_by_hand_stays_when_no_model_mentions_it(compared: Project) -> None:
    compared.models(USERS)
    await compared.made("users")
    compared.migration(
        2,
        "-- upgrade\nGRANT SELECT ON users TO pg_monitor;\n\n"
        "-- rollback\nREVOKE SELECT ON users FROM pg_monitor;\n",
    )
    assert (await compared.make("nothing")).agree


async def test_grants_are_compared_only_on_request(project: Project) -> None:
    project.models(USERS)
    await project.made("users")
    project.models(GRANTS)
    assert (await project.make("nothing")).agree
