"""Differences that dbwarden sees but cannot express, and what the error names."""

from dataclasses import dataclass

T = "CREATE TABLE t (id int, a int);"
K = "CREATE TYPE k AS (a int);"
TR = "CREATE FUNCTION tr() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;"
CONVERSION = "CREATE CONVERSION con FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1;"
RANGE = "CREATE TYPE r AS RANGE (subtype = {});"
FUNCTION = "CREATE FUNCTION f({}) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';"
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
    changed("", CONVERSION, "conversion public.con"),
    changed(
        CONVERSION,
        CONVERSION + "COMMENT ON CONVERSION con IS 'x';",
        "conversion public.con",
    ),
    changed("", "CREATE OPERATOR FAMILY fam USING btree;", "operator family public.fam"),
    changed("", "CREATE LANGUAGE l HANDLER plpgsql_call_handler;", "language l"),
    changed(
        f"{RANGE.format('float8')} CREATE TABLE t (r r);",
        f"{RANGE.format('float4')} CREATE TABLE t (r r);",
        "column public.t.r",
    ),
    changed(
        'CREATE COLLATION c FROM "C"; CREATE TABLE t (a text COLLATE c);',
        'CREATE COLLATION c FROM "POSIX"; CREATE TABLE t (a text COLLATE c);',
        "column public.t.a",
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
