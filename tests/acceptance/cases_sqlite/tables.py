"""Tables, and what stands on them while they are built anew."""

from tests.acceptance.cases_sqlite import SqliteCase

FAMILY = (
    "CREATE TABLE p (id INTEGER PRIMARY KEY, name {type});"
    "CREATE TABLE c (id INTEGER PRIMARY KEY, p_id INTEGER NOT NULL"
    " REFERENCES p (id) ON DELETE CASCADE);"
    "CREATE VIEW names AS SELECT c.id, p.name FROM c JOIN p ON p.id = c.p_id;"
    "CREATE VIEW counted AS SELECT count(*) AS n FROM names;"
    "CREATE TRIGGER on_c AFTER INSERT ON c BEGIN UPDATE p SET name = name WHERE id = new.p_id; END;"
    "CREATE TRIGGER on_p AFTER DELETE ON p BEGIN DELETE FROM c WHERE p_id = old.id; END;"
    "CREATE TRIGGER on_names INSTEAD OF DELETE ON names BEGIN DELETE FROM c WHERE id = old.id; END;"
    "CREATE INDEX ix_c ON c (p_id);"
    "CREATE INDEX ix_p ON p (lower(name)) WHERE name > '';"
)
PEOPLE = "INSERT INTO p VALUES (1, 'ada'), (4, 'bob'); INSERT INTO c VALUES (1, 1), (2, 4), (3, 4);"
COUNTED = {"SELECT * FROM names ORDER BY 1": [(1, "ada"), (2, "bob"), (3, "bob")]}

