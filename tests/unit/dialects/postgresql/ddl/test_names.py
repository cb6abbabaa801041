"""Names and strings in generated SQL."""

import pytest

from dbwarden.dialects.postgresql.ddl.names import qualified
from dbwarden.dialects.postgresql.sql.quoting import quote, text_literal
from dbwarden.schema import QualifiedName


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("users", "users"),
        ("user", '"user"'),
        ("Users", '"Users"'),
        ("a b", '"a b"'),
        ('q"q', '"q""q"'),
        ("1st", '"1st"'),
        ("a1$", "a1$"),
    ],
)
def test_names_are_quoted_only_where_necessary(name: str, text: str) -> None:
    assert quote(name) == text


def test_names_in_the_default_namespace_are_unqualified() -> None:
    assert qualified(QualifiedName("public", "t"), "public") == "t"
    assert qualified(QualifiedName("Other", "t"), "public") == '"Other".t'
    assert qualified(QualifiedName(None, "t"), "public") == "t"


def test_quotes_in_strings_are_doubled() -> None:
    assert text_literal("it's") == "'it''s'"
