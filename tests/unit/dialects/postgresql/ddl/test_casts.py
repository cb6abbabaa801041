"""Conversions between types."""

import pytest

from dbwarden.dialects.postgresql.ddl.casts import cast


@pytest.mark.parametrize(
    ("before", "after", "way"),
    [
        ("integer", "bigint", "implicit"),
        ("bigint", "integer", "assignment"),
        ("text", "integer", "explicit"),
        ("integer", "text", "assignment"),
        ("integer", "uuid", None),
        ("integer[]", "bigint[]", "implicit"),
        ("integer", "integer[]", None),
        ("character varying(5)", "character varying(9)", "implicit"),
        ("numeric(10,4)", "numeric(12,2)", "implicit"),
        ("timestamp(3) with time zone", "timestamp with time zone", "implicit"),
    ],
)
def test_conversions_are_known(before: str, after: str, way: str | None) -> None:
    assert cast(before, after) == way
