"""Synonyms of SQL values have one spelling; similar texts stay unchanged."""

import pytest

from dbwarden.dialects.authoring import Expression
from dbwarden.dialects.postgresql.scratch.expressions import query_of, replace_synonyms

SAME = [
    ("CURRENT_TIMESTAMP", "now()"),
    ("transaction_timestamp()", "now()"),
    ("(CURRENT_TIMESTAMP + '1 day'::interval)", "(now() + '1 day'::interval)"),
    ("CURRENT_TIMESTAMP(3)", "(now())::timestamp(3) with time zone"),
    ("LOCALTIME(0)", "(now())::time(0) without time zone"),
    ("CURRENT_DATE", "(now())::date"),
    ('"current_user"()', "CURRENT_USER"),
    ('USER = "session_user"()', "CURRENT_USER = SESSION_USER"),
    ("CURRENT_CATALOG", "current_database()"),
    ('"current_schema"()', "current_schema()"),
]
LEFT_ALONE = [
    "'CURRENT_TIMESTAMP'::text",
    "'it''s CURRENT_DATE'",
    '"CURRENT_DATE"',
    '"a ""user"" b"',
    "other.transaction_timestamp()",
    '"user".name',
    "clock_timestamp()",
    "statement_timestamp()",
    "last_user",
    "current_user_id",
    "$body$ SELECT CURRENT_DATE $body$",
]


@pytest.mark.parametrize(("text", "meaning"), SAME)
def test_a_value_of_several_names_has_one_spelling(text: str, meaning: str) -> None:
    assert replace_synonyms(text) == meaning
    assert replace_synonyms(text.lower()) == meaning
    assert replace_synonyms(meaning) == meaning


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_similar_looking_values_are_left_alone(text: str) -> None:
    assert replace_synonyms(text) == text


@pytest.mark.parametrize(
    ("type_", "casts"),
    [
        ("text", "::text"),
        ("character varying(9)", "::character varying"),
        ("character varying(9)[]", "::character varying[]"),
        ("character(3)", "::bpchar"),
        ("numeric(10,2)", "::numeric::numeric(10,2)"),
        ("timestamp(3) without time zone", "::timestamp without time zone::timestamp(3) without"),
        (None, ""),
    ],
)
def test_a_value_is_cast_as_its_column_would(type_: str | None, casts: str) -> None:
    assert (query_of(Expression(text="a", type=type_)) or "").startswith(f"SELECT (a){casts}")


def test_an_expression_with_a_subquery_is_not_queried() -> None:
    assert query_of(Expression(text="(id = (SELECT 1))")) is None
    assert query_of(Expression(text="'SELECT'")) is not None
