"""Kinds of objects without a class of their own: created, changed and dropped.

Each value is the SQL before and after.
"""

from tests.acceptance.cases import Case

T = "CREATE TABLE t (id int PRIMARY KEY, a int, b text); CREATE TABLE u (id int PRIMARY KEY);"

RANGES = {
    "comes": ("", "CREATE TYPE r AS RANGE (subtype = float8);"),
    "of another type": (
        "CREATE TYPE r AS RANGE (subtype = float8);",
        "CREATE TYPE r AS RANGE (subtype = float4);",
    ),
    "with everything": (
        "",
        'CREATE SCHEMA s; CREATE COLLATION c FROM "C";'
        "CREATE FUNCTION d(text, text) RETURNS float8 LANGUAGE sql IMMUTABLE"
        " AS 'SELECT 1.0::float8';"
        "CREATE TYPE s.r AS RANGE (subtype = text, subtype_opclass = text_pattern_ops,"
        " collation = c, subtype_diff = d, multirange_type_name = s.many);"
        "COMMENT ON TYPE s.r IS 'x';",
    ),
    "with a comment": (
        "CREATE TYPE r AS RANGE (subtype = float8);",
        "CREATE TYPE r AS RANGE (subtype = float8); COMMENT ON TYPE r IS 'x';",
    ),
    "in a table and a function": (
        "CREATE TABLE t (id int);",
        "CREATE TYPE floatrange AS RANGE (subtype = float8);"
        "CREATE TABLE t (id int, r floatrange, m floatmultirange, a floatrange[]);"
        "CREATE FUNCTION f(floatrange) RETURNS float8 LANGUAGE sql AS 'SELECT lower($1)';"
        "CREATE VIEW v AS SELECT upper(r) AS u FROM t;",
    ),
}
COLLATIONS = {
    "comes": ("", 'CREATE COLLATION c FROM "C";'),
    "of another locale": ('CREATE COLLATION c FROM "C";', 'CREATE COLLATION c FROM "POSIX";'),
    "with a comment": (
        'CREATE COLLATION c FROM "C";',
        "CREATE COLLATION c FROM \"C\"; COMMENT ON COLLATION c IS 'x';",
    ),
    "in a column": (
        "CREATE TABLE t (a text);",
        "CREATE SCHEMA s; CREATE COLLATION s.c (lc_collate = 'C', lc_ctype = 'POSIX');"
        "CREATE TABLE t (a text COLLATE s.c); CREATE INDEX i ON t (a);",
    ),
    "goes from a column": (
        'CREATE COLLATION c FROM "C"; CREATE TABLE t (a text COLLATE c);',
        "CREATE TABLE t (a text);",
    ),
}
DICTIONARY = "CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = snowball, language = 'english');"
SEARCH = "CREATE TEXT SEARCH CONFIGURATION cfg (COPY = english);"
DOCS = "CREATE TABLE t (id int, body text{});"
TEXT_SEARCH = {
    "comes": (
        "",
        f"{DICTIONARY}{SEARCH} ALTER TEXT SEARCH CONFIGURATION cfg ALTER MAPPING FOR asciiword"
        " WITH d, simple; COMMENT ON TEXT SEARCH CONFIGURATION cfg IS 'x';",
    ),
    "with other mappings": (
        f"{SEARCH}{DICTIONARY}",
        f"{SEARCH}{DICTIONARY} ALTER TEXT SEARCH CONFIGURATION cfg ALTER MAPPING FOR asciiword,"
        " word WITH d; ALTER TEXT SEARCH CONFIGURATION cfg DROP MAPPING FOR email, url;"
        "ALTER TEXT SEARCH CONFIGURATION cfg ADD MAPPING FOR tag WITH simple;",
    ),
    "with another dictionary": (
        f"{DICTIONARY}{SEARCH}",
        f"{DICTIONARY.replace('english', 'german')}{SEARCH}",
    ),
    "in a column": (
        DOCS.format(""),
        f"{SEARCH}"
        + DOCS.format(", w tsvector GENERATED ALWAYS AS (to_tsvector('cfg', body)) STORED")
        + "CREATE INDEX i ON t USING gin (w);",
    ),
}
TYPES = "CREATE TYPE e AS ENUM ('a'); CREATE TYPE k AS (a int);"
TO_K = "CREATE FUNCTION to_k(int) RETURNS k LANGUAGE sql IMMUTABLE AS 'SELECT ROW($1)::k';"
CASTS = {
    "comes": (TYPES, f"{TYPES} CREATE CAST (text AS e) WITH INOUT AS IMPLICIT;"),
    "of another kind": (
        f"{TYPES}{TO_K} CREATE CAST (int AS k) WITH FUNCTION to_k(int);",
        f"{TYPES}{TO_K} CREATE CAST (int AS k) WITH FUNCTION to_k(int) AS ASSIGNMENT;"
        "COMMENT ON CAST (int AS k) IS 'x';",
    ),
    "goes with its types": (
        f"{TYPES}{TO_K} CREATE CAST (int AS k) WITH FUNCTION to_k(int);"
        "CREATE CAST (text AS e) WITH INOUT;",
        "",
    ),
}
EQUAL = (
    "CREATE FUNCTION e1(int, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';"
    "CREATE FUNCTION e2(int, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';"
    "CREATE FUNCTION e3(text, int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';"
)
OPERATORS = {
    "comes": (
        EQUAL,
        f"{EQUAL} CREATE SCHEMA s; CREATE OPERATOR s.=== (LEFTARG = int, RIGHTARG = text,"
        " FUNCTION = e1, RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);"
        "COMMENT ON OPERATOR s.=== (int, text) IS 'x';",
    ),
    "of another function": (
        f"{EQUAL} CREATE OPERATOR === (LEFTARG = int, RIGHTARG = text, FUNCTION = e1);",
        f"{EQUAL} CREATE OPERATOR === (LEFTARG = int, RIGHTARG = text, FUNCTION = e2);",
    ),
    "with a commutator and a negator": (
        EQUAL,
        f"{EQUAL} CREATE OPERATOR === (LEFTARG = int, RIGHTARG = text, FUNCTION = e1,"
        " COMMUTATOR = ===, NEGATOR = !==);"
        "CREATE OPERATOR === (LEFTARG = text, RIGHTARG = int, FUNCTION = e3, COMMUTATOR = ===);"
        "CREATE OPERATOR !== (LEFTARG = int, RIGHTARG = text, FUNCTION = e2, NEGATOR = ===);",
    ),
    "of one argument, in a check": (
        "CREATE TABLE t (a int);",
        "CREATE FUNCTION even(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 % 2 = 0';"
        "CREATE OPERATOR @@@ (RIGHTARG = int, FUNCTION = even);"
        "CREATE TABLE t (a int CHECK (@@@ a));",
    ),
}
PUBLICATIONS = {
    "comes": (T, f"{T} CREATE PUBLICATION p FOR TABLE t, u; COMMENT ON PUBLICATION p IS 'x';"),
    "of nothing": (T, f"{T} CREATE PUBLICATION p WITH (publish = 'insert, update');"),
    "of all tables": (T, f"{T} CREATE PUBLICATION p FOR ALL TABLES;"),
    "of all tables is of one": (
        f"{T} CREATE PUBLICATION p FOR ALL TABLES;",
        f"{T} CREATE PUBLICATION p FOR TABLE t;",
    ),
    "of another table and with other options": (
        f"{T} CREATE PUBLICATION p FOR TABLE t WITH (publish = 'insert');",
        f"{T} CREATE PUBLICATION p FOR TABLE u WITH (publish_via_partition_root = true);",
    ),
    "of a table that comes": ("CREATE PUBLICATION p;", f"{T} CREATE PUBLICATION p FOR TABLE t, u;"),
}
PUBLICATIONS_15 = {
    "of columns and rows": (
        f"{T} CREATE PUBLICATION p FOR TABLE t;",
        f"{T} CREATE PUBLICATION p FOR TABLE t (id, a) WHERE (id > 5);",
    ),
    "of a column that changes its type": (
        f"{T} CREATE PUBLICATION p FOR TABLE t (id, a) WHERE (id > 5);",
        f"{T.replace('id int', 'id bigint', 1)} CREATE PUBLICATION p FOR TABLE t (id, a)"
        " WHERE (id > 5);",
    ),
    "of a column that goes": (
        f"{T} CREATE PUBLICATION p FOR TABLE t (id, a);",
        f"{T.replace('a int, ', '')} CREATE PUBLICATION p FOR TABLE t (id);",
    ),
    "of namespaces": (
        f"{T} CREATE SCHEMA s; CREATE SCHEMA r; CREATE PUBLICATION p FOR TABLES IN SCHEMA s;",
        f"{T} CREATE SCHEMA s; CREATE SCHEMA r; CREATE PUBLICATION p FOR TABLE t,"
        " TABLES IN SCHEMA r;",
    ),
}
SUBSCRIPTION = (
    "CREATE SUBSCRIPTION s CONNECTION 'password=unset' PUBLICATION {}"
    " WITH (connect = false, slot_name = NONE{});"
)
BARE = SUBSCRIPTION.format("p", "")
SUBSCRIPTIONS = {
    "comes": ("", f"{BARE} COMMENT ON SUBSCRIPTION s IS 'x';"),
    "of other publications and with other options": (
        SUBSCRIPTION.format("p", ", binary = true, streaming = off"),
        SUBSCRIPTION.format('"P", q', ", streaming = on, synchronous_commit = remote_apply"),
    ),
}
SUBSCRIPTIONS_15 = {
    "with other options": (BARE, SUBSCRIPTION.format("p", ", disable_on_error = true")),
    "with two phases": (BARE, SUBSCRIPTION.format("p", ", two_phase = true")),
}
SUBSCRIPTIONS_16 = {
    "with other options": (
        SUBSCRIPTION.format("p", ", streaming = parallel, origin = none"),
        SUBSCRIPTION.format("p", ", password_required = false, run_as_owner = true"),
    )
}
SUBSCRIPTIONS_17 = {"with failover": (BARE, SUBSCRIPTION.format("p", ", failover = true"))}
WRAPPER = "CREATE FOREIGN DATA WRAPPER w;"
SERVER = f"{WRAPPER} CREATE SERVER s FOREIGN DATA WRAPPER w;"
SERVERS = {
    "comes": (
        "",
        "CREATE EXTENSION postgres_fdw; CREATE SERVER s TYPE 't' VERSION '1' FOREIGN DATA WRAPPER"
        " postgres_fdw OPTIONS (host 'h', dbname 'it''s'); COMMENT ON SERVER s IS 'x';",
    ),
    "and its wrapper": (
        "",
        "CREATE FOREIGN DATA WRAPPER w OPTIONS (host 'x');"
        "CREATE SERVER s FOREIGN DATA WRAPPER w; COMMENT ON FOREIGN DATA WRAPPER w IS 'x';",
    ),
    "with other options": (
        f"{WRAPPER} CREATE SERVER s VERSION '1' FOREIGN DATA WRAPPER w OPTIONS (a '1', b '2');",
        f"{WRAPPER} CREATE SERVER s VERSION '2' FOREIGN DATA WRAPPER w OPTIONS (b '3', \"C\" '4');",
    ),
    "without a version": (
        f"{WRAPPER} CREATE SERVER s VERSION '1' FOREIGN DATA WRAPPER w;",
        f"{WRAPPER} CREATE SERVER s FOREIGN DATA WRAPPER w;",
    ),
    "of another type": (
        f"{WRAPPER} CREATE SERVER s TYPE 'a' FOREIGN DATA WRAPPER w;",
        f"{WRAPPER} CREATE SERVER s TYPE 'b' FOREIGN DATA WRAPPER w;",
    ),
}
MAPPINGS = {
    "comes": (SERVER, f"{SERVER} CREATE USER MAPPING FOR PUBLIC SERVER s;"),
    "goes with its server": (f"{SERVER} CREATE USER MAPPING FOR PUBLIC SERVER s;", ""),
}
FOREIGN = f"{SERVER} CREATE TABLE p (a int, b text);"
FOREIGN_TABLES = {
    "comes": (
        SERVER,
        f"{SERVER} CREATE SCHEMA x; CREATE FOREIGN TABLE x.f (a int OPTIONS (k 'v') NOT NULL,"
        " b text COLLATE \"C\" DEFAULT 'x', c int GENERATED ALWAYS AS (a + 1) STORED,"
        " CONSTRAINT k CHECK (a > 0)) SERVER s OPTIONS (t 'u');"
        "COMMENT ON FOREIGN TABLE x.f IS 'x';",
    ),
    "with another column, read by a view": (
        f"{SERVER} CREATE FOREIGN TABLE f (a int) SERVER s; CREATE VIEW v AS SELECT a FROM f;",
        f"{SERVER} CREATE FOREIGN TABLE f (a int, b int) SERVER s;"
        "CREATE VIEW v AS SELECT a, b FROM f;",
    ),
    "with a trigger, a default and an enum": (
        SERVER,
        f"{SERVER} CREATE TYPE e AS ENUM ('a'); CREATE FUNCTION f() RETURNS int LANGUAGE sql"
        " AS 'SELECT 1'; CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RETURN new; END $$;"
        "CREATE FOREIGN TABLE ft (a e DEFAULT 'a', b int DEFAULT f()) SERVER s;"
        "CREATE TRIGGER tr BEFORE INSERT ON ft FOR EACH ROW EXECUTE FUNCTION g();",
    ),
    "as a child": (FOREIGN, f"{FOREIGN} CREATE FOREIGN TABLE f (c int) INHERITS (p) SERVER s;"),
    "as a partition": (
        f"{SERVER} CREATE TABLE m (a int, b text) PARTITION BY LIST (a);",
        f"{SERVER} CREATE TABLE m (a int, b text) PARTITION BY LIST (a);"
        "CREATE FOREIGN TABLE f PARTITION OF m FOR VALUES IN (1) SERVER s;",
    ),
}

CASES = [
    Case(name=f"{kind} {name}", old=old, new=new, since=since)
    for kind, since, changes in (
        ("range type", 140000, RANGES),
        ("collation", 140000, COLLATIONS),
        ("text search", 140000, TEXT_SEARCH),
        ("cast", 140000, CASTS),
        ("operator", 140000, OPERATORS),
        ("publication", 140000, PUBLICATIONS),
        ("publication", 150000, PUBLICATIONS_15),
        ("subscription", 140000, SUBSCRIPTIONS),
        ("subscription", 150000, SUBSCRIPTIONS_15),
        ("subscription", 160000, SUBSCRIPTIONS_16),
        ("subscription", 170000, SUBSCRIPTIONS_17),
        ("foreign server", 140000, SERVERS),
        ("user mapping", 140000, MAPPINGS),
        ("foreign table", 140000, FOREIGN_TABLES),
    )
    for name, (old, new) in changes.items()
] + [
    Case(
        name="subscription has another name",
        old=BARE,
        new=BARE.replace(" s ", ' "S" '),
        renames=("subscription s:S",),
        contains=("RENAME TO",),
    )
]
