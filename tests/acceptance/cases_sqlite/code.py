"""Indexes, views and triggers."""

from typing import Any

from tests.acceptance.cases_sqlite import SqliteCase

T = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT COLLATE NOCASE);"
ROWS = "INSERT INTO t VALUES (1, 'x', 'y'), (2, 'X', 'Y');"


def on(name: str, old: str, new: str, **more: Any) -> SqliteCase:
    return SqliteCase(name=name, old=T + ROWS + old, new=T + new, lacks=("new_t",), **more)


CASES = [
    on("index", "", "CREATE INDEX i ON t (a, b DESC);"),
    on("index unique", "CREATE INDEX i ON t (a);", "CREATE UNIQUE INDEX i ON t (a);"),
    on("index on an expression", "", "CREATE INDEX i ON t (lower(a) DESC, a || b, id + 1);"),
    on("index partial", "CREATE INDEX i ON t (a);", "CREATE INDEX i ON t (a) WHERE b IS NOT NULL;"),
    on("index collation", "", "CREATE INDEX i ON t (a COLLATE NOCASE, b COLLATE BINARY);"),
    on("index renamed", "CREATE INDEX i ON t (a);", "CREATE INDEX ix_t_a ON t (a);"),
    on("index gone", "CREATE INDEX i ON t (a);", ""),
    SqliteCase(
        name="index moves to another table",
        old=T + "CREATE TABLE o (a); CREATE INDEX i ON t (a);",
        new=T.replace("a TEXT", "a INT") + "CREATE TABLE o (a NOT NULL); CREATE INDEX i ON o (a);",
        loses=("t.a",),
    ),
    SqliteCase(
        name="an index takes the name of a dropped table's index",
        old=T + "CREATE TABLE o (a); CREATE INDEX i ON o (a); CREATE INDEX ix ON t (a);",
        new=T + "CREATE INDEX i ON t (a);",
        loses=("o",),
    ),
    SqliteCase(
        name="a table takes the name of a dropped table's index",
        old=T + "CREATE TABLE o (a); CREATE INDEX i ON o (a);",
        new=T + "CREATE TABLE i (a, b);",
        loses=("o",),
    ),
    on("view", "", "CREATE VIEW v AS SELECT a, b FROM t WHERE a > 'a';"),
    on("view with columns", "", 'CREATE VIEW v (x, "y z") AS SELECT a, b FROM t;'),
    on("view changes", "CREATE VIEW v AS SELECT a FROM t;", "CREATE VIEW v AS SELECT b, a FROM t;"),
    on(
        "view with dependants",
        "CREATE VIEW v AS SELECT a FROM t; CREATE VIEW w AS SELECT a FROM v;",
        "CREATE VIEW v AS SELECT b, a FROM t; CREATE VIEW w AS SELECT a FROM v;",
    ),
    on(
        "view that reads one with a later name",
        "",
        "CREATE VIEW z AS SELECT a FROM t; CREATE VIEW c AS SELECT a FROM z;",
    ),
    on("view gone", "CREATE VIEW v AS SELECT a FROM t;", ""),
    on(
        "trigger",
        "",
        "CREATE TRIGGER g AFTER UPDATE OF a ON t WHEN new.a > 'q' BEGIN"
        " UPDATE t SET b = new.a WHERE id = new.id; DELETE FROM t WHERE b = ';'; END;",
    ),
    on(
        "trigger changes",
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END;",
        "CREATE TRIGGER g BEFORE INSERT ON t BEGIN SELECT 1; END;",
    ),
    on("trigger gone", "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END;", ""),
    on(
        "trigger of a view that changes",
        "CREATE VIEW v AS SELECT a FROM t;"
        "CREATE TRIGGER g INSTEAD OF INSERT ON v BEGIN INSERT INTO t (a) VALUES (new.a); END;",
        "CREATE VIEW v AS SELECT a, b FROM t;"
        "CREATE TRIGGER g INSTEAD OF INSERT ON v BEGIN INSERT INTO t (a) VALUES (new.a); END;",
    ),
    SqliteCase(
        name="column dropped under a view",
        old=T + "CREATE VIEW v AS SELECT a, b FROM t; CREATE VIEW w AS SELECT a FROM v;",
        new=T.replace(", b TEXT COLLATE NOCASE", "")
        + "CREATE VIEW v AS SELECT a FROM t; CREATE VIEW w AS SELECT a FROM v;",
        loses=("t.b",),
        lacks=("new_t",),
    ),
    SqliteCase(
        name="views and triggers that are broken stand aside and stay",
        old="CREATE TABLE t (a TEXT); CREATE TABLE o (x INT); CREATE VIEW v AS SELECT 1 FROM gone;"
        "CREATE TRIGGER w INSTEAD OF DELETE ON v BEGIN SELECT 1; END;"
        "CREATE TRIGGER g AFTER INSERT ON o BEGIN INSERT INTO gone VALUES (1); END;",
        new="CREATE TABLE t (a TEXT UNIQUE); CREATE TABLE o (x INT);"
        "CREATE VIEW v AS SELECT 1 FROM gone;"
        "CREATE TRIGGER w INSTEAD OF DELETE ON v BEGIN SELECT 1; END;"
        "CREATE TRIGGER g AFTER INSERT ON o BEGIN INSERT INTO gone VALUES (1); END;",
        whole=False,
    ),
    SqliteCase(
        name="a column is dropped beside a trigger that is broken",
        old="CREATE TABLE t (a TEXT, b INT); CREATE TABLE o (x INT);"
        "CREATE TRIGGER g AFTER INSERT ON o BEGIN UPDATE o SET y = 1; END;",
        new="CREATE TABLE t (a TEXT); CREATE TABLE o (x INT);"
        "CREATE TRIGGER g AFTER INSERT ON o BEGIN UPDATE o SET y = 1; END;",
        loses=("t.b",),
        lacks=("new_t",),
        whole=False,
    ),
]
