"""The documentation refers to pages, headings and files that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
KINDS = ("postgresql", "sqlite")


def _prose(page: Path) -> str:
    """Return the text of *page* without its code blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def _anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of *page*, as GitHub derives them."""
    headings = re.findall(r"^#+ (.*)$", _prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_page_and_a_heading(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", _prose(page)):
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_every_path_of_the_source_exists(name: str) -> None:
    page = ROOT / name
    rows = "\n".join(line for line in _prose(page).splitlines() if line.startswith("|"))
    paths = re.findall(r"`([\w<>/]+(?:/|\.py))`", rows)
    assert len(paths) > 20
    for path in paths:
        if re.search("<(command|package|page|subject)>", path):
            continue
        for kind in KINDS:
            place = path.replace("<kind>", kind)
            assert any((base / place).exists() for base in (ROOT, ROOT / "src" / "dbwarden")), path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_on_a_page_exists(page: Path) -> None:
    tests = [f"/{path.relative_to(ROOT)}" for path in (ROOT / "tests").rglob("test_*.py")]
    for name in re.findall(r"`([\w/]+/test_\w+\.py)`", _prose(page)):
        assert [path for path in tests if path.endswith(f"/{name}")], name


def test_the_changelog_has_one_line_per_change() -> None:
    """A merge of parallel branches (merge=union) can bring deleted lines back."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    lines = text.partition("## Unreleased")[2].partition("\n## ")[0].splitlines()
    assert len(lines) < 90
    assert not [line for line in lines if line.startswith(" ")]
    assert text.count("### Security") == text.count("\n## ")
