"""A set of files is applied and rolled back while the old and the new release read and write."""

import pytest

from dbwarden.operations.backfill import backfill
from dbwarden.operations.migrate import migrate
from dbwarden.operations.rollback import rollback
from tests.integration.authoring.conftest import Project
from tests.traffic import FILLS, NEW_MODELS, OLD_MODELS, rows_sql, traffic

ROWS = 100_000


@pytest.mark.long
async def test_both_releases_work_while_a_set_is_applied_and_rolled_back(project: Project) -> None:
    project.models(OLD_MODELS)
    await project.made("before")
    await project.execute(rows_sql(ROWS))
    project.models(NEW_MODELS)
    made = await project.make("after", online=True, fills=FILLS, allow_drop=["orders.note"])
    assert [item.phase for item in made.files] == ["pre", "pre", "pre", "post"]
    url = project.server.url(project.database)
    async with traffic(url, ROWS) as clients:
        await migrate(project.config, to="0003")  # adds, and starts the backfill
        await backfill(project.config)
        await migrate(project.config, to="0004")  # switches
        clients.releases = ("old", "new")
        await clients.more()
        clients.releases = ("new",)
        await clients.more()
        await migrate(project.config)  # drops what only the old release used
        await clients.more()
        await rollback(project.config, count=1)
        clients.releases = ("old", "new")
        await clients.more()
        clients.releases = ("old",)
        await clients.more()
        await rollback(project.config, to="0001")
        await clients.more()
        assert clients.errors == []
    assert await clients.wrong_rows() == []
