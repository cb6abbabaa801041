"""What SQLite made and what the parser of its CREATE statements reads are the same."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbwarden.dialects.sqlite.catalog import EMPTY_SCHEMA, read_schema, spelled_alike
from dbwarden.dialects.sqlite.catalog.capitals import adopt_capitals
from dbwarden.dialects.sqlite.catalog.expressions import columns_by_name, expression, sql
from dbwarden.dialects.sqlite.catalog.grammar import parse_table
from dbwarden.dialects.sqlite.catalog.tables import index, type_text
from dbwarden.dialects.sqlite.catalog.tokens import Unreadable, tokens
from dbwarden.dialects.sqlite.ddl import render
from dbwarden.dialects.sqlite.sql.quoting import identifier
from dbwarden.diff import diff
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import (
    Check,
    Column,
    ForeignKey,
    Generated,
    Index,
    IndexColumn,
    PrimaryKey,
    QualifiedName,
    Ref,
    Schema,
    Table,
    Unique,
)
from dbwarden.schema import ObjectKind as K


def read(*statements: str, exclude: Sequence[str] = ()) -> Schema:
    """The schema that *statements* make."""
    with closing(sqlite3.connect(":memory:")) as database:
        for statement in statements:
            database.execute(statement)
        return read_schema(database, exclude=exclude)


def table(*statements: str) -> Table:
    """The last table, by name, that *statements* make."""
    return read(*statements).tables[-1]


def column(text: str) -> Column:
    """The column that *text* declares, beside one before it."""
    return table(f"CREATE TABLE t (a INT, {text})").columns[1]


# -- columns --------------------------------------------------------------------------------------


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


def test_everything_that_a_column_can_say_is_read() -> None:
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


def test_a_column_may_say_that_it_takes_null_or_where_its_deferral_stands_alone() -> None:
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
def test_a_key_that_takes_no_null_says_so_and_does_not_take_one(text: str, not_null: bool) -> None:
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


# -- constraints ----------------------------------------------------------------------------------


def test_keys_are_the_same_at_the_column_and_in_the_list() -> None:
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


def test_foreign_keys_are_read_with_all_that_they_say() -> None:
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


def test_of_two_constraints_with_one_name_the_second_counts_as_unnamed() -> None:
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
def test_two_constraints_that_nothing_tells_apart_are_an_error(text: str) -> None:
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


# -- indexes, views, triggers, what is left out ---------------------------------------------------


def test_indexes_are_read_with_expressions_collations_order_and_condition() -> None:
    made = table(
        'CREATE TABLE t (a TEXT COLLATE NOCASE, b INT, "c d" INT)',
        "CREATE UNIQUE INDEX IF NOT EXISTS one ON t (a COLLATE nocase DESC, B ASC, "
        "[c d], lower(a) COLLATE rtrim, (b+1), a COLLATE binary) WHERE (b is NOT null)",
    )
    assert made.indexes == (
        Index(
            name="one",
            unique=True,
            where="b IS NOT NULL",
            columns=(
                IndexColumn(column="a", descending=True),
                IndexColumn(column="b"),
                IndexColumn(column="c d"),
                IndexColumn(expression="lower(a)", collation="RTRIM"),
                IndexColumn(expression="b + 1"),
                IndexColumn(column="a", collation="BINARY"),
            ),
        ),
    )


def test_views_and_triggers_are_read_with_what_sqlite_says_they_use() -> None:
    found = read(
        "CREATE TABLE t (a INT, b INT)",
        "CREATE VIEW v (x) AS SELECT a FROM t",
        "CREATE VIEW w AS SELECT x FROM v -- and no more",
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET b = new.a; END",
        "CREATE TRIGGER h INSTEAD OF DELETE ON W BEGIN DELETE FROM t; END",
        "CREATE VIEW broken AS SELECT * FROM gone",
        "CREATE TRIGGER i INSTEAD OF DELETE ON broken BEGIN SELECT 1; END",
        "CREATE VIEW own AS SELECT name FROM sqlite_master",
    )
    assert [(str(v.name), v.parameters) for v in found.views] == [
        ("broken", ()),
        ("own", ()),
        ("v", (("columns", "x"),)),
        ("w", ()),
    ]
    assert [(str(t.table), t.name) for t in found.triggers] == [
        ("broken", "i"),
        ("t", "g"),
        ("w", "h"),
    ]
    t, v, w = Ref(K.TABLE, None, "t"), Ref(K.VIEW, None, "v"), Ref(K.VIEW, None, "w")
    a, b = Ref(K.COLUMN, None, "t", "a"), Ref(K.COLUMN, None, "t", "b")
    g, h = Ref(K.TRIGGER, None, "t", "g"), Ref(K.TRIGGER, None, "w", "h")
    assert set(found.dependencies) == {(v, t), (v, a), (w, v), (g, t), (g, a), (g, b), (h, t)}
    assert found.broken == ((Ref(K.VIEW, None, "broken"), "no such table: main.gone"),)


def test_virtual_tables_are_seen_and_what_is_behind_them_or_sqlites_own_is_not() -> None:
    found = read(
        "CREATE TABLE ledger (a INT UNIQUE)",
        "CREATE INDEX of_ledger ON ledger (a)",
        "CREATE TABLE docs_x (a INTEGER PRIMARY KEY AUTOINCREMENT)",
        "CREATE VIRTUAL TABLE docs USING fts5(body)",
        "ANALYZE",
        exclude=["Ledger"],
    )
    assert [str(item.name) for item in found.tables] == ["docs", "docs_x"]
    assert found.tables[0].virtual == "CREATE VIRTUAL TABLE docs USING fts5(body)"


def test_the_tables_behind_a_virtual_one_are_known_on_an_old_sqlite_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
    found = read("CREATE VIRTUAL TABLE docs USING fts5(body)", "CREATE TABLE docs_mine (a)")
    assert [str(item.name) for item in found.tables] == ["docs", "docs_mine"]


def test_what_is_not_understood_is_an_error_that_names_the_table() -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE odd (a INT)")
        database.execute("PRAGMA writable_schema = ON")
        database.execute("UPDATE sqlite_master SET sql = 'CREATE TABLE odd (a INT) WITHOUT SENSE'")
        with pytest.raises(
            UnsupportedChange, match=r"cannot parse the statement of table odd: .* was not expected"
        ):
            read_schema(database)


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE t",
        "CREATE TABLE t (",
        "CREATE TABLE t (a INT",
        "CREATE TABLE t (a INT CHECK (a > 0)",
        "CREATE TABLE t (a INT BANANA()",
        "CREATE TABLE t (a INT) x",
        "CREATE TABLE t (a INT) STRICT; more",
        "CREATE TABLE t (a INT, PRIMARY KEY ())",
        "CREATE TABLE t (a INT REFERENCES b ON DELETE EXPLODE)",
        "CREATE TABLE t (a INT CHECK a > 0)",
        "CREATE TABLE t (a INT, CONSTRAINT x FOREIGN (a))",
        "CREATE TABLE t (a INT DEFAULT 1 2)",
        "CREATE TABLE t (a INT \x00)",
        "CREATE TABLE t (a 'INT)",
        "CREATE TABLE t (1)",
        "CREATE TABLE t (a INT CHECK (a > 0",
        "CREATE TABLE t (a INT DEFAULT",
    ],
)
def test_no_text_that_is_not_understood_is_taken_silently(text: str) -> None:
    with pytest.raises(Unreadable):
        parse_table(text)


def test_an_index_that_is_not_understood_is_an_error_too() -> None:
    with pytest.raises(Unreadable, match="'USING"):
        index("CREATE INDEX i ON t (a) USING magic", Table(name=QualifiedName(None, "t")))


def test_names_are_quoted_only_where_they_have_to_be() -> None:
    assert [identifier(name) for name in ("users", "order", 'a"b', "größe")] == [
        "users",
        '"order"',
        '"a""b"',
        '"größe"',
    ]
    with pytest.raises(ValueError, match="NUL"):
        identifier("a\0")


# -- spelling -------------------------------------------------------------------------------------

COLUMNS = columns_by_name(["age", "Name", "order", "end"])


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
def test_spelling_tells_no_expressions_apart(one: str, other: str) -> None:
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
def test_what_is_more_than_spelling_tells_expressions_apart(one: str, other: str) -> None:
    assert expression(tokens(one), COLUMNS) != expression(tokens(other), COLUMNS)


def test_views_and_triggers_are_alike_however_they_are_written() -> None:
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
    assert one.views != other.views
    assert spelled_alike(one.views[0], other.views[0])
    assert spelled_alike(one.triggers[0], other.triggers[0])
    assert not spelled_alike(one.views[0], one.triggers[0])
    third = read("CREATE TABLE t (a)", "CREATE VIEW v AS SELECT a FROM t")
    assert not spelled_alike(one.views[0], third.views[0])
    assert spelled_alike(one.tables[0], one.tables[0])


def test_virtual_tables_are_alike_by_their_statement() -> None:
    one, other = (
        read(f"CREATE VIRTUAL TABLE d {text}").tables[0]
        for text in ("USING fts5(a, b)", "using fts5( a,b )")
    )
    assert one != other
    assert spelled_alike(one, other)


# -- against SQLite itself ------------------------------------------------------------------------

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
def test_any_table_that_sqlite_takes_is_read_as_its_pragmas_tell(text: str) -> None:
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
def test_any_table_that_was_read_is_written_so_that_it_reads_the_same(text: str) -> None:
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
def test_the_one_spelling_is_spelled_as_itself_and_holds_the_same_tokens(text: str) -> None:
    try:
        found = tokens(text)
        once = expression(found, COLUMNS)
    except Unreadable:
        return
    assert expression(tokens(once), COLUMNS) == once
    assert sql(sql(text)) == sql(text)
    assert len(tokens(sql(text))) == len(found)


@given(st.text(max_size=30))
def test_no_text_breaks_the_lexer(text: str) -> None:
    try:
        found = tokens(text)
    except Unreadable:
        return
    assert all(text[token.start : token.end] == token.text for token in found)


# -- capitals -------------------------------------------------------------------------------------

CAPITALS = (
    'CREATE TABLE Users (Id INTEGER PRIMARY KEY, "Name" TEXT, Age INT, '
    "Twice INT AS (Age * 2), UNIQUE (Name COLLATE NOCASE), CONSTRAINT Ck CHECK (Age > 0))",
    "CREATE TABLE Posts (Id INTEGER, Author INT REFERENCES Users, Rest TEXT, "
    "CONSTRAINT Pk PRIMARY KEY (Id, Author), CONSTRAINT Uq UNIQUE (Rest), "
    "CONSTRAINT Fk FOREIGN KEY (Author) REFERENCES Users (Id))",
    "CREATE INDEX Ix ON Users (Name, lower(Name)) WHERE Age > 1",
    "CREATE VIEW V AS SELECT Id FROM Users",
    "CREATE TRIGGER G AFTER INSERT ON Users BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE Docs USING fts5(body)",
)


def test_names_that_differ_in_capitals_only_are_the_same_names() -> None:
    one = read(*CAPITALS)
    lower = [text.lower() for text in CAPITALS]
    lower[4] = "CREATE TRIGGER g AFTER INSERT ON Users BEGIN SELECT 1; END"
    other = read(*lower)
    assert one.tables != other.tables
    found = adopt_capitals(one, other)
    assert found.tables[1:] == one.tables[1:]
    assert [str(item.name) for item in found.tables] == ["Docs", "Posts", "Users"]
    assert [view.name for view in found.views] == [view.name for view in one.views]
    assert [(item.table, item.name) for item in found.triggers] == [
        (item.table, item.name) for item in one.triggers
    ]
    assert one.dependencies
    assert set(found.dependencies) == set(one.dependencies)


def test_a_name_that_is_there_in_these_capitals_is_not_another() -> None:
    here = read(
        "CREATE TABLE t (a INT CONSTRAINT x CHECK (a > 0), b INT CONSTRAINT X CHECK (b > 0))"
    )
    assert adopt_capitals(here, here) is here
    more = read("CREATE TABLE t (A INT CONSTRAINT X CHECK (a > 0), c INT)", "CREATE TABLE Q (z)")
    (added, made) = adopt_capitals(here, more).tables
    assert str(added.name) == "Q"
    assert [item.name for item in made.columns] == ["a", "c"]
    assert made.checks == (Check(name="X", expression="a > 0", columns=("a",)),)
