"""The cases with the forms for tables in use: file by file there, and file by file back."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from dbwarden.authoring.generate.file_set import SetFile, split
from dbwarden.authoring.generate.plan import Decisions, Plan
from dbwarden.authoring.labels import columns_by_label
from dbwarden.dialects.postgresql.ddl import render
from dbwarden.diff import diff
from dbwarden.diff.changes import Rename, invert
from dbwarden.diff.statements import PlannedStatement, RenderOptions, merge_statements, stages_of
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import ObjectKind, Schema
from tests.acceptance.cases import Case
from tests.acceptance.judging import Database, Judge, judging
from tests.acceptance.random_tables import random_case
from tests.acceptance.test_cases import CASES, assert_same, renaming

# Its rollback reads a column that has to have its old type already.
NOT_IN_USE = "columns-types_of_two_columns,_one_after_a_person's_words"
IN_USE = {ObjectKind.TABLE, ObjectKind.COLUMN}
ONLINE = [
    case
    for case in CASES
    if str(case.id).startswith(("indexes", "constraints", "columns", "combinations", "online"))
    and case.id != NOT_IN_USE
]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop for the module: the judge keeps its connections."""
    return "asyncio"


@pytest.fixture(scope="module")
async def judge(cases_url: str, anyio_backend: str) -> AsyncIterator[Judge]:
    """Databases to judge in, shared by all cases."""
    async with judging(cases_url) as made:
        yield made


def parts_of(
    case: Case, current: Schema, desired: Schema, in_use: tuple[Rename, ...]
) -> tuple[SetFile, ...]:
    """Return the files, if every changed type and default would rewrite its table."""
    every_rename = tuple(renaming(text) for text in case.renames)
    renames = Decisions(renames=every_rename, in_use=in_use).in_place
    every = {*columns_by_label(current), *columns_by_label(desired)}
    options = RenderOptions(using=case.using, fills=case.fills, online=True, rewritten=every)
    options = replace(options, using_back=case.using, renames_in_use=in_use)
    changes = diff(current, desired, renames)
    upgrade = render(changes, current=current, desired=desired, options=options)
    options = replace(options, back=True, using_back=case.using, stages=stages_of(upgrade))
    changes = diff(desired, current, invert(renames))
    rollback = render(changes, current=desired, desired=current, options=options)
    plan = Plan(upgrade=merge_statements(upgrade), rollback=merge_statements(rollback))
    return split(plan)


def whole(statements: Sequence[PlannedStatement]) -> Sequence[PlannedStatement]:
    """Return *statements* with one batch for all rows."""
    return [replace(item, text=item.text.replace("{batch}", "true")) for item in statements]


async def assert_each_way(judge: Judge, database: Database, parts: Sequence[SetFile]) -> None:
    """Assert that each file leads back to where it started."""
    states = []
    for part in parts:
        states.append(await database.read())
        await database.run(whole(part.plan.upgrade))
    for part, before in reversed(tuple(zip(parts, states, strict=True))):
        await database.run(part.plan.rollback or ())
        await assert_same(judge, database, before, privileges=False)


RENAMED = [it for it in ONLINE if isinstance(it.values[0], Case) and it.values[0].renames]


@pytest.mark.long(share=6)
@pytest.mark.parametrize("case", ONLINE)
async def test_files_for_tables_in_use_lead_there_and_back(case: Case, judge: Judge) -> None:
    renames = [renaming(text) for text in case.renames]
    in_use = [it for it in renames if isinstance(it, Rename) and it.before.kind in IN_USE]
    await assert_there_and_back(case, judge, tuple(in_use))


@pytest.mark.long(share=6)
@pytest.mark.parametrize("case", RENAMED)
async def test_renames_in_place_lead_there_and_back(case: Case, judge: Judge) -> None:
    await assert_there_and_back(case, judge, ())


@pytest.mark.long(share=12)
@pytest.mark.parametrize("seed", range(240))
async def test_files_for_random_changes_lead_there_and_back(seed: int, judge: Judge) -> None:
    case = random_case(seed)
    renames = [renaming(text) for text in case.renames]
    in_use = tuple(it for it in renames if isinstance(it, Rename)) if seed % 4 else ()
    await assert_there_and_back(case, judge, in_use)


async def assert_there_and_back(case: Case, judge: Judge, in_use: tuple[Rename, ...]) -> None:
    """Assert that the files lead there, and each of them back; or that the change is refused."""
    if judge.version < case.since:
        pytest.skip(f"needs PostgreSQL {case.since // 10000}")
    current = await judge.side(case.old, privileges=case.privileges)
    desired = await judge.side(case.new, privileges=case.privileges)
    try:
        parts = parts_of(case, current, desired, in_use)
    except UnsupportedChange as refused:
        step = refused.next_step or ""
        assert "--allow-re" in step or "a migration of its own" in step
        return
    async with judge.database() as database:
        await database.run_text(case.old)
        await assert_each_way(judge, database, parts)
        for part in parts:
            await database.run(whole(part.plan.upgrade))
        await assert_same(judge, database, desired, privileges=case.privileges)
