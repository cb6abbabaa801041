"""A schema as tables and links, with the changes since another."""

from dbwarden.drawing.diagram import DrawnTable, diagram_of
from dbwarden.schema import Schema
from tests.unit.drawing.schemas import AFTER, BEFORE


def tables(schema: Schema, before: Schema | None = None) -> dict[str, DrawnTable]:
    return {table.name: table for table in diagram_of(schema, before).tables}


def test_a_picture_without_an_earlier_schema_has_no_marks() -> None:
    drawn = diagram_of(BEFORE)
    assert [table.name for table in drawn.tables] == [
        *("auth.profiles", "events", "old", "orders", "users")
    ]
    assert {table.mark for table in drawn.tables} == {""}
    assert {column.mark for table in drawn.tables for column in table.columns} == {""}
    assert {link.mark for link in drawn.links} == {""}


def test_columns_show_their_keys() -> None:
    users, orders = tables(BEFORE)["users"], tables(BEFORE)["orders"]
    assert [(c.name, c.keys, c.required) for c in users.columns] == [
        ("id", ("PK",), True),
        ("email", ("UK",), True),
        ("price", (), False),
    ]
    assert [c.keys for c in orders.columns] == [("PK",), ("FK",), ("FK",)]


def test_links_know_how_many_rows_may_refer() -> None:
    links = {(link.source, link.columns): link for link in diagram_of(BEFORE).links}
    assert links["auth.profiles", ("id",)].unique
    assert not links["orders", ("user_id",)].unique
    assert [links["orders", (name,)].optional for name in ("user_id", "parent_id")] == [False, True]


def test_partitions_are_counted_at_their_table() -> None:
    found = tables(BEFORE)
    assert found["events"].notes == ("1 partition",)
    assert "events_1" not in found


def test_every_change_has_its_mark() -> None:
    found = tables(AFTER, BEFORE)
    assert {name: table.mark for name, table in found.items() if table.mark} == {
        "new": "added",
        "old": "dropped",
        "orders": "changed",
        "users": "changed",
    }
    assert [(c.name, c.mark) for c in found["users"].columns] == [
        ("id", ""),
        ("email", "changed"),
        ("born", "added"),
        ("price", "dropped"),
    ]
    assert found["users"].notes == ("+ check adult", "+ index ix", "\N{MINUS SIGN} unique uq")
    links = {link.columns: link.mark for link in diagram_of(AFTER, BEFORE).links}
    assert links == {("id",): "", ("user_id",): "", ("parent_id",): "dropped"}


def test_everything_is_added_to_an_empty_database() -> None:
    drawn = diagram_of(BEFORE, Schema())
    assert {table.mark for table in drawn.tables} == {"added"}
    assert {link.mark for link in drawn.links} == {"added"}
