"""Statements that are hard to cut, and what PostgreSQL says of statements in a transaction.

Data for the unit tests, and for the integration test in which a real server judges it.
"""

HARD = (
    "SELECT 1",
    "SELECT 'a;b'",
    "SELECT 'it''s; fine'",
    "SELECT ''",
    "SELECT 'a\\'",
    "SELECT 'back\\', ';'",
    "SELECT E'it\\'s; fine'",
    "SELECT E'\\\\'",
    "SELECT e'a''b\\';'",
    "SELECT E'a'\n  'b\\';'",
    "SELECT E'a' -- why; not\n  'b\\';'",
    "SELECT 'a'\n'b;'",
    "SELECT U&'d\\0061t;a', U&\"d\\0061\" FROM (SELECT 1 AS da) x",
    "SELECT U&'!0061;' UESCAPE '!'",
    "SELECT B'1010', X'1F'",
    "SELECT N'a;b'",
    "SELECT DATE'2020-01-01', 'e'';'",
    'SELECT 1 AS "a;b"',
    'SELECT 1 AS "say ""hi;"""',
    "SELECT 1 AS \"it's\", 'say \"hi'",
    "SELECT $$a;b$$",
    "SELECT $$it's; \" fine$$",
    "SELECT $a$x $$ ; $$ $b$ ; $b$ y$a$",
    "SELECT $a$ $b$a$, 1",
    "SELECT $é$ ; $é$",
    "SELECT $_1$ ; $_1$",
    "SELECT 1 AS a$b, 2 AS c$b",
    "SELECT 1 AS a$$, 2 AS b$$",
    "SELECT /* ; */ 1",
    "SELECT /* a /* b; */ c; */ 1",
    "SELECT /* ' */ 1 /* \" $$ */ + 1",
    "SELECT 1 -- ; ' \" $$ /*\n + 2",
    "SELECT 1--;\n+1",
    "SELECT 2 - -1, 4 / 2, 3 - 1",
    "SELECT 1 */* ; */ 2",
    "SELECT '--', '/*'",
    "SELECT (1), ((2))",
    "SELECT ARRAY['a;', 'b'], (ARRAY[1,2])[1]",
    'SELECT \'{"a": ":b", "c": "%s; $1"}\'::jsonb',
    "SELECT ':name', '%s', '%(x)s'",
    "SELECT 'first\n\n\nthird;'",
    "SELECT CASE WHEN true THEN 1 ELSE 2 END",
    "DO $$ BEGIN PERFORM 1; END $$",
    "DO LANGUAGE plpgsql 'BEGIN PERFORM 1; END'",
    "CREATE FUNCTION f1() RETURNS int LANGUAGE sql AS 'SELECT 1;'",
    "CREATE OR REPLACE FUNCTION f2() RETURNS trigger LANGUAGE plpgsql AS $body$\n"
    "BEGIN\n  IF true THEN RAISE 'a;b'; END IF;\n  RETURN NEW;\nEND $body$",
    "CREATE FUNCTION f3(a int) RETURNS int LANGUAGE sql\nBEGIN ATOMIC\n"
    "  SELECT CASE WHEN a > 1 THEN 2 ELSE 3 END;\n  SELECT (SELECT 5);\nEND",
    "CREATE FUNCTION f4() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1 AS end; SELECT 2; END",
    "create function f5() returns int language sql begin /* ; */ atomic select 1; end",
    "CREATE FUNCTION f6() RETURNS int LANGUAGE sql BEGIN ATOMIC\n"
    "SELECT CASE (CASE 1 WHEN 1 THEN 2 END) WHEN 2 THEN (CASE WHEN true THEN 1 END) END; END",
    "CREATE FUNCTION f7() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT x.end FROM "
    '(SELECT 1 AS "end") x; SELECT 1; END',
    "CREATE FUNCTION f8() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT length('end; begin'); END",
    "CREATE FUNCTION f9() RETURNS int LANGUAGE sql BEGIN ATOMIC END",
    "CREATE FUNCTION f10() RETURNS int LANGUAGE sql RETURN CASE WHEN true THEN 1 END",
    "CREATE PROCEDURE p1() LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END",
    "CREATE OR REPLACE /* c */ PROCEDURE p2() LANGUAGE sql BEGIN ATOMIC SELECT 1; END",
    "CREATE FUNCTION atomic_begin() RETURNS int LANGUAGE sql AS $$ SELECT 1; $$",
    "CREATE TABLE t1 (a int, b text DEFAULT ';')",
    "CREATE RULE r1 AS ON INSERT TO t0 DO ALSO (INSERT INTO t0 SELECT 2; DELETE FROM t0)",
    "CREATE OR REPLACE RULE r2 AS ON DELETE TO t0 DO INSTEAD (SELECT ')'; SELECT 1 -- )\n)",
    "CREATE RULE r3 AS ON UPDATE TO t0 DO INSTEAD NOTHING",
    "CREATE VIEW v1 AS SELECT 'c;opy' AS function",
    "CREATE INDEX i1 ON t0 ((a || ';'))",
    "COMMENT ON TABLE t0 IS 'it''s a; table'",
    "INSERT INTO t0 VALUES (';'), ('$$')",
    "COPY t0 TO '/dev/null'",
    "PREPARE x AS SELECT $1::int",
    "SET search_path = public, pg_catalog",
)
"""Each is one statement."""

