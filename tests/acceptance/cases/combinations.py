"""Changes that meet others: a type and what is built on it, names that move, families of tables."""

from tests.acceptance.cases import Case

E = "CREATE TYPE e AS ENUM ('a', 'b', 'c');"
E2 = "CREATE TYPE e AS ENUM ('a', 'c');"
LONG = "e" * 63
WIDE, BROAD = "é" * 31 + "x", "ö" * 31 + "x"
PARENT = "CREATE TABLE p (id int NOT NULL, d date NOT NULL) PARTITION BY RANGE (d);"
ONE = "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');"
HASH = "CREATE TABLE h (id int) PARTITION BY HASH (id);"


def shrunk(name: str, body: str, **more: object) -> Case:
    """An enum loses a value while *body* uses it."""
    return Case(name=name, old=E + body, new=E2 + body, **more)  # type: ignore[arg-type]  # its fields


CASES = [
    Case(
        name="tables go along with functions that their indexes and checks call",
        old="CREATE FUNCTION f(v text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT v';"
        "CREATE TABLE t (id int PRIMARY KEY, a text CHECK (f(a) <> ''));"
        "CREATE INDEX i ON t (f(a)); CREATE TABLE u (t_id int REFERENCES t);",
        new="",
        lacks=("DROP INDEX", "DROP CONSTRAINT"),
    ),
    Case(
        name="a table goes along with a function of its own rows that its index calls",
        old="CREATE TABLE t (id int PRIMARY KEY);"
        "CREATE FUNCTION f(v t) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';"
        "CREATE INDEX i ON t (f(t));",
        new="",
        contains=("DROP INDEX i",),
    ),
    shrunk(
        "enum under a domain and a composite type",
        "CREATE DOMAIN d AS e DEFAULT 'a' CONSTRAINT dc CHECK (VALUE <> 'c');"
        "CREATE TYPE k AS (i int, v e, w d);"
        "CREATE TABLE t (x e, y d, z k, zs k[]); CREATE TABLE u (y d DEFAULT 'a');",
    ),
    shrunk(
        "enum under a foreign key",
        "CREATE TABLE t (x e PRIMARY KEY); CREATE TABLE u (x e REFERENCES t ON DELETE CASCADE);",
    ),
    shrunk(
        "enum under a function that a default calls",
        "CREATE FUNCTION f(v e DEFAULT 'a') RETURNS e LANGUAGE sql AS 'SELECT v';"
        "CREATE TABLE t (x e DEFAULT f());",
    ),
    shrunk(
        "enum in the predicate of an index, and under a function that an index calls",
        "CREATE TABLE t (id int, x e); CREATE INDEX i ON t (id) WHERE x = 'c';"
        "CREATE FUNCTION f(v e) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';"
        "CREATE INDEX j ON t (f(x));",
    ),
    Case(
        name="enum with the longest name",
        old=E.replace(" e ", f" {LONG} ") + f"CREATE TABLE t (x {LONG} DEFAULT 'a');",
        new=E2.replace(" e ", f" {LONG} ") + f"CREATE TABLE t (x {LONG} DEFAULT 'a');",
    ),
    Case(
        name="enum beside one that has the name for the time being",
        old=E + "CREATE TYPE e__old AS ENUM ('z'); CREATE TABLE t (x e, o e__old);",
        new=E2 + "CREATE TYPE e__old AS ENUM ('z'); CREATE TABLE t (x e, o e__old);",
    ),
    Case(
        name="enum moves to a new namespace",
        old=E + "CREATE TABLE t (x e DEFAULT 'a');",
        new="CREATE SCHEMA s;" + E.replace(" e ", " s.e ") + "CREATE TABLE t (x s.e DEFAULT 'a');",
        renames=("enum e:s.e",),
        lacks=("DROP",),
    ),
    Case(
        name="domain over a domain",
        old="CREATE DOMAIN d1 AS int; CREATE DOMAIN d2 AS d1 CHECK (VALUE > 1);"
        "CREATE TABLE t (x d2, y d1);",
        new="CREATE DOMAIN d1 AS bigint; CREATE DOMAIN d2 AS d1 CHECK (VALUE > 1);"
        "CREATE TABLE t (x d2, y d1);",
    ),
    Case(
        name="attribute of a composite type in use",
        old="CREATE TYPE k AS (a int, b text); CREATE TABLE t (x k);"
        "CREATE VIEW v AS SELECT x FROM t;",
        new="CREATE TYPE k AS (a bigint, b text); CREATE TABLE t (x k);"
        "CREATE VIEW v AS SELECT x FROM t;",
        lacks=("DROP COLUMN",),
    ),
    Case(
        name="attribute in the middle of a composite type",
        old="CREATE TYPE k AS (a int, b text);"
        "CREATE FUNCTION f(x k) RETURNS int LANGUAGE sql AS 'SELECT 1';",
        new="CREATE TYPE k AS (a int, m date, b text);"
        "CREATE FUNCTION f(x k) RETURNS int LANGUAGE sql AS 'SELECT 1';",
    ),
    Case(
        name="a table moves to a new namespace with its sequences",
        old="CREATE TABLE u (id serial PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY);"
        "CREATE INDEX i ON u (n); CREATE TABLE o (u int REFERENCES u);"
        "CREATE VIEW v AS SELECT id FROM u;",
        new="CREATE SCHEMA s;"
        "CREATE TABLE s.users (id serial PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY);"
        "CREATE INDEX i ON s.users (n); CREATE TABLE o (u int REFERENCES s.users);"
        "CREATE VIEW v AS SELECT id FROM s.users;",
        renames=("table u:s.users",),
        lacks=("DROP TABLE", "CREATE TABLE", "CREATE SEQUENCE"),
    ),
    Case(
        name="two tables change their namespaces",
        old="CREATE SCHEMA s; CREATE TABLE t (a int); CREATE TABLE s.t (b text);",
        new="CREATE SCHEMA s; CREATE TABLE t (b text); CREATE TABLE s.t (a int);",
        renames=("table t:s.t", "table s.t:public.t"),
        lacks=("DROP", "CREATE"),
    ),
    Case(
        name="two columns change their names under a view",
        old="CREATE TABLE t (a int, b int); CREATE VIEW v AS SELECT a FROM t;"
        "CREATE TABLE u (c int); CREATE POLICY p ON u USING (c IN (SELECT a FROM t));",
        new="CREATE TABLE t (b int, a int); CREATE VIEW v AS SELECT a FROM t;"
        "CREATE TABLE u (c int); CREATE POLICY p ON u USING (c IN (SELECT a FROM t));",
        renames=("column t.a:b", "column t.b:a"),
        lacks=("DROP",),
    ),
    Case(
        name="a view takes the name of a table",
        old="CREATE TABLE t (id serial PRIMARY KEY, a int);",
        new="CREATE TABLE t_data (id serial PRIMARY KEY, a int);"
        "CREATE VIEW t AS SELECT id, a FROM t_data WHERE a > 0;",
        renames=("table t:t_data",),
    ),
    Case(
        name="tables with the longest names in bytes change their names",
        old=f'CREATE TABLE "{WIDE}" (a int); CREATE TABLE "{BROAD}" (b text);',
        new=f'CREATE TABLE "{BROAD}" (a int); CREATE TABLE "{WIDE}" (b text);',
        renames=(f"table {WIDE}:{BROAD}", f"table {BROAD}:{WIDE}"),
        lacks=("DROP", "CREATE"),
    ),
    Case(
        name="grants follow a table, its columns and its enum",
        old=E + "CREATE TABLE u (x e, y int); GRANT SELECT ON u TO PUBLIC;"
        "GRANT UPDATE (x, y) ON u TO PUBLIC; REVOKE USAGE ON TYPE e FROM PUBLIC;",
        new=E2 + "CREATE TABLE u2 (x e, z int); GRANT SELECT ON u2 TO PUBLIC;"
        "GRANT UPDATE (x, z) ON u2 TO PUBLIC; REVOKE USAGE ON TYPE e FROM PUBLIC;",
        renames=("column u.y:z", "table u:u2"),
        privileges=True,
    ),
    Case(
        name="a function gets one more argument while much calls it",
        old="CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x';"
        "CREATE TABLE t (a int DEFAULT f(3), CONSTRAINT ck CHECK (f(a) >= 0));"
        "CREATE INDEX i ON t (f(a)); CREATE VIEW v AS SELECT f(a) AS q FROM t;"
        "CREATE POLICY p ON t USING (f(a) > 0);",
        new="CREATE FUNCTION f(x int, y int DEFAULT 0) RETURNS int LANGUAGE sql IMMUTABLE"
        " AS 'SELECT x + y';"
        "CREATE TABLE t (a int DEFAULT f(3), CONSTRAINT ck CHECK (f(a) >= 0));"
        "CREATE INDEX i ON t (f(a)); CREATE VIEW v AS SELECT f(a) AS q FROM t;"
        "CREATE POLICY p ON t USING (f(a) > 0);",
    ),
    Case(
        name="an identity becomes a serial, which goes on counting",
        old="CREATE TABLE t (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY);",
        new="CREATE TABLE t (id bigserial PRIMARY KEY);",
        contains=("SELECT setval('t_id_seq', max(id)) FROM t HAVING max(id) >= 1",),
    ),
    Case(
        name="an identity gets limits that leave out where it stands",
        old="CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, n serial);",
        new="CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY"
        " (START WITH 100 MINVALUE 5 MAXVALUE 999 CYCLE), n serial);"
        "ALTER SEQUENCE t_n_seq MINVALUE 50 START 60 RESTART;",
        contains=("RESTART", "HAVING max(id) >= 100", "HAVING max(n) >= 60"),
    ),
    Case(
        name="tables that refer to one another become unlogged",
        old="CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY REFERENCES a);"
        "CREATE TABLE a0 (id int REFERENCES b, p int);",
        new="CREATE UNLOGGED TABLE a (id int PRIMARY KEY);"
        "CREATE UNLOGGED TABLE b (id int PRIMARY KEY REFERENCES a);"
        "CREATE UNLOGGED TABLE a0 (id int REFERENCES b, p int);",
    ),
    Case(
        name="fields of an interval",
        old="CREATE TABLE t (a interval, b interval year);",
        new="CREATE TABLE t (a interval day to second(3), b interval);",
        lacks=("USING",),
    ),
    Case(
        name="a table gets a column, and then a parent that has it",
        old="CREATE TABLE a (x int); CREATE TABLE b (y int); CREATE TABLE ch (z int) INHERITS (a);",
        new="CREATE TABLE a (x int, w text); CREATE TABLE b (y int);"
        "CREATE TABLE ch (z int, y int DEFAULT 5) INHERITS (a); ALTER TABLE ch INHERIT b;",
    ),
    Case(
        name="hash partitions are split",
        old=HASH
        + "CREATE TABLE h0 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
        + "CREATE TABLE h1 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 1);",
        new=HASH
        + "CREATE TABLE h0 PARTITION OF h FOR VALUES WITH (MODULUS 4, REMAINDER 0);"
        + "CREATE TABLE h1 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
        + "CREATE TABLE h2 PARTITION OF h FOR VALUES WITH (MODULUS 4, REMAINDER 2);",
    ),
    Case(
        name="a partition is replaced by two of the same range",
        old=PARENT + ONE,
        new=PARENT
        + "CREATE TABLE a1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2024-06-01');"
        + "CREATE TABLE a2 PARTITION OF p FOR VALUES FROM ('2024-06-01') TO ('2025-01-01');",
    ),
    Case(
        name="an identity of a partitioned table",
        old=PARENT + ONE,
        new=PARENT.replace("id int NOT NULL", "id int GENERATED ALWAYS AS IDENTITY") + ONE,
        since=170000,
    ),
    Case(
        name="a partition leaves with keys of other names",
        old="CREATE TABLE o (id int PRIMARY KEY);"
        + PARENT
        + "ALTER TABLE p ADD CONSTRAINT pk PRIMARY KEY (id, d), ADD CONSTRAINT f FOREIGN KEY (id)"
        " REFERENCES o; CREATE INDEX px ON p (d);" + ONE,
        new="CREATE TABLE o (id int PRIMARY KEY);"
        + PARENT
        + "ALTER TABLE p ADD CONSTRAINT pk PRIMARY KEY (id, d), ADD CONSTRAINT f FOREIGN KEY (id)"
        " REFERENCES o; CREATE INDEX px ON p (d);"
        "CREATE TABLE p1 (id int CONSTRAINT own_f REFERENCES o, d date,"
        " CONSTRAINT own_pk PRIMARY KEY (id, d)); CREATE INDEX own_index ON p1 (d);",
    ),
    Case(
        name="what is made anew keeps its grants, also where grants are not compared",
        old="CREATE TYPE e AS ENUM ('a', 'b'); REVOKE USAGE ON TYPE e FROM PUBLIC;"
        "CREATE TABLE t (id int, a int, x e); CREATE VIEW v AS SELECT id, a FROM t;"
        "GRANT SELECT ON v TO PUBLIC; GRANT UPDATE (id) ON v TO PUBLIC;"
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';"
        "REVOKE EXECUTE ON FUNCTION f() FROM PUBLIC;",
        new="CREATE TYPE e AS ENUM ('a'); REVOKE USAGE ON TYPE e FROM PUBLIC;"
        "CREATE TABLE t (id int, a int, x e); CREATE VIEW v AS SELECT a, id FROM t;"
        "GRANT SELECT ON v TO PUBLIC; GRANT UPDATE (id) ON v TO PUBLIC;"
        "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';"
        "REVOKE EXECUTE ON FUNCTION f() FROM PUBLIC;",
        contains=("GRANT SELECT, UPDATE (id) ON TABLE v",),
        whole=False,  # grants are not compared: only what is there already keeps its own
    ),
    Case(
        name="comments on an extension, on a check of a domain and on public",
        old="CREATE EXTENSION hstore; CREATE DOMAIN d AS text CONSTRAINT k CHECK (VALUE <> '');",
        new="CREATE EXTENSION hstore; CREATE DOMAIN d AS text CONSTRAINT k CHECK (VALUE <> '');"
        "COMMENT ON EXTENSION hstore IS 'x'; COMMENT ON CONSTRAINT k ON DOMAIN d IS 'y';"
        "COMMENT ON SCHEMA public IS 'z';",
    ),
    Case(
        name="parameters in the order in which they were written",
        old="",
        new="CREATE TABLE u (a int) WITH (parallel_workers=2, autovacuum_enabled=off);"
        "CREATE INDEX i ON u USING gist (int4range(a, a)) WITH (fillfactor=50, buffering=off);",
        lacks=("ALTER TABLE",),
    ),
    Case(
        name="a column becomes one of a domain over its type, and leaves it",
        old="CREATE DOMAIN d AS int CHECK (VALUE > 0); CREATE TABLE t (a int, b d, c int[]);",
        new="CREATE DOMAIN d AS int CHECK (VALUE > 0); CREATE TABLE t (a d, b int, c d[]);",
        lacks=("USING",),
    ),
    Case(
        name="a table goes with a policy whose function takes its rows",
        old="CREATE TABLE t (id int); CREATE FUNCTION f(t) RETURNS int LANGUAGE sql AS 'SELECT 1';"
        "CREATE POLICY p ON t USING (f(t) > 0); CREATE VIEW v AS SELECT f(t) AS x FROM t;"
        "ALTER TABLE t ADD CHECK (f(t) > 0);",
        new="CREATE TABLE u (id int);",
    ),
]
