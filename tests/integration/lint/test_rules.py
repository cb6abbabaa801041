"""Every rule, on files that fire it and files that do not."""

from collections.abc import AsyncIterator, Iterator

import pytest

from dbwarden.authoring.scratch_session import open_scratch_session
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from dbwarden.linting.rules import RULES, UNUSED_ALLOW
from tests.integration.lint import cases, cases_sqlite
from tests.integration.lint.cases import Case
from tests.integration.lint.linting import Linting, configured


def _files(table: tuple[Case, ...]) -> Iterator[object]:
    for case in table:
        for fires, files in ((True, case.fires), (False, case.quiet)):
            for number, text in enumerate(files, start=1):
                name = f"{case.rule}-{'fires' if fires else 'quiet'}-{number}"
                yield pytest.param(case.rule, text, fires, id=name)


def test_every_rule_has_two_files_that_fire_and_two_that_do_not() -> None:
    table = {case.rule: case for case in cases.CASES}
    lite = {case.rule: case for case in cases_sqlite.CASES}
    assert table.keys() | {"foreign-keys"} == RULES.keys()
    assert {"rewrite", "foreign-keys"} <= lite.keys() <= RULES.keys()
    for case in (*table.values(), *lite.values()):
        assert len(case.fires) >= 2 and len(case.quiet) >= 2, case.rule


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop for the module: the session keeps its connections."""
    return "asyncio"


@pytest.fixture(scope="module")
async def linting(
    postgres_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory, anyio_backend: str
) -> AsyncIterator[Linting]:
    url = postgres_server.url()
    config = configured(tmp_path_factory.mktemp("lint"), url, url)
    async with open_scratch_session(config) as session:
        yield Linting(session, cases.BASE)


@pytest.fixture(scope="module")
async def linting_sqlite(
    tmp_path_factory: pytest.TempPathFactory, anyio_backend: str
) -> AsyncIterator[Linting]:
    config = configured(tmp_path_factory.mktemp("lint"), "sqlite:///primary.db", "auto")
    async with open_scratch_session(config) as session:
        yield Linting(session, cases_sqlite.BASE)


async def _judge(linting: Linting, rule: str, text: str, *, fires: bool) -> None:
    rules = RULES if rule == UNUSED_ALLOW else (rule,)
    found = [finding for finding in await linting(text, *rules) if finding.rule == rule]
    assert bool(found) is fires, found


@pytest.mark.long(share=3)  # the examples of docs/lint.md fire every rule in `make test`
@pytest.mark.parametrize(("rule", "text", "fires"), [*_files(cases.CASES)])
async def test_on_postgresql(linting: Linting, rule: str, text: str, fires: bool) -> None:
    await _judge(linting, rule, text, fires=fires)


@pytest.mark.parametrize(("rule", "text", "fires"), [*_files(cases_sqlite.CASES)])
async def test_on_sqlite(linting_sqlite: Linting, rule: str, text: str, fires: bool) -> None:
    await _judge(linting_sqlite, rule, text, fires=fires)


async def test_a_table_that_the_same_file_creates_is_no_finding(linting: Linting) -> None:
    text = """
    CREATE TABLE items (id bigint PRIMARY KEY, price integer);
    INSERT INTO items VALUES (1, 2);
    UPDATE items SET price = 3;
    ALTER TABLE items ALTER COLUMN price TYPE bigint;
    ALTER TABLE items ALTER COLUMN price SET NOT NULL;
    CREATE INDEX ix_items ON items (price);
    ALTER TABLE items ADD CHECK (price > 0);
    ALTER TABLE items RENAME COLUMN price TO cents;
    ALTER TABLE items DROP COLUMN cents;
    DROP TABLE items;
    """
    assert await linting(text, *RULES.keys() - {"naming"}) == ()


async def test_a_finding_names_the_lock_the_table_and_the_place(linting: Linting) -> None:
    (found,) = await linting("SELECT 1;\n  ALTER TABLE orders ALTER total TYPE bigint;", "rewrite")
    assert found.message == "ACCESS EXCLUSIVE on orders and rewrites it"
    assert (found.line, found.column, found.table) == (3, 3, "orders")


async def test_a_partition_is_no_finding_of_its_own(linting: Linting) -> None:
    text = "CREATE INDEX ix ON events (day); ALTER TABLE events DROP COLUMN body;"
    found = await linting(text, "blocking-index", "drop-column")
    assert [(finding.rule, finding.table) for finding in found] == [
        ("blocking-index", "events"),
        ("drop-column", "events"),
    ]