REFUSED = (
    "VACUUM",
    "vacuum (full) t0",
    "CREATE DATABASE x",
    "DROP DATABASE IF EXISTS x",
    "CREATE TABLESPACE x LOCATION '/tmp/x'",
    "DROP TABLESPACE IF EXISTS x",
    "CREATE INDEX CONCURRENTLY ON t0 (a)",
    "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i2 ON t0 (a)",
    "CREATE /* c */ UNIQUE -- c\n INDEX CONCURRENTLY i2 ON t0 (a)",
    "DROP INDEX CONCURRENTLY IF EXISTS i0",
    "REINDEX TABLE CONCURRENTLY t0",
    "REINDEX (VERBOSE) INDEX CONCURRENTLY i0",
    "REINDEX (CONCURRENTLY) TABLE t0",
    "REINDEX (CONCURRENTLY true, VERBOSE) TABLE t0",
    "REINDEX SCHEMA public",
    "REINDEX DATABASE",
    "REINDEX (VERBOSE) SYSTEM",
    "CLUSTER",
    "CLUSTER VERBOSE",
    "CLUSTER (VERBOSE)",
    "ALTER SYSTEM SET work_mem = '4MB'",
    "ALTER DATABASE postgres SET TABLESPACE pg_default",
    "ALTER TABLE p0 DETACH PARTITION p0_1 CONCURRENTLY",
    "ALTER TABLE IF EXISTS ONLY p0 DETACH PARTITION public.p0_1 CONCURRENTLY",
    "CREATE SUBSCRIPTION s CONNECTION 'dbname=x' PUBLICATION p",
    "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (enabled = false)",
)
"""The server runs these only outside a transaction."""

REFUSED_WITH_A_PUBLISHER = (
    "ALTER SUBSCRIPTION s0 REFRESH PUBLICATION",
    "ALTER SUBSCRIPTION s0 SET PUBLICATION p",
    "ALTER SUBSCRIPTION s0 ADD PUBLICATION q WITH (refresh = true)",
    "ALTER SUBSCRIPTION s0 SET (failover = true)",
    "ALTER SUBSCRIPTION s0 SET (two_phase = false)",
    "DROP SUBSCRIPTION s0",
)
"""These too, as the manual says, once the subscription is connected to a publisher."""

ACCEPTED = (
    "ANALYZE t0",
    "CREATE INDEX ON t0 (a)",
    "CREATE UNIQUE INDEX concurrently_named ON t0 (a)",
    "CREATE TABLE vacuum_log (a int)",
    "DROP INDEX IF EXISTS i9",
    "REINDEX TABLE t0",
    "REINDEX (CONCURRENTLY false) TABLE t0",
    "REINDEX (VERBOSE) INDEX i0",
    "CLUSTER t0 USING i0",
    "CLUSTER VERBOSE t0 USING i0",
    "ALTER DATABASE postgres SET work_mem = '4MB'",
    "ALTER TABLE p0 DETACH PARTITION p0_1",
    "ALTER TABLE t0 ALTER b SET DEFAULT 'detach partition x concurrently'",
    "ALTER TYPE e0 ADD VALUE 'c'",
    "ALTER SUBSCRIPTION s0 DISABLE",
    "ALTER SUBSCRIPTION s0 SET PUBLICATION p WITH (refresh = false)",
    "ALTER SUBSCRIPTION s0 SET (slot_name = NONE)",
    "CREATE SUBSCRIPTION s2 CONNECTION 'x' PUBLICATION p WITH (connect = false)",
    "CREATE SUBSCRIPTION s3 CONNECTION 'x' PUBLICATION p "
    "WITH (connect = false, create_slot = false, slot_name = NONE)",
    "REFRESH MATERIALIZED VIEW m0",
    "CREATE EVENT TRIGGER et ON ddl_command_start EXECUTE FUNCTION ef0()",
    "TRUNCATE t0",
    "SAVEPOINT x",
)
"""The server runs these inside a transaction too."""

SETUP = """
CREATE TABLE t0 (a text, b text);
CREATE UNIQUE INDEX i0 ON t0 (a);
CREATE TABLE p0 (a int) PARTITION BY RANGE (a);
CREATE TABLE p0_1 PARTITION OF p0 FOR VALUES FROM (1) TO (2);
CREATE TYPE e0 AS ENUM ('a', 'b');
CREATE MATERIALIZED VIEW m0 AS SELECT 1 AS a;
CREATE FUNCTION ef0() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE SUBSCRIPTION s0 CONNECTION 'dbname=x' PUBLICATION p
  WITH (connect = false, create_slot = false, slot_name = NONE);
"""
"""What the statements above name."""
