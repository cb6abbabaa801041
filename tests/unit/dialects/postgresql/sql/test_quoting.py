"""Values in SQL."""

import pytest

from dbwarden.dialects.postgresql.sql.quoting import literal


def test_values_become_sql() -> None:
    assert [literal(value) for value in (None, True, False, 3, 1.5, "it's", "a\\b")] == [
        *("NULL", "true", "false", "3", "1.5", "'it''s'", "E'a\\\\b'")
    ]
    with pytest.raises(ValueError, match="NUL"):
        literal("a\0b")
