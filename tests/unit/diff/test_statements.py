"""Statements of one table are merged."""

from dbwarden.diff.changes import Create
from dbwarden.diff.statements import PlannedStatement, merge_statements
from dbwarden.schema import Column, QualifiedName


def test_statements_of_one_table_are_merged_where_allowed() -> None:
    change = Create(obj=Column(name="nick", type="text"), on=QualifiedName("public", "users"))

    def made(text: str, joins: str | None = None, why: str | None = None) -> PlannedStatement:
        return PlannedStatement(text=text, change=change, joins=joins, why=why, destroys=(text,))

    found = merge_statements(
        [made("A t b", "A t"), made("A t c", "A t"), made("x"), made("A t d", "A t")]
    )
    assert [item.text for item in found] == ["A t b, c", "x", "A t d"]
    assert found[0].destroys == ("A t b", "A t c")
    apart = [made("A t b", "A t"), made("A t c", "A t", "why"), made("A u d", "A u"), made("y")]
    assert list(merge_statements(apart)) == apart
