"""Enums, domains, composite types, sequences, extensions."""

from tests.acceptance.cases import Case


def mood(values: str, more: str = "") -> str:
    return f"CREATE TYPE mood AS ENUM ({values});" + more


USED = (
    "CREATE TABLE t (id int PRIMARY KEY, m mood NOT NULL DEFAULT 'ok', many mood[]);"
    "CREATE INDEX i ON t (id) WHERE m = 'ok';"
    "CREATE VIEW v AS SELECT id, m FROM t WHERE m <> 'ok'; CREATE VIEW w AS SELECT * FROM v;"
    "ALTER TABLE t ADD CONSTRAINT k CHECK (m <> 'ok' OR id > 0);"
    "CREATE FUNCTION f(x mood) RETURNS mood LANGUAGE sql AS 'SELECT x';"
)

CALC = "CREATE FUNCTION {name}() RETURNS {type} LANGUAGE sql AS $$ SELECT {value} $$;"


def calculated(name: str, type: str, value: str) -> str:
    """A function without arguments."""
    return CALC.format(name=name, type=type, value=value)


def with_default(type_: str, default: str, *functions: str) -> str:
    """A type, functions, and a table whose column has a default."""
    return f"{type_}{''.join(functions)}CREATE TABLE t (m mood{default}, n int);"


ONE = calculated("one", "text", "'a'")
TWO = calculated("two", "mood", "'a'::mood")
THREE = calculated("three", "mood", "'b'::mood")
DOMAINS = ("CREATE DOMAIN mood AS varchar(5);", "CREATE DOMAIN mood AS varchar(3);")
DEFAULTS = {
    "none": ("",),
    "a text": (" DEFAULT 'a'",),
    "a function": (" DEFAULT one()::mood", ONE),
    "a function of the type": (" DEFAULT two()", TWO),
    "another function of the type": (" DEFAULT three()", THREE),
}
DEFAULTS_OF_TYPES = [
    Case(
        name=f"{kind} recreated where the default was {was} and is {now}",
        old=with_default(before, *DEFAULTS[was]),
        new=with_default(after, *DEFAULTS[now]),
    )
    for kind, before, after in (
        ("enum", mood("'a', 'b', 'c'"), mood("'a', 'b'")),
        ("domain", *DOMAINS),
    )
    for was in DEFAULTS
    for now in DEFAULTS
    if was != now
]

