"""A live database is printed as SQL or becomes the first migration."""

import pytest

from dbwarden.errors import ReadOnlyDatabase, UsageError
from dbwarden.operations.diff import drift
from dbwarden.operations.repair import repair
from dbwarden.operations.schema import adopt, schema_sql
from dbwarden.operations.verify import verify
from tests.integration.authoring.conftest import Project
from tests.integration.authoring.handwritten import NOT_NULLS, USERS


async def test_the_schema_is_printed_as_sql_that_builds_it(project: Project) -> None:
    project.migration(1, USERS)
    await project.migrate()
    from_files = await schema_sql(project.config)
    from_live = await schema_sql(project.config, live=True)
    assert from_files.sql == from_live.sql
    assert "CREATE TABLE users (" in from_files.sql
    assert "CREATE VIEW loud" in from_files.sql


async def test_a_live_database_becomes_the_first_migration(project: Project) -> None:
    for statement in USERS.partition("-- rollback")[0].replace("-- upgrade", "").split(";\n"):
        await project.fetch(statement)
    done = await adopt(project.config)
    assert done.marked == ("0001",)
    assert "-- Verdict: exact" in done.path.read_text()
    assert (await drift(project.config)).clean
    assert (await verify(project.config)).clean
    with pytest.raises(UsageError, match="there are migrations already"):
        await adopt(project.config)


async def test_a_database_with_a_history_is_not_adopted_again(project: Project) -> None:
    path = project.migration(1, USERS)
    await project.migrate()
    path.unlink()
    with pytest.raises(
        UsageError, match="its migration history has a migration already, up to 0001"
    ) as caught:
        await adopt(project.config)
    assert "dbwarden repair -d primary --forget 0001" in (caught.value.next_step or "")
    assert list(path.parent.iterdir()) == []
    await repair(project.config, forget=["0001"])
    assert (await adopt(project.config)).marked == ("0001",)


async def test_a_read_only_database_is_not_adopted(project: Project) -> None:
    await project.fetch("CREATE TABLE users (id int)")
    name = project.database
    await project.fetch(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(ReadOnlyDatabase):
        await adopt(project.config)
    assert not (project.root / "migrations").exists()


NAMES = (
    "SELECT conname, convalidated, connoinherit FROM pg_constraint WHERE contype = 'n' ORDER BY 1"
)


async def test_baseline_keeps_the_names_of_not_null(project: Project) -> None:
    project.needs(18)
    for statement in NOT_NULLS.removeprefix("\n-- upgrade\n").split(";")[:-1]:
        await project.fetch(statement)
    names = await project.fetch(NAMES)
    await adopt(project.config)
    await project.fetch("DROP TABLE t")
    await project.fetch("DROP TABLE dbwarden_ledger")
    await project.migrate()
    assert await project.fetch(NAMES) != []
    assert [row for row in await project.fetch(NAMES) if row in names] == names
