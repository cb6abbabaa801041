"""Write a diagram as Mermaid's ``erDiagram``, which GitHub and GitLab draw in Markdown."""

import re
from collections.abc import Iterator

from dbwarden.drawing.diagram import Diagram, DrawnColumn, DrawnTable, Link

_STYLES = {
    "added": "fill:#d9f2e1,stroke:#166534,color:#14301f",
    "changed": "fill:#fdf1d3,stroke:#854d0e,color:#3a260a",
    "dropped": "fill:#fde6e6,stroke:#a61b1b,color:#431111",
}
_NOT_IN_WORDS = re.compile(r"[^A-Za-z0-9_\-\[\]()]+")


def mermaid(diagram: Diagram) -> str:
    """Return *diagram* as Mermaid text; changed tables have the colour of their change."""
    return "\n".join(["erDiagram", *_lines(diagram)])


def _lines(diagram: Diagram) -> Iterator[str]:
    for table in diagram.tables:
        yield from _table(table)
    for link in diagram.links:
        yield _link(link)
    used = {table.mark for table in diagram.tables}
    yield from (f"    classDef {mark} {style}" for mark, style in _STYLES.items() if mark in used)


def _table(table: DrawnTable) -> Iterator[str]:
    name = _quoted(table.name) + (f":::{table.mark}" if table.mark else "")
    if not table.columns:
        yield f"    {name}"
        return
    yield f"    {name} {{"
    yield from (f"        {_column(column)}" for column in table.columns)
    yield "    }"


def _column(column: DrawnColumn) -> str:
    words = [_word(column.type) or "any", _word(column.name) or "_", ", ".join(column.keys)]
    notes = ["required" if column.required and "PK" not in column.keys else "", column.mark]
    comment = ", ".join(filter(None, notes))
    return " ".join(filter(None, [*words, f'"{comment}"' if comment else ""]))


def _link(link: Link) -> str:
    many = "o|" if link.unique else "o{"
    one = "o|" if link.optional else "||"
    label = ", ".join(link.columns) + (f" ({link.mark})" if link.mark else "")
    return f"    {_quoted(link.target)} {one}--{many} {_quoted(link.source)} : {_label(label)}"


def _quoted(text: str) -> str:
    """Return *text* as a name of Mermaid, which knows no escape for quotation marks."""
    return '"' + re.sub(r'["\\%\s]+', "_", text) + '"' if text.strip() else '"_"'


def _label(text: str) -> str:
    return '"' + text.replace('"', "'") + '"'


def _word(text: str) -> str:
    """Return *text* as one word of Mermaid, which begins with a letter."""
    word = _NOT_IN_WORDS.sub("_", text).strip("_")
    return word if not word or word[0].isalpha() else f"_{word}"
