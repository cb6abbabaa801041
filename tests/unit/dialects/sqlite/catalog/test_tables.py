"""Tables, their columns and constraints, as they are read."""

import sqlite3
from contextlib import closing

import pytest

from dbwarden.errors import UnsupportedChange
from dbwarden.schema import Check, Column, ForeignKey, Generated, PrimaryKey, QualifiedName, Unique
from tests.unit.dialects.sqlite.catalog.reading import column, read, table


@pytest.mark.parametrize(
    ("written", "type_"),
    [
        ("b", ""),
        ("b integer", "INTEGER"),
        ("b varchar ( 50 )", "VARCHAR(50)"),
        ("b decimal(10,2)", "DECIMAL(10, 2)"),
        ("b double  /* of it */ precision", "DOUBLE PRECISION"),
        ("b numeric(-1, +2)", "NUMERIC(-1, +2)"),
        ('b "My Type"', '"My Type"'),
        ("b int generated always as (a + 1)", "INT"),
        ("b generated", "GENERATED"),
    ],
)
def test_a_type_is_read_in_one_spelling(written: str, type_: str) -> None:
    assert column(written).type == type_


@pytest.mark.parametrize(
    ("written", "default"),
    [
        ("0", "0"),
        ("(0)", "0"),
        ("+ 1", "1"),
        ("-1", "-1"),
        ("'it''s'", "'it''s'"),
        ("current_timestamp", "CURRENT_TIMESTAMP"),
        ("(CURRENT_TIMESTAMP)", "CURRENT_TIMESTAMP"),
        ("(( DateTime('now')||'Z' ))", "datetime('now') || 'Z'"),
        ("true", "TRUE"),
        ("null", "NULL"),
        ("word", "'word'"),
        ('"it\'s"', "'it''s'"),
        ("X'AB'", "x'ab'"),
        ("1E3", "1e3"),
    ],
)
def test_a_default_is_read_in_one_spelling(written: str, default: str) -> None:
    assert column(f"b TEXT DEFAULT {written}").default == default


def test_all_clauses_of_a_column_are_read() -> None:
    found = column(
        "b TEXT CONSTRAINT must NOT NULL ON CONFLICT ignore COLLATE nocase DEFAULT 'x' "
        "CONSTRAINT short CHECK (length(b) < 9) UNIQUE ON CONFLICT REPLACE"
    )
    assert found == Column(
        name="b",
        type="TEXT",
        collation="NOCASE",
        not_null=True,
        default="'x'",
        parameters=(("not null on conflict", "IGNORE"),),
    )


def test_an_explicit_null_and_a_separate_deferral_are_read() -> None:
    assert not column("b INT NULL").not_null
    made = table("CREATE TABLE t (a INT REFERENCES o NOT NULL DEFERRABLE INITIALLY IMMEDIATE)")
    assert made.foreign_keys[0].deferrable == "immediate"
    assert table("CREATE TABLE t (a INT UNIQUE DEFERRABLE)").uniques[0].deferrable is None


def test_computed_columns_are_read_stored_or_not() -> None:
    made = table(
        "CREATE TABLE t (a INT, b AS (A*2), c INT GENERATED ALWAYS AS (a + [b]) STORED NOT NULL)"
    )
    assert made.columns[1].generated == Generated(expression="a * 2", stored=False)
    assert made.columns[2] == Column(
        name="c", type="INT", not_null=True, generated=Generated(expression="a + b")
    )


@pytest.mark.parametrize(
    ("text", "not_null"),
    [
        ("CREATE TABLE t (k INTEGER PRIMARY KEY)", True),
        ("CREATE TABLE t (k INTEGER, PRIMARY KEY (K DESC))", True),
        ("CREATE TABLE t (k INTEGER PRIMARY KEY DESC)", False),
        ("CREATE TABLE t (k INT PRIMARY KEY)", False),
        ("CREATE TABLE t (k TEXT PRIMARY KEY)", False),
        ("CREATE TABLE t (k TEXT PRIMARY KEY) WITHOUT ROWID", True),
        ("CREATE TABLE t (k TEXT PRIMARY KEY) STRICT", True),
        ("CREATE TABLE t (k INTEGER, l INTEGER, PRIMARY KEY (k, l))", False),
    ],
)
def test_a_not_null_key_is_read_as_sqlite_enforces_it(text: str, not_null: bool) -> None:
    made = table(text)
    assert made.columns[0].not_null is not_null
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute(text)
        try:
            database.execute("INSERT INTO t (k) VALUES (NULL)")
        except sqlite3.IntegrityError:
            refused = True
        else:
            refused = database.execute("SELECT k FROM t").fetchone() != (None,)
    assert refused is not_null


