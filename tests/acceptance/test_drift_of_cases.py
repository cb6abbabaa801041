"""Make each case's change by hand: it is found as drift, and the fingerprint shows it.

What dbwarden's own migrations change is no drift, and no change outside of migrations.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dbwarden.dialects.postgresql.ddl import render
from dbwarden.diff import diff
from dbwarden.diff.changes import invert
from dbwarden.diff.statements import PlannedStatement, RenderOptions, merge_statements
from dbwarden.operations.migrate import migrate
from dbwarden.schema import Schema
from tests.acceptance.cases import Case
from tests.acceptance.drifting import begin, drift, open_changes
from tests.acceptance.judging import Judge, judging
from tests.acceptance.project import Project
from tests.acceptance.test_cases import CASES, renaming


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


def statements(
    case: Case, current: Schema, desired: Schema
) -> tuple[list[PlannedStatement], list[PlannedStatement]]:
    """There and back."""
    renames = tuple(renaming(text) for text in case.renames)
    options = RenderOptions(using=case.using, fills=case.fills)
    there = render(
        diff(current, desired, renames), current=current, desired=desired, options=options
    )
    back = render(
        diff(desired, current, invert(renames)), current=desired, desired=current, options=options
    )
    return list(merge_statements(there)), list(merge_statements(back))


async def sides(case: Case, judge: Judge) -> tuple[Schema, Schema]:
    """Both schemas of a case, as the server has them."""
    if judge.version < case.since:
        pytest.skip(f"needs PostgreSQL {case.since // 10000}")
    current = await judge.side(case.old, privileges=case.privileges)
    return current, await judge.side(case.new, privileges=case.privileges)


@pytest.mark.long(share=40)
@pytest.mark.parametrize("case", CASES)
async def test_a_change_by_hand_is_drift_until_it_is_undone(
    case: Case, judge: Judge, root: Path, tmp_path: Path
) -> None:
    current, desired = await sides(case, judge)
    there, back = statements(case, current, desired)
    async with judge.database() as database:
        project = Project(root, tmp_path, "postgresql", database.url, judge.url, case.privileges)
        await begin(project, case.old)
        await database.run(there)
        assert bool(await drift(project)) == bool(diff(current, desired))
        await database.run(back)
        assert await drift(project) == []


@pytest.mark.long(share=8)
@pytest.mark.parametrize("case", CASES)
async def test_the_fingerprint_changes_with_what_is_made_by_hand_alone(
    case: Case, judge: Judge, root: Path, tmp_path: Path
) -> None:
    current, desired = await sides(case, judge)
    there, back = statements(case, current, desired)
    async with judge.database() as database:
        project = Project(root, tmp_path, "postgresql", database.url, judge.url, case.privileges)
        await begin(project, case.old)
        await database.run(there)
        assert len(await open_changes(project)) == 1
        await database.run(back)
        marks = [("" if it.transactional else "-- @dbwarden:autocommit\n", it.text) for it in there]
        text = "".join(f"{mark}{sql};\n" for mark, sql in marks)
        project.write("primary__0002_new.sql", f"-- upgrade\n{text}")
        await migrate(project.config)
        assert await open_changes(project) == []
