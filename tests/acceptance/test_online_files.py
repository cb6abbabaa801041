"""``lint`` finds little in the files that ``make-migrations --online`` writes, and says why."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dbwarden.errors import UnsupportedChange
from dbwarden.operations.lint import lint
from tests.acceptance.cases import Case
from tests.acceptance.judging import Judge, judging
from tests.acceptance.project import Project
from tests.acceptance.test_cases import CASES

KNOWN = {
    # what the person asked for, so that the person may allow it
    *("drop-column", "drop-table", "rename"),
    # a type that changes without a rewrite, and what is exchanged in one short transaction
    *("type-change", "lock-then-wait", "data-and-ddl-mixed", "blocking-index"),
}
"""The findings that docs/lint.md explains."""

NOT_CONCURRENTLY = ("PARTITION", "EXCLUDE", "WITHOUT OVERLAPS")
"""The words of tables and constraints whose indexes PostgreSQL cannot build concurrently."""


def renames_what_is_used(text: str) -> bool:
    """Whether a running application uses the old name."""
    return text.startswith(("column ", "table "))


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
    renames = [text.rpartition(" ")[2] for text in case.renames]
    in_use = [
        text.rpartition(" ")[2].partition(":")[0]
        for text in case.renames
        if renames_what_is_used(text)
    ]
    try:
        made = await project.make_online(
            case.new,
            in_use,
            renames=renames,
            using=case.using,
            rollback_using=dict.fromkeys(case.using, "NULL"),
            fills=case.fills,
        )
    except UnsupportedChange as refused:
        step = refused.next_step or ""
        assert "--allow-rewrite" in step or "a migration of its own" in step
        return
    paths = [item.path for item in made.files if item.path is not None]
    findings = (await lint(project.config, files=paths)).findings
    assert {finding.rule for finding in findings} <= KNOWN, findings
    building = [one for one in findings if (one.rule, one.severity) == ("blocking-index", "error")]
    assert not building or any(word in case.old + case.new for word in NOT_CONCURRENTLY), building
