"""Columns."""

from typing import Any

from tests.acceptance.cases_sqlite import SqliteCase

ROWS = "INSERT INTO t (id, a) VALUES (1, 'x'), (7, 'y');"
KEPT = {"SELECT id, a FROM t ORDER BY id": [(1, "x"), (7, "y")]}


def case(name: str, old: str, new: str, **more: Any) -> SqliteCase:
    return SqliteCase(
        name=name,
        old=f"CREATE TABLE t (id INTEGER PRIMARY KEY, {old});{ROWS}",
        new=f"CREATE TABLE t (id INTEGER PRIMARY KEY, {new});",
        **{"after": KEPT, "back": KEPT, **more},
    )


IN_PLACE = {"lacks": ("new_t",)}
ANEW = {"contains": ("CREATE TABLE new_t",)}

CASES = [
    case("add", "a TEXT", "a TEXT, b TEXT", **IN_PLACE),
    case("add with a default", "a TEXT", "a TEXT, b TEXT NOT NULL DEFAULT 'it''s'", **IN_PLACE),
    case("add in the middle", "a TEXT", "b INT DEFAULT -1, a TEXT", **IN_PLACE),
    case(
        "add with a default that is computed",
        "a TEXT",
        "a TEXT, b TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, c TEXT DEFAULT (1 + 1)",
        **ANEW | {"after": {**KEPT, "SELECT length(b), c FROM t": [(19, "2"), (19, "2")]}},
    ),
    SqliteCase(
        name="add a required column without a value",
        old="CREATE TABLE t (a)",
        new="CREATE TABLE t (a, b TEXT NOT NULL)",
        lacks=("new_t",),
    ),
    case(
        "add a required column with a fill",
        "a TEXT",
        "a TEXT, b TEXT NOT NULL",
        fills={"t.b": "'n' || a"},
        after={**KEPT, "SELECT b FROM t ORDER BY id": [("nx",), ("ny",)]},
    ),
    case(
        "add a foreign key with its column",
        "a TEXT",
        "a TEXT, p_id INTEGER CONSTRAINT fk_p REFERENCES t (id) ON DELETE CASCADE",
        contains=("CONSTRAINT fk_p REFERENCES t (id) ON DELETE CASCADE",),
        lacks=("new_t",),
    ),
    case(
        "add a check with its column",
        "a TEXT",
        "a TEXT, b INTEGER, CONSTRAINT positive CHECK (b > 0)",
        contains=("CONSTRAINT positive CHECK (b > 0)",),
        lacks=("new_t",),
    ),
    case(
        "add several with their constraints",
        "a TEXT",
        "a TEXT, b INTEGER REFERENCES t (id), c INTEGER REFERENCES t (id), CHECK (b < c)",
        lacks=("new_t",),
    ),
    case("add computed from a new one", "a TEXT", "b AS (z || a), a TEXT, z TEXT", **IN_PLACE),
    case("add computed from a computed one", "a TEXT", "b AS (z), a TEXT, z AS (a)", **ANEW),
    case("add unique", "a TEXT", "a TEXT, b TEXT UNIQUE", **ANEW),
    case(
        "add virtual",
        "a TEXT",
        "a TEXT, b TEXT GENERATED ALWAYS AS (upper(a)) VIRTUAL NOT NULL",
        **IN_PLACE | {"after": {**KEPT, "SELECT b FROM t": [("X",), ("Y",)]}},
    ),
    case(
        "add stored",
        "a TEXT",
        "a TEXT, b TEXT AS (a || '!') STORED",
        **ANEW | {"after": {**KEPT, "SELECT b FROM t": [("x!",), ("y!",)]}},
    ),
    case("drop", "a TEXT, b TEXT DEFAULT 'n'", "a TEXT", **IN_PLACE, loses=("t.b",)),
    case("drop with its index", "a TEXT, b TEXT", "a TEXT", **IN_PLACE, loses=("t.b",)),
    case("drop unique", "a TEXT, b TEXT UNIQUE", "a TEXT", **ANEW, loses=("t.b",)),
    case("drop checked", "a TEXT, b INT CHECK (b > 0)", "a TEXT", **ANEW, loses=("t.b",)),
    case(
        "drop what another is computed from",
        "a TEXT, b TEXT, c TEXT AS (b || a)",
        "a TEXT, c TEXT AS (a || a)",
        loses=("t.b",),
        **ANEW,
    ),
    case("drop computed", "a TEXT, b TEXT AS (upper(a))", "a TEXT", **IN_PLACE),
    case("default", "a TEXT", "a TEXT DEFAULT 'x'", **ANEW),
    case("default that changes", "a TEXT DEFAULT 'x'", "a TEXT DEFAULT (lower('Y'))", **ANEW),
    case("not null", "a TEXT", "a TEXT NOT NULL", **ANEW),
    case("collation", "a TEXT", "a TEXT COLLATE NOCASE", **ANEW),
    case("longer", "a VARCHAR(10)", "a VARCHAR(20)", **ANEW),
    case("plain to computed", "a TEXT, b TEXT", "a TEXT, b TEXT AS (upper(a))", **ANEW),
    case(
        "computed to plain",
        "a TEXT, b TEXT AS (upper(a))",
        "a TEXT, b TEXT",
        after={**KEPT, "SELECT b FROM t": [("X",), ("Y",)]},
    ),
    case("virtual to stored", "a TEXT, b AS (a || 1)", "a TEXT, b AS (a || 1) STORED", **ANEW),
    case("expression", "a TEXT, b AS (a || 1)", "a TEXT, b AS (a || 2)", **ANEW),
    case(
        "not null on conflict",
        "a TEXT NOT NULL DEFAULT 'd'",
        "a TEXT NOT NULL ON CONFLICT REPLACE DEFAULT 'd'",
        **ANEW,
    ),
    SqliteCase(
        name="not null with a fill",
        old="CREATE TABLE t (a TEXT, b TEXT); INSERT INTO t VALUES ('x', NULL), ('y', 'z');",
        new="CREATE TABLE t (a TEXT, b TEXT NOT NULL)",
        fills={"t.b": "upper(a)"},
        after={"SELECT a, b FROM t": [("x", "X"), ("y", "z")]},
        back={"SELECT a, b FROM t": [("x", "X"), ("y", "z")]},
    ),
    SqliteCase(
        name="number to text",
        old="CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1), (NULL), (-3);",
        new="CREATE TABLE t (a TEXT)",
        after={"SELECT a FROM t": [("1",), (None,), ("-3",)]},
        back={"SELECT a FROM t": [(1,), (None,), (-3,)]},
    ),
    SqliteCase(
        name="text to number keeps what is none",
        old="CREATE TABLE t (a TEXT); INSERT INTO t VALUES ('12'), ('2024-01-02'), (NULL);",
        new="CREATE TABLE t (a INTEGER)",
        after={"SELECT a FROM t": [(12,), ("2024-01-02",), (None,)]},
        back={"SELECT a FROM t": [("12",), ("2024-01-02",), (None,)]},
        loses=("t.a",),
    ),
    SqliteCase(
        name="blob to text",
        old="CREATE TABLE t (a BLOB); INSERT INTO t VALUES (x'616263');",
        new="CREATE TABLE t (a TEXT)",
        contains=("CAST(a AS TEXT)",),
        after={"SELECT a FROM t": [("abc",)]},
        back={"SELECT a FROM t": [(b"abc",)]},
    ),
    SqliteCase(
        name="type, as the person says",
        old="CREATE TABLE t (a TEXT); INSERT INTO t VALUES ('12 kg');",
        new="CREATE TABLE t (a INTEGER)",
        using={"t.a": "CAST(a AS INTEGER)"},
        after={"SELECT a FROM t": [(12,)]},
        loses=("t.a",),
    ),
    SqliteCase(
        name="rename",
        old="CREATE TABLE t (id INTEGER PRIMARY KEY, nick TEXT UNIQUE CHECK (nick <> ''),"
        " g TEXT AS (upper(nick))); CREATE INDEX ix_nick ON t (lower(nick)) WHERE nick > '';"
        "INSERT INTO t (nick) VALUES ('ada'); CREATE VIEW v AS SELECT nick FROM t;"
        "CREATE TRIGGER g AFTER UPDATE OF nick ON t BEGIN DELETE FROM t WHERE nick = 'z'; END;",
        new="CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE CHECK (name <> ''),"
        " g TEXT AS (upper(name))); CREATE INDEX ix_name ON t (lower(name)) WHERE name > '';"
        "CREATE VIEW v AS SELECT name FROM t;"
        "CREATE TRIGGER g AFTER UPDATE OF name ON t BEGIN DELETE FROM t WHERE name = 'z'; END;",
        renames=("column t.nick:name",),
        lacks=("new_t",),
        after={"SELECT * FROM t": [(1, "ada", "ADA")], "SELECT * FROM v": [("ada",)]},
        back={"SELECT * FROM t": [(1, "ada", "ADA")]},
    ),
    SqliteCase(
        name="rename with capitals",
        old="CREATE TABLE t (userName TEXT CHECK (userName <> ''), g AS (lower(userName)));"
        "CREATE INDEX i ON t (userName) WHERE userName > '';",
        new="CREATE TABLE t (user_name TEXT CHECK (user_name <> ''), g AS (lower(user_name)));"
        "CREATE INDEX i ON t (user_name) WHERE user_name > '';",
        renames=("column t.userName:user_name",),
        lacks=("new_t", "INDEX"),
    ),
    SqliteCase(
        name="rename under a key with an order",
        old="CREATE TABLE t (a INT, b INT, PRIMARY KEY (a DESC, b)); INSERT INTO t VALUES (1, 2);",
        new="CREATE TABLE t (c INT, b INT, PRIMARY KEY (c DESC, b));",
        renames=("column t.a:c",),
        after={"SELECT * FROM t": [(1, 2)]},
    ),
    SqliteCase(
        name="rename to a keyword and change",
        old="CREATE TABLE t (a INTEGER, b TEXT); INSERT INTO t VALUES (1, '2');",
        new='CREATE TABLE t (a INTEGER, "order" INTEGER NOT NULL)',
        renames=("column t.b:order",),
        after={"SELECT * FROM t": [(1, 2)]},
        back={"SELECT * FROM t": [(1, "2")]},
        loses=("t.order",),
    ),
    SqliteCase(
        name="rename what a foreign key refers to",
        old="CREATE TABLE p (id INTEGER PRIMARY KEY);"
        "CREATE TABLE t (p_id INTEGER REFERENCES p (id) ON DELETE CASCADE);"
        "INSERT INTO p VALUES (5); INSERT INTO t VALUES (5);",
        new="CREATE TABLE p (key INTEGER PRIMARY KEY);"
        "CREATE TABLE t (p_id INTEGER REFERENCES p (key) ON DELETE CASCADE);",
        renames=("column p.id:key",),
        lacks=("new_",),
        after={"SELECT * FROM t": [(5,)]},
    ),
    SqliteCase(
        name="many changes are one table built anew",
        old="CREATE TABLE t (a TEXT, b INT, c INT); INSERT INTO t VALUES ('x', 1, 2);",
        new="CREATE TABLE t (a TEXT NOT NULL, c TEXT, d INT UNIQUE, CHECK (c <> ''))",
        after={"SELECT a, c, d FROM t": [("x", "2", None)]},
        loses=("t.b",),
    ),
    SqliteCase(
        name="a column steps aside for another's new name and goes",
        old="CREATE TABLE t (id INT, a TEXT, b INT); INSERT INTO t VALUES (1, 'x', 5);",
        new="CREATE TABLE t (id INT, b TEXT);",
        renames=("column t.a:b",),
        after={"SELECT id, b FROM t": [(1, "x")]},
        loses=("t.b",),
    ),
    SqliteCase(
        name="a column steps aside and goes while the table is built anew",
        old="CREATE TABLE t (id INT, a TEXT, b INT); INSERT INTO t VALUES (1, 'x', 5);",
        new="CREATE TABLE t (id INT UNIQUE, b TEXT);",
        renames=("column t.a:b",),
        after={"SELECT id, b FROM t": [(1, "x")]},
        loses=("t.b",),
    ),
    SqliteCase(
        name="a text becomes ANY, which is a number outside of STRICT tables",
        old="CREATE TABLE t (a TEXT); INSERT INTO t VALUES ('007');",
        new="CREATE TABLE t (a ANY);",
        after={"SELECT a FROM t": [(7,)]},
        loses=("t.a",),
    ),
    SqliteCase(
        name="ANY in a table that is no longer STRICT is a number",
        old="CREATE TABLE t (a ANY) STRICT; INSERT INTO t VALUES ('007');",
        new="CREATE TABLE t (a ANY);",
        after={"SELECT a FROM t": [(7,)]},
        loses=("t.a",),
        since=(3, 37),
    ),
    SqliteCase(
        name="two change their names beside one that is called as the one that steps aside",
        old="CREATE TABLE t (a TEXT, b TEXT, B__OLD TEXT); INSERT INTO t VALUES ('x', 'y', 'z');",
        new="CREATE TABLE t (a TEXT, b TEXT, B__OLD TEXT);",
        renames=("column t.a:b", "column t.b:a"),
        after={"SELECT a, b, B__OLD FROM t": [("y", "x", "z")]},
        back={"SELECT a, b, B__OLD FROM t": [("x", "y", "z")]},
    ),
    SqliteCase(
        name="a REAL becomes a text, which has fewer digits",
        old="CREATE TABLE t (a REAL); INSERT INTO t VALUES (1.0 / 3);",
        new="CREATE TABLE t (a TEXT);",
        after={"SELECT a FROM t": [("0.333333333333333",)]},
        loses=("t.a",),
    ),
]
