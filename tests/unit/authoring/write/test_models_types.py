"""Imports of generated models."""

from dbwarden.authoring.write.models_types import import_lines


def test_generated_imports_are_in_the_order_of_linters() -> None:
    found = import_lines(
        {
            "uuid": {""},
            "typing": {"Any"},
            "datetime": {""},
            "sqlalchemy": {"text", "DateTime", "DDL", "String"},
        }
    )
    assert list(found) == [
        "import datetime",
        "import uuid",
        "from typing import Any",
        "",
        "from sqlalchemy import (",
        *("    DDL,", "    DateTime,", "    String,", "    text,"),
        ")",
    ]
