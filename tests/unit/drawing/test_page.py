"""The page with pictures: well-formed, without scripts, and safe from names."""

from xml.etree import ElementTree

from dbwarden.drawing.diagram import Diagram, DrawnColumn, DrawnTable, diagram_of
from dbwarden.drawing.page import POLICY, STYLE, page
from dbwarden.schema import Schema
from tests.unit.drawing.schemas import AFTER, BEFORE


def pictures(text: str) -> list[ElementTree.Element]:
    parts = text.split("<svg")[1:]
    return [ElementTree.fromstring(f"<svg{part.partition('</svg>')[0]}</svg>") for part in parts]


def test_the_page_draws_every_table_column_and_link() -> None:
    (svg,) = pictures(page("Shop", [("primary", diagram_of(AFTER, BEFORE))]))
    classes = [group.get("class", "").split() for group in svg.iter("g")]
    assert sum("table" in words for words in classes) == 6
    assert sum("link" in words for words in classes) == 3
    assert [words for words in classes if {"column", "dropped"} <= set(words)]
    assert [words for words in classes if {"table", "added"} <= set(words)]
    titles = [title.text for title in svg.iter("title")]
    assert "orders(parent_id) to orders(id): dropped" in titles


def test_several_databases_share_a_page() -> None:
    text = page("All", [("primary", diagram_of(BEFORE)), ("empty", diagram_of(Schema()))])
    assert len(pictures(text)) == 1
    assert "<h2>primary</h2>" in text and "There are no tables." in text


def test_names_and_comments_cannot_become_markup() -> None:
    evil = "<script>alert(1)</script>&\"'"
    table = DrawnTable(
        name=evil, comment=evil, notes=(evil,), columns=(DrawnColumn(name=evil, type=evil),)
    )
    text = page(evil, [(evil, Diagram(tables=(table,), links=()))])
    assert "<script" not in text
    (svg,) = pictures(text)
    assert evil in [each.text for each in svg.iter("text")]


def test_the_policy_allows_only_the_pages_own_style() -> None:
    assert f"<style>{STYLE}</style>" in page("x", [])
    assert "style=" not in page("x", [("a", diagram_of(BEFORE))])
    assert "script-src" not in POLICY and "default-src 'none'" in POLICY
