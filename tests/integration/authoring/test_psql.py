"""The sections of a generated file run in psql."""

import subprocess

import pytest

from dbwarden.operations.diff import drift
from tests.integration.authoring.conftest import Project
from tests.integration.authoring.models_before_and_after import AFTER, BEFORE


@pytest.mark.parametrize("online", [False, True])
async def test_psql_runs_each_section_unchanged(project: Project, online: bool) -> None:
    assert project.server.binaries is not None
    psql = project.server.binaries.program("psql")
    if not psql.exists():
        pytest.skip("these programs come without psql")
    project.models(BEFORE)
    first = await project.make("before")
    await project.migrate()
    project.models(AFTER)
    second = await project.make("after", online=online, fills={"users.nick": "''"})
    assert first.path is not None
    paths = [item.path for item in second.files if item.path is not None]
    # A person has no batches: the backfill fills all rows at once.
    texts = [path.read_text().replace("{batch}", "true").split("-- rollback\n") for path in paths]
    upgrade = "\n".join(sections[0] for sections in texts)
    rollback = "\n".join(sections[1] for sections in reversed(texts) if len(sections) > 1)
    for number, text in enumerate((upgrade, rollback, upgrade)):
        file = project.file(f"section_{number}.sql", text)
        options = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(file)]
        url = project.server.url(project.database)
        done = subprocess.run([psql, *options, url], capture_output=True, text=True)  # noqa: ASYNC221  # nothing else waits
        assert (done.returncode, done.stderr) == (0, "")
        if text is rollback:
            for path in paths:
                path.rename(path.with_suffix(".away"))
            assert (await drift(project.config)).clean
            for path in paths:
                path.with_suffix(".away").rename(path)
    assert (await drift(project.config)).clean