CASES = [
    SqliteCase(
        name="new",
        old="",
        new="CREATE TABLE t (a INTEGER, b TEXT NOT NULL, CONSTRAINT pk PRIMARY KEY (a, b),"
        " CONSTRAINT u UNIQUE (b), CHECK (a > 0)); CREATE UNIQUE INDEX i ON t (a DESC);",
        contains=("CREATE TABLE t (\n    a INTEGER",),
    ),
    SqliteCase(
        name="gone",
        old="CREATE TABLE t (a); CREATE INDEX i ON t (a); CREATE TABLE o (a);"
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END;",
        new="CREATE TABLE o (a);",
        loses=("t",),
        contains=("DROP TABLE t;",),
        lacks=("DROP INDEX", "DROP TRIGGER"),
    ),
    SqliteCase(
        name="another in its place",
        old="CREATE TABLE old (a); CREATE INDEX x ON old (a);",
        new="CREATE TABLE old (b); CREATE TABLE x (a);",
        loses=("old.a",),
    ),
    SqliteCase(
        name="parent with rows that refer to it",
        old=FAMILY.format(type="TEXT") + PEOPLE,
        new=FAMILY.format(type="TEXT NOT NULL DEFAULT ''"),
        after=COUNTED,
        back=COUNTED,
        contains=("pragma_foreign_keys",),
    ),
    SqliteCase(
        name="both built anew",
        old=FAMILY.format(type="TEXT") + PEOPLE,
        new=FAMILY.format(type="VARCHAR(9)").replace("p_id INTEGER NOT NULL", "p_id INTEGER"),
        after=COUNTED,
        back=COUNTED,
    ),
    SqliteCase(
        name="rename under views, triggers and keys",
        old=FAMILY.format(type="TEXT") + PEOPLE,
        new=FAMILY.format(type="TEXT").replace(" p ", " people ").replace("p.", "people."),
        renames=("table p:people",),
        after=COUNTED,
        back=COUNTED,
        lacks=("new_",),
    ),
    SqliteCase(
        name="a table takes the name of another",
        old=FAMILY.format(type="TEXT") + PEOPLE,
        new=FAMILY.format(type="TEXT").replace(" p ", " people ").replace("p.", "people.")
        + "CREATE TABLE p (id INTEGER PRIMARY KEY, more TEXT);",
        renames=("table p:people",),
        after=COUNTED,
        back=COUNTED,
    ),
    SqliteCase(
        name="rename and build anew",
        old=FAMILY.format(type="TEXT") + PEOPLE,
        new=FAMILY.format(type="VARCHAR(9)").replace(" p ", " people ").replace("p.", "people."),
        renames=("table p:people",),
        after=COUNTED,
        back=COUNTED,
    ),
    SqliteCase(
        name="a view becomes a table",
        old="CREATE TABLE t (a); CREATE VIEW v AS SELECT a FROM t;",
        new="CREATE TABLE t (a); CREATE TABLE v (a);",
    ),
    SqliteCase(
        name="rows keep their hidden numbers",
        old="CREATE TABLE t (a TEXT); INSERT INTO t (rowid, a) VALUES (5, 'x'), (9, 'y');",
        new="CREATE TABLE t (a TEXT UNIQUE);",
        after={"SELECT rowid, a FROM t": [(5, "x"), (9, "y")]},
        back={"SELECT rowid, a FROM t": [(5, "x"), (9, "y")]},
    ),
    SqliteCase(
        name="rows keep their hidden numbers beside a column of that name",
        old="CREATE TABLE t (rowid TEXT, oid TEXT); INSERT INTO t (_rowid_, oid) VALUES (5, 'x');",
        new="CREATE TABLE t (rowid TEXT UNIQUE, oid TEXT);",
        after={"SELECT _rowid_, oid FROM t": [(5, "x")]},
        back={"SELECT _rowid_, oid FROM t": [(5, "x")]},
    ),
    SqliteCase(
        name="hidden numbers become a key",
        old="CREATE TABLE t (a TEXT); INSERT INTO t (rowid, a) VALUES (5, 'x'), (9, 'y');",
        new="CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT);",
        after={"SELECT id, a FROM t": [(5, "x"), (9, "y")]},
        back={"SELECT rowid, a FROM t": [(5, "x"), (9, "y")]},
        lacks=("Fails where a row",),
    ),
    SqliteCase(
        name="a column becomes the row's number",
        old="CREATE TABLE t (id INTEGER, a TEXT); INSERT INTO t VALUES (5, 'x'), (NULL, 'y');",
        new="CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT);",
        after={"SELECT id, a FROM t": [(5, "x"), (6, "y")]},
    ),
    SqliteCase(
        name="autoincrement goes on counting",
        old="CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT);"
        "INSERT INTO t VALUES (3, 'x'), (70, 'y'); DELETE FROM t WHERE id = 70;",
        new="CREATE TABLE t (id INTEGER CONSTRAINT k PRIMARY KEY AUTOINCREMENT, a TEXT NOT NULL);",
        after={"SELECT name, seq FROM sqlite_sequence": [("t", 70)]},
        back={"SELECT name, seq FROM sqlite_sequence": [("t", 70)]},
    ),
    SqliteCase(
        name="autoincrement comes",
        old="CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (3, 'x');",
        new="CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT);",
        after={"SELECT name, seq FROM sqlite_sequence": [("t", 3)], "SELECT * FROM t": [(3, "x")]},
        back={"SELECT * FROM t": [(3, "x")]},
    ),
    SqliteCase(
        name="autoincrement goes, and what it counted",
        old="CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO t VALUES (3);",
        new="CREATE TABLE t (id INTEGER PRIMARY KEY);",
        contains=("not the AUTOINCREMENT counter",),
        after={"SELECT id FROM t": [(3,)], "SELECT * FROM sqlite_sequence": []},
    ),
    SqliteCase(
        name="strict",
        old="CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (3, 'x');",
        new="CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT) STRICT;",
        contains=("does not have its column's type",),
        after={"SELECT * FROM t": [(3, "x")]},
        back={"SELECT * FROM t": [(3, "x")]},
        since=(3, 37),
    ),
    SqliteCase(
        name="without rowid",
        old="CREATE TABLE t (a TEXT, b INT, PRIMARY KEY (a, b)); INSERT INTO t VALUES ('x', 2);",
        new="CREATE TABLE t (a TEXT, b INT, PRIMARY KEY (a, b)) WITHOUT ROWID;",
        after={"SELECT * FROM t": [("x", 2)]},
        back={"SELECT * FROM t": [("x", 2)]},
    ),
    SqliteCase(
        name="strict and without rowid stay",
        old="CREATE TABLE t (a TEXT PRIMARY KEY, b INT) STRICT, WITHOUT ROWID;"
        "INSERT INTO t VALUES ('x', 2);",
        new="CREATE TABLE t (a TEXT PRIMARY KEY, b INT NOT NULL) STRICT, WITHOUT ROWID;",
        after={"SELECT * FROM t": [("x", 2)]},
        since=(3, 37),
    ),
    SqliteCase(
        name="circle of foreign keys",
        old="",
        new="CREATE TABLE a (id INTEGER PRIMARY KEY, b_id INT REFERENCES b (id));"
        "CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INT REFERENCES a (id));",
    ),
    SqliteCase(
        name="circle of foreign keys built anew",
        old="CREATE TABLE a (id INTEGER PRIMARY KEY, b_id INT REFERENCES b (id));"
        "CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INT REFERENCES a (id));"
        "INSERT INTO a VALUES (1, 2); INSERT INTO b VALUES (2, 1);",
        new="CREATE TABLE a (id INTEGER PRIMARY KEY, b_id INT REFERENCES b (id) ON DELETE CASCADE);"
        "CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INT REFERENCES a (id) ON DELETE CASCADE);",
        after={"SELECT * FROM a": [(1, 2)], "SELECT * FROM b": [(2, 1)]},
    ),
    SqliteCase(
        name="refers to itself",
        old="CREATE TABLE t (id INTEGER PRIMARY KEY, up INT REFERENCES t (id) ON DELETE CASCADE);"
        "INSERT INTO t VALUES (1, NULL), (2, 1), (3, 2);",
        new="CREATE TABLE t (id INTEGER PRIMARY KEY,"
        " up INT REFERENCES t (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);",
        after={"SELECT * FROM t": [(1, None), (2, 1), (3, 2)]},
        back={"SELECT * FROM t": [(1, None), (2, 1), (3, 2)]},
    ),
    SqliteCase(
        name="all columns are others",
        old="CREATE TABLE t (a); INSERT INTO t VALUES (1), (2);",
        new="CREATE TABLE t (b UNIQUE);",
        after={"SELECT * FROM t": [(None,), (None,)]},
        loses=("t.a",),
    ),
    SqliteCase(
        name="a virtual table beside",
        old="CREATE TABLE t (a TEXT);",
        new="CREATE TABLE t (a TEXT NOT NULL); CREATE VIRTUAL TABLE f USING fts5(a);",
    ),
    SqliteCase(
        name="odd names",
        old='CREATE TABLE "it\'s" ("a b" TEXT, [c"d] INT);INSERT INTO "it\'s" VALUES (\'x\', 1);',
        new='CREATE TABLE "it\'s" ("a b" TEXT NOT NULL, [c"d] INT UNIQUE);'
        'CREATE INDEX "in dex" ON "it\'s" ("a b");',
        after={'SELECT * FROM "it\'s"': [("x", 1)]},
    ),
    SqliteCase(
        name="the scratch name is taken",
        old="CREATE TABLE t (a); CREATE TABLE new_t (a); INSERT INTO t VALUES (1);",
        new="CREATE TABLE t (a UNIQUE); CREATE TABLE new_t (a);",
        contains=("new_new_t",),
        after={"SELECT * FROM t": [(1,)]},
    ),
    SqliteCase(
        name="a table steps aside for another's new name and goes",
        old="CREATE TABLE t (a TEXT); CREATE TABLE u (x INT); INSERT INTO t VALUES ('x');",
        new="CREATE TABLE u (a TEXT);",
        renames=("table t:u",),
        after={"SELECT * FROM u": [("x",)]},
        loses=("u",),
    ),
    SqliteCase(
        name="a table takes the name of another's index",
        old="CREATE TABLE t (a TEXT); CREATE TABLE o (x INT); CREATE INDEX u ON o (x);",
        new="CREATE TABLE u (a TEXT); CREATE TABLE o (x INT);",
        renames=("table t:u",),
    ),
    SqliteCase(
        name="a table takes the name of its own index",
        old="CREATE TABLE t (a TEXT); CREATE INDEX u ON t (a); INSERT INTO t VALUES ('x');",
        new="CREATE TABLE u (a TEXT UNIQUE); CREATE INDEX i ON u (a);",
        renames=("table t:u",),
        after={"SELECT a FROM u": [("x",)]},
        back={"SELECT a FROM t": [("x",)]},
    ),
    SqliteCase(
        name="a key that is no rowid keeps the hidden ones",
        old="CREATE TABLE t (id INTEGER PRIMARY KEY DESC, a TEXT);"
        "INSERT INTO t (rowid, id, a) VALUES (7, 1, 'x'), (9, 2, 'y');",
        new="CREATE TABLE t (id INTEGER PRIMARY KEY DESC, a TEXT UNIQUE);",
        after={"SELECT rowid, id, a FROM t": [(7, 1, "x"), (9, 2, "y")]},
        back={"SELECT rowid, id, a FROM t": [(7, 1, "x"), (9, 2, "y")]},
    ),
]