CASES = [
    Case(
        name="enum with its first column",
        old="CREATE TABLE t (a int);",
        new=mood("'sad', 'it''s ok'", "CREATE TABLE t (a int, m mood);"),
    ),
    Case(name="enum value at the end", old=mood("'a'"), new=mood("'a', 'b', 'c'")),
    Case(name="enum value at the beginning", old=mood("'a'"), new=mood("'x', 'y', 'a'")),
    Case(
        name="enum value in the middle", old=mood("'a', 'c'"), new=mood("'a', 'b', 'bb', 'c', 'd'")
    ),
    Case(name="enum value for an empty enum", old=mood(""), new=mood("'a', 'b'")),
    Case(
        name="enum value that the same migration uses",
        old=mood("'a'", "CREATE TABLE t (m mood DEFAULT 'a');"),
        new=mood("'a', 'b'", "CREATE TABLE t (m mood DEFAULT 'b' CHECK (m = 'b'));"),
    ),
    Case(
        name="enum value renamed",
        old=mood("'sad', 'ok'", USED),
        new=mood("'low', 'ok'", USED),
        renames=("value mood.sad:low",),
        contains=("RENAME VALUE",),
        lacks=("DROP",),
    ),
    Case(
        name="enum value renamed where it is used",
        old=mood("'sad', 'fine'", USED.replace("'ok'", "'fine'")),
        new=mood("'sad', 'ok'", USED),
        renames=("value mood.fine:ok",),
    ),
    Case(
        name="enum value removed",
        old=mood("'sad', 'ok', 'gone'", USED),
        new=mood("'sad', 'ok'", USED),
    ),
    Case(
        name="enum values in another order",
        old=mood("'sad', 'ok'", USED),
        new=mood("'ok', 'sad'", USED),
    ),
    Case(
        name="enum value removed and default changed",
        old=mood("'a', 'b'", "CREATE TABLE t (m mood DEFAULT 'b');"),
        new=mood("'a', 'c'", "CREATE TABLE t (m mood DEFAULT 'c');"),
    ),
    Case(
        name="enum dropped with its last column",
        old=mood("'a'", "CREATE TABLE t (a int, m mood DEFAULT 'a');"),
        new="CREATE TABLE t (a int);",
    ),
    Case(
        name="enum to text",
        old=mood("'a'", "CREATE TABLE t (m mood DEFAULT 'a');"),
        new="CREATE TABLE t (m text DEFAULT 'a');",
    ),
    Case(
        name="enum renamed",
        old=mood("'a'", "CREATE TABLE t (m mood DEFAULT 'a');"),
        new="CREATE TYPE state AS ENUM ('a'); CREATE TABLE t (m state DEFAULT 'a');",
        renames=("enum mood:state",),
        lacks=("DROP",),
    ),
    Case(name="enum comment", old=mood("'a'"), new=mood("'a'", "COMMENT ON TYPE mood IS 'x';")),
    Case(
        name="domain",
        old="CREATE TABLE t (a int);",
        new="CREATE DOMAIN d AS int DEFAULT 1 NOT NULL CHECK (VALUE > 0); "
        "COMMENT ON DOMAIN d IS 'x';"
        "CREATE TABLE t (a int, b d);",
    ),
    Case(
        name="domain in place",
        old="CREATE DOMAIN d AS text DEFAULT 'a' CHECK (VALUE <> ''); CREATE TABLE t (b d);",
        new="CREATE DOMAIN d AS text NOT NULL CONSTRAINT k CHECK (VALUE <> 'x'); "
        "CREATE TABLE t (b d);",
    ),
    Case(
        name="domain base type",
        old="CREATE DOMAIN d AS varchar(10); CREATE TABLE t (b d DEFAULT 'a');"
        "CREATE VIEW v AS SELECT b FROM t;",
        new="CREATE DOMAIN d AS varchar(20); CREATE TABLE t (b d DEFAULT 'a');"
        "CREATE VIEW v AS SELECT b FROM t;",
    ),
    Case(
        name="domain check not valid",
        old="CREATE DOMAIN d AS int;",
        new="CREATE DOMAIN d AS int; ALTER DOMAIN d ADD CONSTRAINT k CHECK (VALUE > 0) NOT VALID;",
    ),
    Case(name="domain with a collation", old="", new='CREATE DOMAIN d AS text COLLATE "C";'),
    Case(
        name="domain with a function",
        old="",
        new="CREATE FUNCTION f(x int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT x > 0';"
        "CREATE DOMAIN d AS int CHECK (f(VALUE)); CREATE TABLE t (a d);",
    ),
    Case(
        name="composite type",
        old="CREATE TYPE p AS (a int, b text);",
        new="CREATE TYPE p AS (a bigint, c text COLLATE \"C\"); COMMENT ON TYPE p IS 'x';"
        "COMMENT ON COLUMN p.a IS 'y';",
    ),
    Case(
        name="composite type in use",
        old="CREATE TYPE p AS (a int); CREATE TABLE t (x p, y p[]);",
        new="CREATE TYPE p AS (a int, b text); CREATE TABLE t (x p, y p[]);",
    ),
    Case(
        name="sequence",
        old="",
        new="CREATE SEQUENCE s AS int START 5 INCREMENT 2 MAXVALUE 99 CACHE 3 CYCLE;",
    ),
    Case(
        name="sequence options",
        old="CREATE SEQUENCE s;",
        new="CREATE SEQUENCE s AS smallint INCREMENT -1 MINVALUE -100 MAXVALUE -1 START -5;"
        "COMMENT ON SEQUENCE s IS 'x';",
    ),
    Case(
        name="sequence ownership",
        old="CREATE SEQUENCE s; CREATE TABLE t (a int, b int);",
        new="CREATE SEQUENCE s; CREATE TABLE t (a int, b int); ALTER SEQUENCE s OWNED BY t.b;",
    ),
    Case(
        name="sequence shared by two tables",
        old="",
        new="CREATE SEQUENCE s; CREATE TABLE a (i int DEFAULT nextval('s'));"
        "CREATE TABLE b (i int DEFAULT nextval('s')); ALTER SEQUENCE s OWNED BY b.i;",
    ),
    Case(
        name="sequence unlogged",
        old="CREATE SEQUENCE s;",
        new="CREATE UNLOGGED SEQUENCE s;",
        since=150000,
    ),
    Case(
        name="sequence renamed",
        old="CREATE SEQUENCE s; CREATE TABLE t (a int DEFAULT nextval('s'));",
        new="CREATE SEQUENCE z; CREATE TABLE t (a int DEFAULT nextval('z'));",
        renames=("sequence s:z",),
    ),
    Case(
        name="extension with a column",
        old="CREATE TABLE t (a text);",
        new="CREATE EXTENSION citext; CREATE TABLE t (a citext);",
    ),
    Case(
        name="extension in a namespace",
        old="",
        new="CREATE SCHEMA ext; CREATE EXTENSION hstore SCHEMA ext; CREATE TABLE t (a ext.hstore);",
    ),
    Case(
        name="extension moves",
        old="CREATE SCHEMA ext; CREATE EXTENSION hstore;",
        new="CREATE SCHEMA ext; CREATE EXTENSION hstore SCHEMA ext;",
    ),
    *DEFAULTS_OF_TYPES,
]
