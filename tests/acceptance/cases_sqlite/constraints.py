"""Constraints: each means to build the table anew."""

from typing import Any

from tests.acceptance.cases_sqlite import SqliteCase

ROWS = "INSERT INTO t (a, b) VALUES (1, 2), (3, 4);"
KEPT = {"SELECT a, b FROM t ORDER BY a": [(1, 2), (3, 4)]}


def case(name: str, old: str, new: str, **more: Any) -> SqliteCase:
    p = "CREATE TABLE p (id INTEGER PRIMARY KEY, x, UNIQUE (id, x)); INSERT INTO p VALUES "
    parents = p + "(1, 2), (2, 2), (3, 4), (4, 4);"
    return SqliteCase(
        name=name,
        old=f"{parents}CREATE TABLE t (a INTEGER, b INTEGER{old});{ROWS}",
        new=f"{parents}CREATE TABLE t (a INTEGER, b INTEGER{new});",
        **{"after": KEPT, "back": KEPT, "contains": ("CREATE TABLE new_t",), **more},
    )


CASES = [
    case("primary key", "", ", PRIMARY KEY (a)"),
    case("primary key of two", ", PRIMARY KEY (a)", ", PRIMARY KEY (b, a)"),
    case("primary key descending", ", PRIMARY KEY (a, b)", ", PRIMARY KEY (a DESC, b)"),
    SqliteCase(
        name="primary key descending at its column",
        old="CREATE TABLE t (a INTEGER PRIMARY KEY, b INT); INSERT INTO t VALUES (1, 2);",
        new="CREATE TABLE t (a INTEGER PRIMARY KEY DESC, b INT);",
        after={"SELECT * FROM t": [(1, 2)]},
        contains=("PRIMARY KEY DESC",),
    ),
    case("primary key named", ", PRIMARY KEY (a)", ", CONSTRAINT pk_t PRIMARY KEY (a)"),
    case("primary key on conflict", ", PRIMARY KEY (a)", ", PRIMARY KEY (a) ON CONFLICT REPLACE"),
    case("unique", "", ", UNIQUE (a, b)"),
    case("unique named", ", CONSTRAINT u UNIQUE (a)", ", CONSTRAINT uq_t_a UNIQUE (a)"),
    case("unique on conflict", ", UNIQUE (a)", ", UNIQUE (a) ON CONFLICT IGNORE"),
    case("unique collation", ", UNIQUE (a)", ", UNIQUE (a COLLATE NOCASE, b)"),
    case("check", "", ", CHECK (a < b)"),
    case("check that changes", ", CONSTRAINT c CHECK (a < b)", ", CONSTRAINT c CHECK (a <> b)"),
    case("check gone", ", CHECK (a < b), CHECK (b > 0)", ", CHECK (b > 0)"),
    case("foreign key", "", ", FOREIGN KEY (a) REFERENCES p (id)"),
    case(
        "foreign key actions",
        ", FOREIGN KEY (a) REFERENCES p (id)",
        ", FOREIGN KEY (a) REFERENCES p (id) ON UPDATE CASCADE ON DELETE SET NULL",
    ),
    case(
        "foreign key deferred",
        ", CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id)",
        ", CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED",
    ),
    case("foreign key of two", "", ", FOREIGN KEY (a, b) REFERENCES p (id, x) ON DELETE RESTRICT"),
    case(
        "foreign key match",
        ", FOREIGN KEY (a) REFERENCES p (id)",
        ", FOREIGN KEY (a) REFERENCES p (id) MATCH FULL",
    ),
    case("foreign key to the primary key", "", ", FOREIGN KEY (a) REFERENCES p"),
    SqliteCase(
        name="foreign key with its parent",
        old="CREATE TABLE t (a INT);",
        new="CREATE TABLE z (id INTEGER PRIMARY KEY); CREATE TABLE t (a INT REFERENCES z (id));",
    ),
    SqliteCase(
        name="foreign key gone with its parent",
        old="CREATE TABLE z (id INTEGER PRIMARY KEY); CREATE TABLE t (a INT REFERENCES z (id)"
        " ON DELETE CASCADE); INSERT INTO z VALUES (1); INSERT INTO t VALUES (NULL);",
        new="CREATE TABLE t (a INT);",
        after={"SELECT * FROM t": [(None,)]},
        loses=("z",),
    ),
    SqliteCase(
        name="checks that name their table",
        old='CREATE TABLE t (t INT, CHECK (t.t > 0 AND "T"."t" < 9)); INSERT INTO t VALUES (1);',
        new='CREATE TABLE t (t INT UNIQUE, CHECK (t.t > 0 AND "T"."t" < 9));',
        contains=("CHECK (t > 0 AND t < 9)",),
        after={"SELECT * FROM t": [(1,)]},
    ),
]
