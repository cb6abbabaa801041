"""Names in SQLite's SQL."""

import pytest

from dbwarden.dialects.sqlite.sql.quoting import identifier


def test_names_are_quoted_only_where_required() -> None:
    assert [identifier(name) for name in ("users", "order", 'a"b', "größe")] == [
        "users",
        '"order"',
        '"a""b"',
        '"größe"',
    ]
    with pytest.raises(ValueError, match="NUL"):
        identifier("a\0")
