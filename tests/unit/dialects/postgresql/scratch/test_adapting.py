"""Statements that reach beyond a scratch database, and what is sent instead."""

import pytest

from dbwarden.dialects.postgresql.scratch.adapting import adapt

CREATE = "CREATE SUBSCRIPTION s CONNECTION '{}' PUBLICATION p"
UNCONNECTED = "WITH (connect = false, slot_name = NONE"
UNCHANGED = [
    "CREATE TABLE subscription (id int)",
    "CREATE USER MAPPING FOR PUBLIC SERVER s",
    "ALTER ROLE app SET search_path TO a",
    "ALTER SUBSCRIPTION s DISABLE",
    "ALTER SUBSCRIPTION s RENAME TO enable",
    "ALTER SUBSCRIPTION s SET (binary = true)",
    "ALTER SUBSCRIPTION s CONNECTION 'dbname=x'",
    "DROP SUBSCRIPTION IF EXISTS s",
    f"{CREATE.format('x')} {UNCONNECTED}, streaming = on)",
]
ADAPTED = [
    ("DROP ROLE app", ""),
    (CREATE.format("x"), f"{CREATE.format('x')} {UNCONNECTED})"),
    (f"{CREATE.format('x')} -- last", f"{CREATE.format('x')} {UNCONNECTED})"),
    (
        f"{CREATE.format(' with (enabled)')} WITH (Enabled, streaming = on, copy_data=false)",
        f"{CREATE.format(' with (enabled)')} {UNCONNECTED}, streaming = on)",
    ),
    ('alter subscription "a b" enable', ""),
    ("ALTER SUBSCRIPTION s REFRESH PUBLICATION WITH (copy_data = false)", ""),
    (
        "ALTER SUBSCRIPTION s SET PUBLICATION p, q",
        "ALTER SUBSCRIPTION s SET PUBLICATION p, q WITH (refresh = false)",
    ),
    (
        "ALTER SUBSCRIPTION s DROP PUBLICATION p WITH (refresh, copy_data = false)",
        "ALTER SUBSCRIPTION s DROP PUBLICATION p WITH (refresh = false)",
    ),
    ("ALTER SUBSCRIPTION s SET (slot_name = 'a')", ""),
    (
        "ALTER SUBSCRIPTION s SET (slot_name = 'a', binary = true)",
        "ALTER SUBSCRIPTION s SET (binary = true)",
    ),
]


@pytest.mark.parametrize("statement", UNCHANGED)
def test_other_statements_are_sent_as_they_are(statement: str) -> None:
    assert adapt(statement) == statement


@pytest.mark.parametrize(("statement", "sent"), ADAPTED)
def test_a_statement_reaches_neither_roles_nor_a_publisher(statement: str, sent: str) -> None:
    assert adapt(statement) == sent


def test_a_role_is_created_on_an_exclusive_server_only() -> None:
    assert "CREATE ROLE app;" in adapt("CREATE ROLE app")
    assert adapt("CREATE ROLE app", exclusive=False) == ""
