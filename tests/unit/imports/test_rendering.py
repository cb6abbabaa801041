from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from dbwarden.dialects.postgresql.scratch.authoring_dialect import NOW
from dbwarden.dialects.postgresql.sql.quoting import value_literal as postgresql
from dbwarden.dialects.sqlite.sql.quoting import value_literal as sqlite
from dbwarden.files.lexing import POSTGRESQL, SQLITE
from dbwarden.imports.rendering import NoLiteral, Recorded


@pytest.mark.parametrize(
    ("style", "sql", "values", "expected"),
    [
        ("pyformat", "UPDATE t SET a = %(a)s, b = '5%%'", {"a": "x'y"}, "a = 'x''y', b = '5%'"),
        ("format", "INSERT INTO t VALUES (%s, %s)", (1, None), "VALUES (1, NULL)"),
        ("numeric_dollar", "SELECT $$ $1 $$, $2::TEXT, $1", (1, "a"), "SELECT $$ $1 $$, 'a'::TEXT"),
        ("qmark", "INSERT INTO t VALUES ('?', ?) -- ?", (True,), "VALUES ('?', true) -- ?"),
        ("named", "UPDATE t SET a = :a::text", {"a": [1, None, 'q"']}, """'{"1",NULL,"q\\""}'::"""),
        ("qmark", "CREATE TABLE t (a DEFAULT '?')", (), "DEFAULT '?'"),
    ],
)
def test_placeholders_become_literals(style: str, sql: str, values: Any, expected: str) -> None:
    statement = Recorded(sql=sql, values=(values,), style=style)
    (text,) = statement.render(POSTGRESQL, postgresql, NOW.__getitem__)
    assert expected in text


def test_a_statement_without_values_is_not_touched() -> None:
    statement = Recorded(sql="SELECT '100%%', $1", values=(None,), style="pyformat")
    assert statement.render(POSTGRESQL, postgresql, NOW.__getitem__) == ("SELECT '100%%', $1",)


def test_every_execution_is_rendered() -> None:
    statement = Recorded(sql="INSERT INTO t VALUES (?)", values=((b"\x00a",), (Decimal("1.5"),)))
    assert statement.render(SQLITE, sqlite, NOW.__getitem__) == (
        "INSERT INTO t VALUES (X'0061')",
        "INSERT INTO t VALUES (1.5)",
    )


def test_values_have_the_literals_of_their_database_kind() -> None:
    assert postgresql(b"\x00a") == r"'\x0061'"
    assert postgresql(timedelta(hours=1)) == "'3600.0 seconds'"
    assert postgresql(Decimal("NaN")) == "'NaN'"
    assert postgresql(((1, 2), (True, None))) == """'{{"1","2"},{"true",NULL}}'"""
    assert sqlite(False) == "0"
    for literal in (postgresql, sqlite):
        with pytest.raises(TypeError):
            literal(object())


def test_a_document_is_read_with_its_types() -> None:
    document = {
        "sql": "INSERT INTO t VALUES (?, ?, ?)",
        "values": [
            [
                {"type": "bytes", "value": "AGE="},
                {"type": "list", "value": [{"type": "float", "value": "0.5"}]},
                {"type": "unknown", "value": "Box"},
            ]
        ],
        "style": "qmark",
        "autocommit": False,
        "rows": False,
        "target": 0,
        "inside": True,
        "counted": False,
    }
    recorded = Recorded.parse(document, (datetime.now(UTC), datetime.now(UTC)))
    assert isinstance(recorded.values[0], tuple)
    assert recorded.values[0][:2] == (b"\x00a", (Decimal("0.5"),))
    with pytest.raises(NoLiteral, match="type Box"):
        recorded.render(POSTGRESQL, postgresql, NOW.__getitem__)
