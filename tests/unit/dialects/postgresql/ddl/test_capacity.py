"""The effect of a new type on values that do not fit."""

import pytest

from dbwarden.dialects.postgresql.ddl.capacity import Effect, conversion_effect

KEEPS, REFUSES, CHANGES = Effect.KEEPS, Effect.REFUSES, Effect.CHANGES


@pytest.mark.parametrize(
    ("before", "after", "forth", "back"),
    [
        # numbers
        ("smallint", "integer", KEEPS, REFUSES),
        ("integer", "bigint", KEEPS, REFUSES),
        ("integer", "numeric(20,4)", KEEPS, REFUSES | CHANGES),
        ("smallint", "numeric(10,2)", KEEPS, REFUSES | CHANGES),
        ("integer", "numeric(10,0)", KEEPS, REFUSES),
        ("integer", "numeric(9,0)", REFUSES, KEEPS),
        ("bigint", "numeric", KEEPS, REFUSES | CHANGES),
        ("integer[]", "numeric(20,4)[]", KEEPS, REFUSES | CHANGES),
        ("numeric(10,2)", "numeric(12,4)", KEEPS, CHANGES),
        ("numeric(10,2)", "numeric(12,2)", KEEPS, REFUSES),
        ("numeric(10,4)", "numeric(12,2)", CHANGES, REFUSES),
        ("numeric", "numeric(12,2)", REFUSES | CHANGES, KEEPS),
        ("smallint", "real", KEEPS, REFUSES | CHANGES),
        ("integer", "real", CHANGES, REFUSES | CHANGES),
        ("integer", "double precision", KEEPS, REFUSES | CHANGES),
        ("real", "double precision", KEEPS, REFUSES | CHANGES),
        ("numeric(12,2)", "double precision", KEEPS, REFUSES | CHANGES),
        ("numeric(20,2)", "double precision", CHANGES, REFUSES | CHANGES),
        ("integer", "money", KEEPS, REFUSES | CHANGES),
        ("money", "numeric(20,2)", KEEPS, REFUSES),
        # texts and bits
        ("character varying(5)", "character varying(9)", KEEPS, REFUSES),
        ("character varying(5)", "text", KEEPS, REFUSES),
        ("character(5)", "character(9)", KEEPS, REFUSES),
        ("character(5)", "character varying(5)", KEEPS, CHANGES),
        ("text", "name", CHANGES, KEEPS),
        ("text", "citext", KEEPS, KEEPS),
        ("integer", "character varying(11)", KEEPS, REFUSES | CHANGES),
        ("integer", "character varying(3)", REFUSES, REFUSES | CHANGES),
        ("uuid", "text", KEEPS, REFUSES | CHANGES),
        ("bit(4)", "bit(8)", REFUSES, REFUSES),
        ("bit varying(4)", "bit varying(8)", KEEPS, REFUSES),
        # times
        ("timestamp(3) with time zone", "timestamp with time zone", KEEPS, CHANGES),
        ("timestamp without time zone", "timestamp with time zone", KEEPS, KEEPS),
        ("date", "timestamp with time zone", KEEPS, CHANGES),
        ("time without time zone", "time with time zone", KEEPS, CHANGES),
        ("tsrange", "tstzrange", KEEPS, KEEPS),
        ("interval day to second", "interval", KEEPS, CHANGES),
        # others
        ("jsonb", "json", KEEPS, CHANGES),
        ("cidr", "inet", KEEPS, CHANGES),
        ("macaddr", "macaddr8", KEEPS, REFUSES),
        ("integer", "uuid", REFUSES | CHANGES, REFUSES | CHANGES),
        ("vector(3)", "vector(5)", REFUSES | CHANGES, REFUSES | CHANGES),
    ],
)
def test_values_that_do_not_fit_a_type_are_rounded_cut_or_refused(
    before: str, after: str, forth: Effect, back: Effect
) -> None:
    assert (conversion_effect(before, after), conversion_effect(after, before)) == (forth, back)
