"""Expressions in one spelling."""

import pytest

from dbwarden.dialects.sqlite.catalog import spelled_alike
from dbwarden.dialects.sqlite.catalog.expressions import expression
from dbwarden.dialects.sqlite.catalog.tokens import tokens
from dbwarden.schema import Trigger, View
from tests.unit.dialects.sqlite.catalog.reading import COLUMNS, read


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("age>0", '( "AGE" > /* zero */ 0 )'),
        ("name LIKE 'a%'", "[Name] like 'a%'"),
        ("name NOT LIKE 'a%'", "`Name` not like 'a%'"),
        ('"order" IS NOT NULL', "`order` is not null"),
        ("Length( name )=3", "length(name) == 3"),
        ("age <> - 1", "age!=-1"),
        ("CASE WHEN age>1 THEN 1 ELSE 0 END", "case when Age > 1 then 1 else 0 end"),
        ("end > 1", '"end" > 1'),
        ("cast(age as text)", "CAST(age AS text)"),
        ("t.age", '"t"."age"'),
        ("age - -1", "age - - 1"),
        ('"Lower"(name)', "lower(name)"),
    ],
)
def test_expressions_that_differ_in_spelling_are_equal(one: str, other: str) -> None:
    assert expression(tokens(one), COLUMNS) == expression(tokens(other), COLUMNS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("age > 0", "age >= 0"),
        ("name = 'x'", "name = 'X'"),
        ("name = 'a b'", "name = 'a  b'"),
        ('name = "x"', "name = x"),
        ("(age > 0) OR (age < 9)", "age > 0 OR age < 9"),
        ("age + 1", "age + 2"),
    ],
)
def test_expressions_with_another_meaning_differ(one: str, other: str) -> None:
    assert expression(tokens(one), COLUMNS) != expression(tokens(other), COLUMNS)


def test_views_and_triggers_are_equal_in_any_spelling() -> None:
    one = read(
        "CREATE TABLE users (name TEXT)",
        "CREATE VIEW v AS SELECT name FROM users",
        "CREATE TRIGGER g AFTER INSERT ON users BEGIN SELECT 1; END",
    )
    other = read(
        "CREATE TABLE people (name TEXT)",
        "CREATE VIEW v AS select  `name`\nfrom people -- all",
        "create trigger g after insert on people begin select 1; end",
        "ALTER TABLE people RENAME TO users",
    )
    assert one.of(View) != other.of(View)
    assert spelled_alike(one.of(View)[0], other.of(View)[0])
    assert spelled_alike(one.of(Trigger)[0], other.of(Trigger)[0])
    assert not spelled_alike(one.of(View)[0], one.of(Trigger)[0])
    third = read("CREATE TABLE t (a)", "CREATE VIEW v AS SELECT a FROM t")
    assert not spelled_alike(one.of(View)[0], third.of(View)[0])
    assert spelled_alike(one.tables[0], one.tables[0])


def test_virtual_tables_are_compared_by_their_statement() -> None:
    one, other = (
        read(f"CREATE VIRTUAL TABLE d {text}").tables[0]
        for text in ("USING fts5(a, b)", "using fts5( a,b )")
    )
    assert one != other
    assert spelled_alike(one, other)
