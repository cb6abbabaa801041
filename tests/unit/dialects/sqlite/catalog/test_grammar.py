"""The parser of CREATE TABLE agrees with SQLite on random tables."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st

from dbwarden.dialects.sqlite.catalog import EMPTY_SCHEMA, read_schema
from dbwarden.dialects.sqlite.catalog.expressions import expression, sql
from dbwarden.dialects.sqlite.catalog.tables import type_text
from dbwarden.dialects.sqlite.catalog.tokens import Unreadable, tokens
from dbwarden.dialects.sqlite.ddl import render
from dbwarden.diff import diff
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import ForeignKey, Table
from tests.unit.dialects.sqlite.catalog.reading import COLUMNS, read

QUOTES = ('"{}"', "`{}`", "[{}]")
GAPS = (" ", "  ", "\n\t", " /* a, ( */ ", " -- b ) '\n")
TYPES = ("", "INTEGER", "INT", "TEXT", "varchar(10)", "decimal(8, 2)", "double precision", "BLOB")
NAMES = ("a", "Key", "two words", 'quo"te', "order", "größe", "x$1", "generated")
DEFAULTS = ("1", "-2.5", "'it''s'", "(1+1)", "CURRENT_TIMESTAMP", "x'00ff'", "null", "(abs(-3))")
ACTIONS = ("", " ON DELETE CASCADE", " ON UPDATE SET NULL ON DELETE SET DEFAULT", " MATCH full")
DEFERRALS = ("", " DEFERRABLE INITIALLY DEFERRED", " NOT DEFERRABLE", " DEFERRABLE")


@st.composite
def quoted(draw: st.DrawFn, name: str) -> str:
    """*name* in one of SQLite's quotings."""
    if '"' in name:
        return '"' + name.replace('"', '""') + '"'
    return draw(st.sampled_from(QUOTES)).format(name)


