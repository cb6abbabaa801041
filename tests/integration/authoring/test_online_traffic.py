"""A set of files is applied and rolled back while the old and the new release read and write."""

import pytest

from dbwarden.operations.backfill import backfill
from dbwarden.operations.migrate import migrate
from dbwarden.operations.rollback import rollback
from tests.integration.authoring.conftest import Project
from tests.traffic import (
    NEW_COLUMN_NAME,
    NEW_TABLE_NAME,
    NEW_TYPE,
    Scenario,
    rows_sql,
    traffic,
)

FEW, MANY = 2_000, 100_000


@pytest.mark.parametrize(
    ("scenario", "rows"),
    [
        pytest.param(NEW_COLUMN_NAME, FEW, id="a new name of a column"),
        pytest.param(NEW_TABLE_NAME, FEW, id="a new name of a table"),
        pytest.param(NEW_TYPE, MANY, id="a new type, many rows", marks=pytest.mark.long),
        pytest.param(NEW_COLUMN_NAME, MANY, id="a new name, many rows", marks=pytest.mark.long),
    ],
)
async def test_both_releases_work_while_a_set_is_applied_and_rolled_back(
    project: Project, scenario: Scenario, rows: int
) -> None:
    project.models(scenario.old)
    await project.made("before")
    await project.execute(rows_sql(rows))
    project.models(scenario.new)
    made = await project.make("after", online=True, **scenario.options)
    *before, last = made.files
    assert [item.phase for item in before] == ["pre"] * len(before)
    assert last.phase == "post"
    filled = next((item.version for item in reversed(before) if item.backfill), None)
    url = project.server.url(project.database)
    async with traffic(url, rows, scenario) as clients:
        await _migrate_before(project, filled, before[-1].version)
        clients.releases = ("old", "new")
        await clients.more()
        clients.releases = ("new",)
        await clients.more()
        await migrate(project.config)  # drops what only the old release used
        await clients.more()
        assert (await project.make("nothing")).agree
        await rollback(project.config, count=1)
        clients.releases = ("old", "new")
        await clients.more()
        clients.releases = ("old",)
        await clients.more()
        await rollback(project.config, to="0001")
        await clients.more()
        assert clients.errors == []
    assert await clients.wrong_rows() == []
    await _migrate_before(project, filled, before[-1].version)
    await migrate(project.config)
    assert await clients.wrong_rows(table=scenario.table, amount=scenario.amount) == []


async def _migrate_before(project: Project, filled: str | None, last: str) -> None:
    """Apply the files for before the deployment, the last of which switches."""
    if filled is not None:
        await migrate(project.config, to=filled)  # adds, and starts the backfill
        await backfill(project.config)
    await migrate(project.config, to=last)
