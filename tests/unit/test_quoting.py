"""Names and texts in the SQL of every database kind."""

import pytest

from dbwarden.quoting import quoted, text_literal, unquoted


@pytest.mark.parametrize("name", ["users", 'a"b', '"', ""])
def test_a_quoted_name_keeps_its_value(name: str) -> None:
    assert unquoted(quoted(name)) == name


def test_names_and_texts_become_sql() -> None:
    assert (quoted('a"b'), text_literal("it's")) == ('"a""b"', "'it''s'")
    assert [unquoted(text) for text in ("users", '"', '"a""b"')] == ["users", '"', 'a"b']
    with pytest.raises(ValueError, match="NUL"):
        quoted("a\0b")