def test_keys_of_columns_and_of_the_table_are_equal() -> None:
    inline = table("CREATE TABLE t (a INTEGER CONSTRAINT pk PRIMARY KEY, b TEXT UNIQUE)")
    listed = table("CREATE TABLE t (a INTEGER, b TEXT, CONSTRAINT pk PRIMARY KEY (a), UNIQUE (b))")
    assert inline == listed
    assert inline.primary_key == PrimaryKey(name="pk", columns=("a",))
    assert inline.uniques == (Unique(name=None, columns=("b",)),)


def test_the_order_collation_and_conflict_of_keys_are_read() -> None:
    made = table(
        "CREATE TABLE t (a TEXT COLLATE NOCASE, b TEXT, PRIMARY KEY (A DESC, b) ON CONFLICT FAIL, "
        "UNIQUE (a COLLATE nocase, b COLLATE nocase) ON CONFLICT ABORT, UNIQUE (b COLLATE BINARY))"
    )
    assert made.primary_key == PrimaryKey(
        name=None,
        columns=("a", "b"),
        parameters=(("columns", "a DESC, b"), ("on conflict", "FAIL")),
    )
    assert made.uniques == (
        Unique(name=None, columns=("a", "b"), parameters=(("columns", "a, b COLLATE NOCASE"),)),
        Unique(name=None, columns=("b",)),
    )


def test_autoincrement_strict_and_without_rowid_are_read() -> None:
    assert table("CREATE TABLE t (a INTEGER PRIMARY KEY ASC AUTOINCREMENT)").autoincrement
    assert table("CREATE TABLE t (a INTEGER, PRIMARY KEY (a AUTOINCREMENT))").autoincrement
    both = table("CREATE TABLE t (a TEXT PRIMARY KEY) WITHOUT rowid, strict")
    assert (both.without_rowid, both.strict, both.autoincrement) == (True, True, False)


def test_foreign_keys_are_read_with_all_their_clauses() -> None:
    made = table(
        "CREATE TABLE Parent (Id INTEGER PRIMARY KEY, x INT, y INT, UNIQUE (x, y))",
        "CREATE TABLE t (a INT REFERENCES parent ON DELETE SET NULL NOT DEFERRABLE, "
        "b INT CONSTRAINT fk REFERENCES parent (ID) MATCH full ON UPDATE NO ACTION "
        "ON DELETE CASCADE NOT NULL DEFERRABLE INITIALLY DEFERRED, c INT REFERENCES gone, "
        "FOREIGN KEY (a, B) REFERENCES parent (x, y) ON UPDATE RESTRICT DEFERRABLE)",
    )
    parent = QualifiedName(None, "Parent")
    assert made.foreign_keys == (
        ForeignKey(
            name="fk",
            columns=("b",),
            references=parent,
            referred_columns=("Id",),
            on_delete="CASCADE",
            match="FULL",
            deferrable="deferred",
        ),
        ForeignKey(
            name=None,
            columns=("a",),
            references=parent,
            referred_columns=("Id",),
            on_delete="SET NULL",
        ),
        ForeignKey(
            name=None,
            columns=("a", "b"),
            references=parent,
            referred_columns=("x", "y"),
            on_update="RESTRICT",
            deferrable="immediate",
        ),
        ForeignKey(
            name=None,
            columns=("c",),
            references=QualifiedName(None, "gone"),
            referred_columns=(),
        ),
    )


def test_checks_are_read_by_expression_with_the_columns_that_they_read() -> None:
    made = table(
        "CREATE TABLE t (a INT CHECK (A>0), b TEXT, CONSTRAINT c CHECK ((b in ('x',  'y')) "
        "or a is null) CHECK(a>0 /* again */))"
    )
    assert made.checks == (
        Check(name="c", expression="(b IN ('x', 'y')) OR a IS NULL", columns=("a", "b")),
        Check(name=None, expression="a > 0", columns=("a",)),
    )


def test_a_second_constraint_with_the_same_name_counts_as_unnamed() -> None:
    made = table("CREATE TABLE t (a INT CONSTRAINT c CHECK (a > 0), CONSTRAINT c UNIQUE (a))")
    assert [(type(item).__name__, item.name) for item in made.constraints] == [
        ("Unique", None),
        ("Check", "c"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE t (a INT REFERENCES o (x), FOREIGN KEY (a) REFERENCES o (y))",
        "CREATE TABLE t (a TEXT UNIQUE, UNIQUE (a COLLATE NOCASE))",
    ],
)
def test_two_identical_constraints_are_an_error(text: str) -> None:
    with pytest.raises(
        UnsupportedChange, match=r"the table t has two constraints .* distinguished"
    ) as caught:
        read(text)
    assert caught.value.next_step == "Give one of them a name."


def test_a_column_that_was_added_later_is_read_like_any_other() -> None:
    made = table(
        "CREATE TABLE t (a INT, CHECK (a > 0))", "ALTER TABLE t ADD COLUMN b TEXT DEFAULT 'x'"
    )
    assert [item.name for item in made.columns] == ["a", "b"]
    assert len(made.checks) == 1
