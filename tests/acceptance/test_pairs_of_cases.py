"""From a schema of one case to a schema of another: changes that nobody thought of together."""

import random
from collections.abc import AsyncIterator

import pytest

from dbwarden.dialects.postgresql.ddl import render
from dbwarden.diff import diff
from dbwarden.diff.statements import merge_statements
from dbwarden.errors import UnsupportedChange
from tests.acceptance.cases import Case
from tests.acceptance.judging import Judge, judging
from tests.acceptance.test_cases import CASES, assert_same

SEEDS = 600


# None with rows or rights, which may contradict the other schema.
SCHEMAS = [
    (text, case.since)
    for param in CASES
    for case in param.values
    if isinstance(case, Case) and not case.privileges
    for text in (case.old, case.new)
    if "INSERT INTO" not in text
]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop for the module: the judge keeps its connections."""
    return "asyncio"


@pytest.fixture(scope="module")
async def judge(cases_url: str, anyio_backend: str) -> AsyncIterator[Judge]:
    """Databases to judge in, shared by all pairs."""
    async with judging(cases_url) as made:
        yield made


@pytest.mark.long(share=20)
@pytest.mark.parametrize("seed", range(SEEDS))
async def test_any_schema_becomes_any_other(seed: int, judge: Judge) -> None:
    (old, old_since), (new, new_since) = random.Random(seed).sample(SCHEMAS, 2)
    if judge.version < max(old_since, new_since):
        pytest.skip("needs a newer PostgreSQL")
    current = await judge.side(old, privileges=False)
    desired = await judge.side(new, privileges=False)
    try:
        upgrade = merge_statements(render(diff(current, desired), current=current, desired=desired))
    except UnsupportedChange:
        return  # says so before anything is written
    async with judge.database() as database:
        await database.run_text(old)
        await database.run(upgrade)
        await assert_same(judge, database, desired, privileges=False)
