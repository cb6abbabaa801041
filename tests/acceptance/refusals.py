"""Differences that dbwarden sees but cannot express, and what the error names."""

from dataclasses import dataclass

T = "CREATE TABLE t (id int, a int);"
K = "CREATE TYPE k AS (a int);"
TR = "CREATE FUNCTION tr() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;"
OPERATOR = (
    "CREATE FUNCTION e1(int, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';"
    "CREATE FUNCTION e2(int, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';"
    "CREATE OPERATOR === (LEFTARG = int, RIGHTARG = text, PROCEDURE = {});"
)
FUNCTION = "CREATE FUNCTION f({}) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';"
SEARCH = "CREATE TEXT SEARCH CONFIGURATION cfg (COPY = english);"
SERVER = "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;"
PARTS = (
    "CREATE TABLE p (id int) PARTITION BY RANGE (id);"
    "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (5);"
    "CREATE TRIGGER g AFTER INSERT ON p FOR EACH ROW EXECUTE PROCEDURE tr();"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Two schemas as SQL, the words of the error, and the oldest server that knows the SQL."""

    old: str
    new: str
    names: str
    since: int = 140000


def changed(old: str, new: str, names: str, since: int = 140000) -> Refusal:
    return Refusal(old=old, new=new, names=names, since=since)


REFUSALS = [
    changed("", 'CREATE COLLATION c FROM "C";', "collation public.c"),
    changed(
        'CREATE COLLATION c FROM "C";', 'CREATE COLLATION c FROM "POSIX";', "collation public.c"
    ),
    changed(
        'CREATE COLLATION c FROM "C";',
        "CREATE COLLATION c FROM \"C\"; COMMENT ON COLLATION c IS 'x';",
        "collation public.c",
    ),
    changed("", "CREATE TYPE r AS RANGE (subtype = float8);", "range type public.r"),
    changed(
        "CREATE TYPE r AS RANGE (subtype = float8);",
        "CREATE TYPE r AS RANGE (subtype = float4);",
        "range type public.r",
    ),
    changed(OPERATOR.format("e1"), OPERATOR.format("e2"), "operator public.===(integer, text)"),
    changed(
        "CREATE TYPE e AS ENUM ('a');",
        "CREATE TYPE e AS ENUM ('a'); CREATE CAST (text AS e) WITH INOUT AS IMPLICIT;",
        "cast text AS e",
    ),
    changed("", SEARCH, "text search configuration public.cfg"),
    changed(
        SEARCH,
        SEARCH + "ALTER TEXT SEARCH CONFIGURATION cfg ALTER MAPPING FOR asciiword WITH simple;",
        "text search configuration public.cfg",
    ),
    changed("", "CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = simple);", "dictionary public.d"),
    changed(T, T + "CREATE PUBLICATION pub FOR TABLE t;", "publication pub"),
    changed(
        T + "CREATE TABLE u (); CREATE PUBLICATION pub FOR TABLE t;",
        T + "CREATE TABLE u (); CREATE PUBLICATION pub FOR TABLE t, u;",
        "publication pub",
    ),
    changed("", SERVER, "foreign"),
    changed(SERVER, SERVER + "CREATE FOREIGN TABLE f (a int) SERVER s;", "foreign table public.f"),
    changed(
        SERVER + "CREATE FOREIGN TABLE f (a int) SERVER s;",
        SERVER + "CREATE FOREIGN TABLE f (a int, b int) SERVER s;",
        "foreign table public.f",
    ),
    changed(
        "CREATE TYPE k AS (a int);", "CREATE TYPE k AS (a int); CREATE TABLE t OF k;", "public.t"
    ),
    changed(TR + PARTS, TR + PARTS + "ALTER TABLE p1 DISABLE TRIGGER g;", "g on p1"),
    changed(T, T.rstrip(";") + "PARTITION BY RANGE (id);", "partition key of table t"),
    changed("CREATE TABLE t (a int);", "CREATE TABLE t (a timestamptz);", "t.a"),
    changed(
        FUNCTION.format("a int") + "CREATE TABLE t (a int) PARTITION BY RANGE (f(a));",
        FUNCTION.format("b int") + "CREATE TABLE t (a int) PARTITION BY RANGE (f(a));",
        "partition key of table public.t",
    ),
    changed(
        "CREATE TYPE k AS (a int, b int); CREATE TABLE t (x k);",
        "CREATE TYPE k AS (b int, a int); CREATE TABLE t (x k);",
        "composite type public.k",
    ),
]