@st.composite
def create_table(draw: st.DrawFn) -> str:
    """A CREATE TABLE that SQLite may or may not take."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    clauses = [draw(_column(name)) for name in names]
    clauses += [draw(_constraint(names)) for _ in range(draw(st.integers(0, 3)))]
    gap = draw(st.sampled_from(GAPS))
    end = draw(st.sampled_from(("", " WITHOUT ROWID", " STRICT", " STRICT, WITHOUT ROWID")))
    return f"CREATE TABLE{gap}t({gap}{f',{gap}'.join(clauses)}{gap}){end}"


@st.composite
def _column(draw: st.DrawFn, name: str) -> str:
    parts = [draw(quoted(name)), draw(st.sampled_from(TYPES))]
    pool = (
        "NOT NULL",
        "NULL ON CONFLICT ABORT",
        "DEFERRABLE",
        "CONSTRAINT nn NOT NULL ON CONFLICT IGNORE",
        "COLLATE nocase",
        "UNIQUE",
        "PRIMARY KEY",
        "PRIMARY KEY AUTOINCREMENT",
        "CONSTRAINT c1 CHECK (length(x'00') > 0)",
        "DEFAULT " + draw(st.sampled_from(DEFAULTS)),
        "REFERENCES other" + draw(st.sampled_from(ACTIONS)) + draw(st.sampled_from(DEFERRALS)),
        "AS (1 + 1)",
        "GENERATED ALWAYS AS (upper('x')) STORED",
    )
    parts += draw(st.lists(st.sampled_from(pool), max_size=3, unique=True))
    return draw(st.sampled_from(GAPS)).join(part for part in parts if part)


@st.composite
def _constraint(draw: st.DrawFn, names: Sequence[str]) -> str:
    keys = draw(st.lists(st.sampled_from(list(names)), min_size=1, max_size=2, unique=True))
    listed = ", ".join([draw(quoted(key)) for key in keys])
    name = draw(st.sampled_from(("", 'CONSTRAINT "my one" ')))
    order = draw(st.sampled_from(("", " DESC", " COLLATE rtrim")))
    said = draw(st.sampled_from(ACTIONS)) + draw(st.sampled_from(DEFERRALS))
    return name + draw(
        st.sampled_from(
            (
                f"UNIQUE ({listed}{order})",
                f"PRIMARY KEY ({listed}{order}) ON CONFLICT REPLACE",
                f"CHECK (({draw(quoted(keys[0]))} IS NOT NULL))",
                f"FOREIGN KEY ({listed}) REFERENCES other ({listed}){said}",
            )
        )
    )


@given(create_table())
def test_any_table_of_sqlite_is_read_like_its_pragmas_report(text: str) -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        try:
            database.execute(text)
        except sqlite3.Error:
            return  # two primary keys, say
        try:
            (made,) = read_schema(database).tables
        except UnsupportedChange as error:
            assert "cannot be distinguished" in error.message
            return
        _columns_agree(database, made, text)
        _keys_agree(database, made)
        _references_agree(database, made)


@given(create_table())
def test_any_table_that_was_read_is_written_and_read_again_the_same(text: str) -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        try:
            database.execute(text)
            schema = read_schema(database)
        except (sqlite3.Error, UnsupportedChange):
            return
    changes = diff(EMPTY_SCHEMA, schema)
    written = render(changes, current=EMPTY_SCHEMA, desired=schema)
    assert read(*(item.text for item in written)) == schema


def _columns_agree(database: sqlite3.Connection, made: Table, text: str) -> None:
    told = database.execute("PRAGMA table_xinfo(t)").fetchall()
    assert [row[1] for row in told] == [item.name for item in made.columns]
    for (_, _, type_, not_null, default, place, hidden), item in zip(
        told, made.columns, strict=True
    ):
        assert type_text(tokens(type_)) == item.type
        assert not not_null or item.not_null
        assert (default is None) == (item.default is None)
        kinds = {2: False, 3: True}
        assert kinds.get(hidden) == (item.generated.stored if item.generated else None)
        key = made.primary_key.columns if made.primary_key else ()
        assert place == (key.index(item.name) + 1 if item.name in key else 0)
    listed = database.execute("SELECT wr, strict FROM pragma_table_list('t')").fetchone()
    assert (bool(listed[0]), bool(listed[1])) == (made.without_rowid, made.strict)
    assert made.autoincrement == ("AUTOINCREMENT" in text)


def _keys_agree(database: sqlite3.Connection, made: Table) -> None:
    told = set()
    for _, name, _, origin, _ in database.execute("PRAGMA index_list(t)").fetchall():
        columns = database.execute(f'PRAGMA index_info("{name}")').fetchall()
        if origin == "u":
            told.add(tuple(row[2] for row in columns))
    key = made.primary_key.columns if made.primary_key else None
    # SQLite makes no second index where one on the same columns is there.
    assert {unique.columns for unique in made.uniques} - {key} == told - {key}


def _references_agree(database: sqlite3.Connection, made: Table) -> None:
    rows = database.execute("PRAGMA foreign_key_list(t)").fetchall()
    told = set()
    for number in {row[0] for row in rows}:
        own = [row for row in rows if row[0] == number]
        pairs = sorted((row[3], row[4] or "") for row in own)
        told.add((*pairs, own[0][5], own[0][6]))
    ours = set()
    for key in made.foreign_keys:
        ours.add((*sorted(_pairs(key)), key.on_update, key.on_delete))
    assert ours == told


def _pairs(key: ForeignKey) -> Iterator[tuple[str, str]]:
    for place, name in enumerate(key.columns):
        yield name, key.referred_columns[place] if key.referred_columns else ""


NAMED = ("age", '"Name"', "[order]", "t.age", "case", "end", "current_date", "?1")
VALUES = ("'it''s'", "1.5", "x'0f'", "null", "/* c */", "-- c\n")
SIGNS = ("(", ")", "-", "+", "~", "<>", ",", "->>")
OPERATORS = ("lower(", "cast(", "AND", "or", "not", "LIKE", "in", "is", "glob")
WORDS = st.sampled_from((*NAMED, *VALUES, *SIGNS, *OPERATORS))


@given(st.lists(WORDS, max_size=12).map(" ".join))
def test_normalizing_twice_changes_nothing_and_keeps_the_tokens(text: str) -> None:
    try:
        found = tokens(text)
        once = expression(found, COLUMNS)
    except Unreadable:
        return
    assert expression(tokens(once), COLUMNS) == once
    assert sql(sql(text)) == sql(text)
    assert len(tokens(sql(text))) == len(found)
