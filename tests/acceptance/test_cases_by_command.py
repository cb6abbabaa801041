"""Run cases as a user does: files, make-migrations (twice, with the cache), migrate, rollback.

pg_dump judges whether a database is as it should be. ``test_cases.py`` runs every case through the
generator, and compares with dbwarden's own eyes. The path of the user and pg_dump cost many times
as much: ``make test`` takes a share of the cases, ``make long`` (and with it CI) all of them.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dbwarden.authoring.labels import columns_by_label
from dbwarden.errors import UnsupportedChange
from tests.acceptance.cases import Case
from tests.acceptance.judging import Database, Judge, comparable, judging
from tests.acceptance.project import Project
from tests.acceptance.test_cases import CASES

ONLINE = ("indexes", "constraints", "columns", "combinations")
"""The modules whose cases are also written in the forms that do not block."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop for the module: the judge keeps its connections."""
    return "asyncio"


@pytest.fixture(scope="module")
async def judge(cases_url: str, anyio_backend: str) -> AsyncIterator[Judge]:
    """Databases to judge in, shared by all cases."""
    async with judging(cases_url) as made:
        yield made


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the cache that all cases share."""
    return tmp_path_factory.mktemp("cache")


async def assert_dumps_alike(judge: Judge, database: Database, sql: str) -> None:
    """Assert that pg_dump sees no difference between *database* and what *sql* builds."""
    dumped, wanted = await database.dump(), await judge.dump(sql)
    if comparable(dumped) == comparable(wanted):
        return
    first, second = await judge.restored(dumped), await judge.restored(wanted)
    assert comparable(first) == comparable(second)


async def make_online(project: Project, judge: Judge, case: Case, answers: dict[str, Any]) -> None:
    """Write the files for tables in use or, where they are refused, what is allowed instead."""
    sides = [await judge.side(text, privileges=case.privileges) for text in (case.old, case.new)]
    tables = {name.rpartition(".")[0] for side in sides for name in columns_by_label(side)}
    renamed = [text.rpartition(" ")[2].partition(":")[0] for text in case.renames]
    known = {name for side in sides for name in columns_by_label(side)} | tables
    in_use = [it for it in renamed if it in known]
    try:
        made = await project.make_online(case.new, in_use, **answers)
    except UnsupportedChange as refused:
        assert "--allow-rewrite" in (refused.next_step or "")
        made = await project.make_online(case.new, in_use, allow_rewrite=sorted(tables), **answers)
    await project.proven(case.new, made)


@pytest.mark.long(share=40)
@pytest.mark.parametrize("case", CASES)
async def test_the_commands_lead_exactly_there_and_exactly_back(
    case: Case, judge: Judge, root: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if judge.version < case.since:
        pytest.skip(f"needs PostgreSQL {case.since // 10000}")
    answers: dict[str, Any] = {
        "renames": [text.rpartition(" ")[2] for text in case.renames],
        "using": case.using,
        "rollback_using": dict.fromkeys(case.using, "NULL"),  # the cases name only the way there
        "fills": case.fills,
    }
    async with judge.database() as database:
        project = Project(root, tmp_path, "postgresql", database.url, judge.url, case.privileges)
        if case.old:
            project.write("primary__0001_old.sql", f"-- upgrade\n{case.old}\n")
            await project.migrate()
        result = await project.made(case.new, **answers)
        upgrade = project.upgrade_of(result)
        assert all(word in upgrade for word in case.contains)
        assert not any(word in upgrade for word in case.lacks)
        await project.migrate()
        await assert_dumps_alike(judge, database, case.new)
        await project.rollback()
        await assert_dumps_alike(judge, database, case.old)
        if request.node.callspec.id.startswith(ONLINE):
            assert result.path is not None
            result.path.unlink()
            await make_online(project, judge, case, answers)
            await project.migrate()
            await assert_dumps_alike(judge, database, case.new)
