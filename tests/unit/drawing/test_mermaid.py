"""Mermaid text, in the grammar of ``erDiagram`` (checked by hand with mermaid 11)."""

import re

from dbwarden.drawing.diagram import Diagram, DrawnColumn, DrawnTable, Link, diagram_of
from dbwarden.drawing.mermaid import mermaid
from tests.unit.drawing.schemas import AFTER, BEFORE

NAME = r'"[^"\\%\n]+"'
LINE = re.compile(
    rf"erDiagram|    {NAME}(:::\w+)?( \{{)?|    \}}"
    r"|        [A-Za-z][\w\-\[\]()]* [A-Za-z_][\w\-\[\]()]*"
    r"( (PK|FK|UK)(, (PK|FK|UK))*)?( \"[^\"]+\")?"
    rf"|    {NAME} (\|\||o\|)--(o\||o\{{) {NAME} : \"[^\"]*\"|    classDef \w+ [\w:#,]+"
)


def test_a_schema_is_written_with_keys_and_links() -> None:
    text = mermaid(diagram_of(BEFORE))
    assert '    "users" {\n        integer id PK\n' in text
    assert '        character_varying(200) email UK "required"\n' in text
    assert "        numeric(10_2) price\n" in text
    assert '    "users" ||--o{ "orders" : "user_id"' in text
    assert '    "orders" o|--o{ "orders" : "parent_id"' in text
    assert '    "users" ||--o| "auth.profiles" : "id"' in text
    assert "classDef" not in text


def test_changes_have_a_class() -> None:
    text = mermaid(diagram_of(AFTER, BEFORE))
    assert '"new":::added {' in text and '"old":::dropped {' in text
    assert 'timestamp_with_time_zone born "added"' in text
    assert '"parent_id (dropped)"' in text
    assert text.count("classDef") == 3
    for line in text.splitlines():
        assert LINE.fullmatch(line), line


def test_names_cannot_leave_their_quotes() -> None:
    column = DrawnColumn(name='1 "x" %%', type='"Odd Type"[]', mark="added")
    odd = Diagram(
        tables=(DrawnTable(name='a"b\n%c', columns=(column,)), DrawnTable(name=" ")),
        links=(Link(source=" ", columns=('x"',), target='a"b\n%c', target_columns=("y",)),),
    )
    for line in mermaid(odd).splitlines():
        assert LINE.fullmatch(line), line
