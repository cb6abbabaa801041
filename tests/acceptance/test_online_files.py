"""``lint`` finds little in the files that ``make-migrations --online`` writes, and says why."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dbwarden.operations.lint import lint
from tests.acceptance.cases import Case
from tests.acceptance.judging import Judge, judging
from tests.acceptance.project import Project
from tests.acceptance.test_cases import CASES

KNOWN = {
    # what the person asked for, so that the person may allow it
    *("drop-column", "drop-table", "rename"),
    # changes for which --online has no other form yet: new types, stored computed columns, serials
    *("rewrite", "type-change", "volatile-default"),
    # fills
    *("backfill-in-transaction", "lock-then-wait", "data-and-ddl-mixed"),
    # NOT NULL NO INHERIT, domains, partitions, materialized views, both ends of a foreign key
    *("not-null-scan", "scan-under-lock", "blocking-index", "constraint-not-valid"),
}
"""The findings that docs/lint.md explains."""


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


@pytest.mark.long(share=60)
@pytest.mark.parametrize("case", CASES)
async def test_an_online_file_has_only_the_findings_that_are_explained(
    case: Case, judge: Judge, root: Path, tmp_path: Path
) -> None:
    if judge.version < case.since:
        pytest.skip(f"needs PostgreSQL {case.since // 10000}")
    project = Project(root, tmp_path, "postgresql", judge.url, judge.url, case.privileges)
    if case.old:
        project.write("primary__0001_old.sql", f"-- upgrade\n{case.old}\n")
    made = await project.make(
        case.new,
        online=True,
        renames=[text.rpartition(" ")[2] for text in case.renames],
        using=case.using,
        rollback_using=dict.fromkeys(case.using, "NULL"),
        fills=case.fills,
    )
    assert made.path is not None
    findings = (await lint(project.config, files=[made.path])).findings
    assert {finding.rule for finding in findings} <= KNOWN, findings
    partitioned = "PARTITION" in f"{case.old}{case.new}"
    building = [finding for finding in findings if finding.rule == "blocking-index"]
    assert not building or partitioned, building
