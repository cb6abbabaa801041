"""Kinds of objects without a class of their own: created, changed and dropped.

Each value is the SQL before and after.
"""

from tests.acceptance.cases import Case

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

CASES = [
    Case(name=f"{kind} {name}", old=old, new=new, since=since)
    for kind, since, changes in (
        ("range type", 140000, RANGES),
        ("collation", 140000, COLLATIONS),
    )
    for name, (old, new) in changes.items()
]
