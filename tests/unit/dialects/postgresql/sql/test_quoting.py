"""Names and values in SQL."""

import pytest

from dbwarden.dialects.postgresql.sql.quoting import identifier, literal


def test_names_and_values_become_sql() -> None:
    assert identifier('a"b') == '"a""b"'
    assert [literal(value) for value in (None, True, False, 3, 1.5, "it's", "a\\b")] == [
        *("NULL", "true", "false", "3", "1.5", "'it''s'", "E'a\\\\b'")
    ]
    for quote in (identifier, literal):
        with pytest.raises(ValueError, match="NUL"):
            quote("a\0b")
