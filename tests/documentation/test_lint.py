"""Every rule is documented, and its examples do what the page says."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dbwarden.authoring.scratch_session import open_scratch_session
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from dbwarden.linting.findings import SEVERITIES
from dbwarden.linting.rules import RULES, UNUSED_ALLOW
from tests.integration.lint.linting import Linting, configured

PAGE = (Path(__file__).parents[2] / "docs" / "lint.md").read_text(encoding="utf-8")
RULES_PART = PAGE.partition("\n## Rules\n")[2].partition("\n## ")[0]
BASE = re.findall(r"^```sql\n(.*?)^```", RULES_PART, re.M | re.S)[0]
SECTIONS = re.findall(r"^### `([\w-]+)`\n(.*?)(?=^### |\Z)", RULES_PART, re.M | re.S)
EXAMPLES = [
    pytest.param(rule, text, kind == "bad", id=f"{rule}-{kind}")
    for rule, section in SECTIONS
    for kind, text in re.findall(r"^```sql\n-- (bad|good)[^\n]*\n(.*?)^```", section, re.M | re.S)
]
LITE = re.sub(r"CREATE TYPE .*?;| GENERATED ALWAYS AS IDENTITY", "", BASE)


def test_the_page_has_every_rule_with_two_examples() -> None:
    assert [rule for rule, _ in SECTIONS] == list(RULES)
    assert len(EXAMPLES) == 2 * len(RULES)


def test_the_page_has_the_severity_of_every_rule() -> None:
    for severity in SEVERITIES:
        (row,) = re.findall(rf"^\| `{severity}` \|(.*)$", PAGE, re.MULTILINE)
        named = re.findall("`([a-z-]+)`", row.rpartition(" | ")[2])
        assert sorted(named) == sorted(r.name for r in RULES.values() if r.severity == severity)


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
        yield Linting(session, BASE)


@pytest.fixture(scope="module")
async def linting_sqlite(
    tmp_path_factory: pytest.TempPathFactory, anyio_backend: str
) -> AsyncIterator[Linting]:
    config = configured(tmp_path_factory.mktemp("lint"), "sqlite:///primary.db", "auto")
    async with open_scratch_session(config) as session:
        yield Linting(session, LITE)


@pytest.mark.parametrize(("rule", "text", "fires"), EXAMPLES)
async def test_an_example_is_a_finding_if_it_is_bad(
    linting: Linting, linting_sqlite: Linting, rule: str, text: str, fires: bool
) -> None:
    lint = linting_sqlite if rule == "foreign-keys" else linting
    rules = RULES if rule == UNUSED_ALLOW else (rule,)
    found = [finding for finding in await lint(text, *rules) if finding.rule == rule]
    assert bool(found) is fires, found
