"""What each kind of thing has beside its name and its text: switches, options, comments."""

from tests.acceptance.cases import Case

T = "CREATE TABLE t (id int PRIMARY KEY, a int, b text);"
TR = "CREATE FUNCTION tr() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;"
G = "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE PROCEDURE tr();"
R = "CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING;"
F = "CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql AS 'SELECT 1';"
E = "CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;"
V = "CREATE EVENT TRIGGER v ON ddl_command_end EXECUTE PROCEDURE e();"
S = "CREATE STATISTICS s ON a, b FROM t;"
A = "CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int{});"


def on(base: str, more: str, name: str, since: int = 140000, **fields: object) -> Case:
    """*base* without and with *more*."""
    return Case(name=name, old=base, new=base + more, since=since, **fields)  # type: ignore[arg-type]  # its fields


def swapped(base: str, old: str, new: str, name: str, since: int = 140000) -> Case:
    """*base*, followed by *old* or by *new*."""
    return Case(name=name, old=base + old, new=base + new, since=since)


CASES = [
    on(T + TR + G, "ALTER TABLE t DISABLE TRIGGER g;", "trigger switched off"),
    on(T + TR + G, "ALTER TABLE t ENABLE ALWAYS TRIGGER g;", "trigger always on"),
    on(T + TR + G, "ALTER TABLE t ENABLE REPLICA TRIGGER g;", "trigger for replicas"),
    on(T + TR + G, "COMMENT ON TRIGGER g ON t IS 'it''s';", "trigger comment"),
    swapped(
        T + TR,
        "CREATE TRIGGER g AFTER UPDATE ON t FOR EACH STATEMENT EXECUTE PROCEDURE tr();",
        "CREATE CONSTRAINT TRIGGER g AFTER INSERT OR UPDATE OF a, b ON t DEFERRABLE INITIALLY"
        " DEFERRED FOR EACH ROW WHEN (new.a > 0) EXECUTE PROCEDURE tr();",
        "trigger becomes a constraint trigger",
    ),
    swapped(
        T + TR,
        "CREATE TRIGGER g AFTER UPDATE ON t REFERENCING NEW TABLE AS n FOR EACH STATEMENT"
        " EXECUTE PROCEDURE tr();",
        "CREATE TRIGGER g AFTER UPDATE ON t REFERENCING OLD TABLE AS o NEW TABLE AS n"
        " FOR EACH STATEMENT EXECUTE PROCEDURE tr('x', 'y');",
        "trigger with transition tables and arguments",
    ),
    on(
        T + TR + "CREATE VIEW w AS SELECT id, a FROM t;",
        "CREATE TRIGGER g INSTEAD OF INSERT ON w FOR EACH ROW EXECUTE PROCEDURE tr();",
        "trigger instead of writing to a view",
    ),
    on(T + R, "ALTER TABLE t DISABLE RULE r;", "rule switched off"),
    on(T + R, "COMMENT ON RULE r ON t IS 'x';", "rule comment"),
    swapped(
        T,
        "CREATE RULE r AS ON INSERT TO t DO ALSO NOTHING;",
        "CREATE RULE r AS ON UPDATE TO t WHERE new.a > 0 DO ALSO"
        " (DELETE FROM t; DELETE FROM t WHERE a = 1);",
        "rule event, condition and actions",
    ),
    on(T, "ALTER TABLE t ENABLE ROW LEVEL SECURITY;", "row level security"),
    on(
        T,
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;",
        "row level security forced",
    ),
    swapped(
        T,
        "CREATE POLICY p ON t FOR SELECT TO pg_monitor USING (a > 0);",
        "CREATE POLICY p ON t AS RESTRICTIVE FOR UPDATE USING (a > 1) WITH CHECK (a < 9);",
        "policy of another kind",
    ),
    swapped(
        T,
        "CREATE POLICY p ON t TO pg_monitor USING (a > 0);",
        "CREATE POLICY p ON t TO pg_monitor, pg_read_all_stats USING (a > 0);",
        "policy roles",
    ),
    on(
        T + "CREATE POLICY p ON t USING (true);",
        "COMMENT ON POLICY p ON t IS 'x';",
        "policy comment",
    ),
    on(T + S, "COMMENT ON STATISTICS s IS 'x';", "statistics comment"),
    on(T + S, "ALTER STATISTICS s SET STATISTICS 7;", "statistics target"),
    swapped(
        T,
        "CREATE STATISTICS s (ndistinct) ON a, b FROM t;",
        "CREATE STATISTICS s (dependencies) ON id, a FROM t;",
        "statistics kinds and columns",
    ),
    swapped(
        "",
        F,
        "CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql IMMUTABLE STRICT SECURITY DEFINER"
        " PARALLEL SAFE COST 7 LEAKPROOF SET search_path TO pg_catalog SET work_mem TO '1MB'"
        " AS 'SELECT 1';",
        "function attributes and settings",
    ),
    on(F, "COMMENT ON FUNCTION f(int) IS 'x';", "function comment"),
    swapped(
        "",
        "CREATE FUNCTION f(x int) RETURNS SETOF int LANGUAGE sql ROWS 5 AS 'SELECT 1';",
        "CREATE FUNCTION f(x int DEFAULT 3, OUT y int, OUT z text) LANGUAGE sql"
        " AS $$ SELECT 1, 'a'::text $$;",
        "function with results of its own",
    ),
    swapped(
        "",
        "CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql AS 'SELECT 1';",
        "CREATE FUNCTION f(VARIADIC x int[]) RETURNS TABLE (a int, b text) LANGUAGE plpgsql"
        " AS $$ BEGIN END $$;",
        "function in another language with other arguments",
    ),
    swapped(
        "",
        "CREATE PROCEDURE f(x int) LANGUAGE sql AS 'SELECT 1';",
        "CREATE PROCEDURE f(x int) LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;"
        "COMMENT ON PROCEDURE f(int) IS 'x';",
        "procedure body and comment",
    ),
    swapped(
        "",
        "CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql AS 'SELECT 1';",
        "CREATE PROCEDURE f(x int) LANGUAGE sql AS 'SELECT 1';",
        "function becomes a procedure",
    ),
    on(
        F.replace("x int", "x int, y int"),
        "CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql AS 'SELECT 1';",
        "function beside another",
    ),
    swapped("", A.format(""), A.format(", INITCOND = '5', PARALLEL = SAFE"), "aggregate options"),
    on(A.format(""), "COMMENT ON AGGREGATE total(int) IS 'x';", "aggregate comment"),
    on(E + V, "ALTER EVENT TRIGGER v DISABLE;", "event trigger switched off"),
    on(E + V, "COMMENT ON EVENT TRIGGER v IS 'x';", "event trigger comment"),
    swapped(
        E,
        V,
        "CREATE EVENT TRIGGER v ON sql_drop WHEN TAG IN ('DROP TABLE', 'DROP VIEW')"
        " EXECUTE PROCEDURE e();",
        "event trigger event and tags",
    ),
    on(
        T + "CREATE MATERIALIZED VIEW m AS SELECT a, b FROM t;",
        "CREATE UNIQUE INDEX mi ON m (a) WHERE a > 0; COMMENT ON MATERIALIZED VIEW m IS 'x';"
        "COMMENT ON COLUMN m.a IS 'y'; ALTER MATERIALIZED VIEW m SET (fillfactor = 70);",
        "materialized view with an index, comments and parameters",
    ),
    on(
        T + "CREATE VIEW w AS SELECT a FROM t;",
        "COMMENT ON VIEW w IS 'x'; COMMENT ON COLUMN w.a IS 'y';",
        "view comments",
    ),
    swapped(
        T,
        "CREATE VIEW w AS SELECT a FROM t;",
        "CREATE MATERIALIZED VIEW w AS SELECT a FROM t;",
        "view becomes a materialized view",
    ),
    on(
        "CREATE DOMAIN d AS text;",
        "ALTER DOMAIN d SET DEFAULT 'x'; ALTER DOMAIN d SET NOT NULL;"
        "ALTER DOMAIN d ADD CONSTRAINT c CHECK (VALUE <> ''); COMMENT ON DOMAIN d IS 'y';",
        "domain default, not null, check and comment",
    ),
    on(
        "CREATE TYPE k AS (x int, y text);",
        "COMMENT ON TYPE k IS 'x'; COMMENT ON COLUMN k.x IS 'y';",
        "composite type comments",
    ),
    swapped(
        "",
        "CREATE TYPE k AS (x int, y text);",
        'CREATE TYPE k AS (x bigint, z text COLLATE "C");',
        "composite type attributes",
    ),
    on("CREATE SEQUENCE s;", "COMMENT ON SEQUENCE s IS 'x';", "sequence comment"),
    swapped(
        "",
        "CREATE SEQUENCE s AS int;",
        "CREATE SEQUENCE s AS bigint INCREMENT BY -2 MINVALUE -100 MAXVALUE 50 START 7 CACHE 3"
        " CYCLE;",
        "sequence type and every option",
    ),
    on("", "CREATE SCHEMA s; COMMENT ON SCHEMA s IS 'x';", "empty namespace"),
    on("CREATE EXTENSION citext;", "COMMENT ON EXTENSION citext IS 'ours';", "extension comment"),
    on(
        T,
        "ALTER TABLE t ALTER a SET STATISTICS 9, ALTER b SET STORAGE EXTERNAL,"
        " ALTER a SET (n_distinct = 5);",
        "column statistics, storage and options",
    ),
    on(
        T,
        "ALTER TABLE t SET (fillfactor = 70, autovacuum_enabled = off,"
        " toast.autovacuum_enabled = off);",
        "table parameters and those of its toast",
    ),
    on(
        T + "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0);",
        "COMMENT ON CONSTRAINT c ON t IS 'x'; COMMENT ON CONSTRAINT t_pkey ON t IS 'y';",
        "constraint comments",
    ),
    swapped(
        "CREATE TABLE t (r int4range, k int, ",
        "CONSTRAINT c EXCLUDE USING gist (r WITH &&));",
        "CONSTRAINT c EXCLUDE USING gist (r WITH =) WHERE (k > 0) DEFERRABLE INITIALLY DEFERRED);",
        "exclusion operators, predicate and deferral",
    ),
    swapped(
        T,
        "CREATE TABLE u (a int CONSTRAINT c REFERENCES t);",
        "CREATE TABLE u (a int CONSTRAINT c REFERENCES t ON UPDATE SET DEFAULT ON DELETE RESTRICT"
        " DEFERRABLE);",
        "foreign key actions and deferral",
    ),
]
