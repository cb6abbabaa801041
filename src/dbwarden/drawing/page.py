"""Write diagrams as one HTML page with a picture (SVG) of each; no script, nothing from outside."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from html import escape
from pathlib import Path

from dbwarden.drawing.diagram import Diagram, DrawnColumn, Link
from dbwarden.drawing.layout import HEAD, ROW, Box, Layout, layout

STYLE = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
_STYLE_HASH = b64encode(sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""The Content-Security-Policy that allows the page only its own style."""


def page(title: str, diagrams: Sequence[tuple[str, Diagram]]) -> str:
    """Return one HTML page with a heading and a picture for each of the named *diagrams*."""
    several = len(diagrams) > 1
    body = "\n".join(_section(name, diagram, heading=several) for name, diagram in diagrams)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>{escape(title)}</h1>\n{body}\n</main>\n</body>\n</html>"
    )


def _section(name: str, diagram: Diagram, *, heading: bool) -> str:
    title = f"<h2>{escape(name)}</h2>\n" if heading else ""
    counts = f"{_count(len(diagram.tables), 'table')}, {_count(len(diagram.links), 'foreign key')}"
    marks = {table.mark for table in diagram.tables} - {""}
    legend = "".join(f'<span class="legend {mark}">{mark}</span>' for mark in sorted(marks))
    return (
        f'<section>\n{title}<p class="quiet">{counts} {legend}</p>\n'
        f"{_picture(name, diagram)}\n</section>"
    )


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _picture(name: str, diagram: Diagram) -> str:
    if not diagram.tables:
        return '<p class="quiet">There are no tables.</p>'
    found = layout(diagram)
    width, height = round(found.width), round(found.height)
    parts = [*(_link(link, found) for link in diagram.links), *_tables(found)]
    return (
        f'<div class="scroll"><svg width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-label="Tables of {escape(name)}">\n'
        + "\n".join(parts)
        + "\n</svg></div>"
    )


def _link(link: Link, found: Layout) -> str:
    source, target = found.boxes[link.source], found.boxes[link.target]
    start_y = source.row_of(link.columns[0]) if link.columns else source.y
    end_y = target.row_of(link.target_columns[0]) if link.target_columns else target.y + HEAD / 2
    if source.x > target.x + target.width:
        start_x, end_x, bend = source.x, target.x + target.width, -45.0
    elif source.x + source.width < target.x:
        start_x, end_x, bend = source.x + source.width, target.x, 45.0
    else:  # one above the other, or the same table
        start_x, end_x, bend = source.x + source.width, target.x + target.width, 45.0
    back = bend if start_x == source.x + source.width and end_x != target.x else -bend
    path = (
        f"M{start_x:.0f} {start_y:.0f}C{start_x + bend:.0f} {start_y:.0f} "
        f"{end_x + back:.0f} {end_y:.0f} {end_x:.0f} {end_y:.0f}"
    )
    words = f"{link.source}({', '.join(link.columns)}) to {link.target}"
    ends = f"({', '.join(link.target_columns)})" if link.target_columns else ""
    title = escape(words + ends + (f": {link.mark}" if link.mark else ""))
    optional = " optional" if link.optional else ""
    return (
        f'<g class="link {link.mark}{optional}"><title>{title}</title><path d="{path}"/>'
        f'<circle cx="{end_x:.0f}" cy="{end_y:.0f}" r="4"/></g>'
    )


def _tables(found: Layout) -> Iterator[str]:
    for box in found.boxes.values():
        yield "".join(_table(box))


def _table(box: Box) -> Iterator[str]:
    table = box.table
    x, y, width = round(box.x), round(box.y), round(box.width)
    title = ": ".join(filter(None, (table.name, table.comment or table.mark)))
    yield f'<g class="table {table.mark}"><title>{escape(title)}</title>'
    yield f'<rect x="{x}" y="{y}" width="{width}" height="{round(box.height)}" rx="6"/>'
    yield f'<path class="head" d="M{x} {y + HEAD}h{width}"/>'
    yield f'<text class="name" x="{x + 12}" y="{y + 20}">{escape(table.name)}</text>'
    row = y + HEAD + 15
    for column in table.columns:
        yield _row(column, x, row, width)
        row += ROW
    for note in table.notes:
        yield f'<text class="note" x="{x + 12}" y="{row}">{escape(note)}</text>'
        row += ROW
    yield "</g>"


def _row(column: DrawnColumn, x: int, y: int, width: int) -> str:
    required = "" if column.required else " optional"
    keys = " ".join(column.keys)
    return (
        f'<g class="column {column.mark}{required}">'
        f'<rect class="row" x="{x + 1}" y="{y - 15}" width="{width - 2}" height="{ROW}"/>'
        f'<text x="{x + 12}" y="{y}">{escape(column.name)} '
        f'<tspan class="type">{escape(column.type)}</tspan></text>'
        f'<text class="keys" x="{x + width - 10}" y="{y}" text-anchor="end">{keys}</text></g>'
    )
