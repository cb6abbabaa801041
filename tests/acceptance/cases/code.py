"""Views, routines, triggers, rules, policies, statistics."""

from tests.acceptance.cases import Case

T = "CREATE TABLE t (id int PRIMARY KEY, a int, b text);"
OFF = "SET check_function_bodies = off;"
ON = "RESET check_function_bodies;"


def sql(head: str, body: str, returns: str = "int", kind: str = "IMMUTABLE") -> str:
    return f"CREATE FUNCTION {head} RETURNS {returns} LANGUAGE sql {kind} AS $${body}$$;"


CIRCLE = (
    OFF
    + sql("fa(i int)", "SELECT fb(i)")
    + sql("fb(i int)", "SELECT CASE WHEN i > 0 THEN fa(i - 1) ELSE 0 END")
    + ON
)
F = sql("f(a int)", "SELECT a")
DOMAINS = (
    "ALTER DOMAIN d ADD CONSTRAINT below CHECK (VALUE < 9);"
    "COMMENT ON CONSTRAINT below ON DOMAIN d IS 'x'; CREATE TABLE u (x d);"
)
TR = "CREATE FUNCTION tr() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;"


def on(old: str, new: str, name: str, **more: object) -> Case:
    return Case(name=name, old=T + old, new=T + new, **more)  # type: ignore[arg-type]  # its fields


CASES = [
    on("", "CREATE VIEW v AS SELECT id, a FROM t WHERE a > 0; COMMENT ON VIEW v IS 'x';", "view"),
    on(
        "CREATE VIEW v AS SELECT id FROM t;",
        "CREATE VIEW v AS SELECT id, a AS x FROM t;",
        "view with one more column",
        contains=("OR REPLACE",),
    ),
    on(
        "CREATE VIEW v AS SELECT id, a FROM t; CREATE VIEW w AS SELECT id FROM v;"
        "COMMENT ON VIEW w IS 'kept'; COMMENT ON COLUMN w.id IS 'also';",
        "CREATE VIEW v AS SELECT a, id FROM t; CREATE VIEW w AS SELECT id FROM v;"
        "COMMENT ON VIEW w IS 'kept'; COMMENT ON COLUMN w.id IS 'also';",
        "view with dependants",
    ),
    on(
        "CREATE VIEW v AS SELECT id FROM t;",
        "CREATE VIEW v WITH (security_barrier) AS SELECT id FROM t WITH CHECK OPTION;"
        "ALTER VIEW v ALTER COLUMN id SET DEFAULT 5;",
        "view options",
    ),
    on(
        "CREATE VIEW v WITH (security_invoker) AS SELECT id FROM t;",
        "CREATE VIEW v AS SELECT id FROM t;",
        "view invoker",
        since=150000,
    ),
    Case(
        name="column type under views",
        old=T + "CREATE VIEW v AS SELECT id, a FROM t; CREATE VIEW w AS SELECT a + 1 AS n FROM v;"
        "CREATE MATERIALIZED VIEW m AS SELECT n FROM w; CREATE INDEX mi ON m (n);",
        new=T.replace("a int", "a bigint")
        + "CREATE VIEW v AS SELECT id, a FROM t; CREATE VIEW w AS SELECT a + 1 AS n FROM v;"
        "CREATE MATERIALIZED VIEW m AS SELECT n FROM w; CREATE INDEX mi ON m (n);",
    ),
    Case(
        name="column type under a trigger, a rule and a policy",
        old=T + TR + "CREATE TRIGGER g BEFORE UPDATE OF a ON t FOR EACH ROW EXECUTE PROCEDURE tr();"
        "CREATE RULE r AS ON INSERT TO t WHERE new.a < 0 DO INSTEAD NOTHING;"
        "CREATE POLICY p ON t USING (a > 0);",
        new=T.replace("a int", "a bigint")
        + TR
        + "CREATE TRIGGER g BEFORE UPDATE OF a ON t FOR EACH ROW EXECUTE PROCEDURE tr();"
        "CREATE RULE r AS ON INSERT TO t WHERE new.a < 0 DO INSTEAD NOTHING;"
        "CREATE POLICY p ON t USING (a > 0);",
    ),
    on("", "CREATE MATERIALIZED VIEW m AS SELECT a FROM t WITH NO DATA;", "materialized view"),
    on(
        "CREATE MATERIALIZED VIEW m AS SELECT a FROM t; CREATE INDEX mi ON m (a);",
        "CREATE MATERIALIZED VIEW m AS SELECT a, b FROM t; CREATE UNIQUE INDEX mi ON m (a);"
        "COMMENT ON MATERIALIZED VIEW m IS 'x'; COMMENT ON COLUMN m.a IS 'y';",
        "materialized view definition",
    ),
    on(
        "CREATE MATERIALIZED VIEW m AS SELECT a FROM t;",
        "CREATE MATERIALIZED VIEW m WITH (fillfactor=70) AS SELECT a FROM t;"
        "CREATE INDEX mi ON m (a); COMMENT ON MATERIALIZED VIEW m IS 'x';",
        "materialized view in place",
        lacks=("DROP",),
    ),
    on(
        "",
        "CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql AS 'SELECT x'; "
        "COMMENT ON FUNCTION f(int) IS 'x';",
        "function",
    ),
    on(
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql STRICT AS $$ BEGIN RETURN 2; END $$;",
        "function body",
        contains=("OR REPLACE",),
    ),
    on(
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; "
        "CREATE VIEW v AS SELECT f() AS x;"
        "ALTER TABLE t ALTER a SET DEFAULT f(), ADD CHECK (a > f());",
        "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'; "
        "CREATE VIEW v AS SELECT f() AS x;"
        "ALTER TABLE t ALTER a SET DEFAULT f(), ADD CHECK (a > f());",
        "function result with dependants",
    ),
    on(
        "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1';",
        "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1';"
        "CREATE FUNCTION f(a text, b int DEFAULT 3) RETURNS int LANGUAGE sql AS 'SELECT 2';",
        "function overload",
    ),
    on(
        "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1';",
        "CREATE FUNCTION f(b int) RETURNS int LANGUAGE sql AS 'SELECT 1';",
        "function argument name",
    ),
    on(
        "",
        "CREATE FUNCTION z() RETURNS SETOF t LANGUAGE sql AS 'SELECT * FROM t';"
        "CREATE FUNCTION a() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM z()';"
        "CREATE TABLE new_one (i int); CREATE VIEW nv AS SELECT * FROM new_one;"
        "CREATE FUNCTION b() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM nv';",
        "functions that need one another",
    ),
    on(
        "",
        "CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT x + "
        "1; END;"
        "CREATE INDEX i ON t (f(a));",
        "function with a standard body",
    ),
    on(
        "",
        "CREATE PROCEDURE p(x int) LANGUAGE sql AS 'SELECT 1'; COMMENT ON PROCEDURE p(int) IS 'x';",
        "procedure",
    ),
    on(
        "CREATE AGGREGATE g(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');",
        "CREATE AGGREGATE g(int) (SFUNC = int4pl, STYPE = int, INITCOND = '5', "
        "COMBINEFUNC = int4pl, PARALLEL = SAFE);"
        "CREATE AGGREGATE h(*) (SFUNC = int8inc, STYPE = bigint, INITCOND = '0');"
        "COMMENT ON AGGREGATE g(int) IS 'x';",
        "aggregate",
    ),
    on(
        "",
        TR + "CREATE TRIGGER g BEFORE UPDATE OF a ON t FOR EACH ROW WHEN (old.a <> new.a) "
        "EXECUTE PROCEDURE tr();"
        "COMMENT ON TRIGGER g ON t IS 'x'; ALTER TABLE t DISABLE TRIGGER g;"
        "CREATE CONSTRAINT TRIGGER c AFTER INSERT ON t DEFERRABLE FOR EACH ROW EXECUTE "
        "PROCEDURE tr();",
        "trigger",
    ),
    on(
        TR + "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE PROCEDURE tr();",
        TR + "CREATE TRIGGER g AFTER DELETE ON t FOR EACH STATEMENT EXECUTE PROCEDURE tr();",
        "trigger definition",
    ),
    Case(
        name="table with its trigger, its function, its policy and its statistics",
        old="",
        new=T + TR + "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE PROCEDURE tr();"
        "CREATE POLICY p ON t; CREATE STATISTICS s ON a, b FROM t;",
    ),
    on(
        "",
        "CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;"
        "CREATE EVENT TRIGGER et ON ddl_command_start WHEN TAG IN ('DROP OWNED') EXECUTE "
        "PROCEDURE e();"
        "COMMENT ON EVENT TRIGGER et IS 'x'; ALTER EVENT TRIGGER et DISABLE;",
        "event trigger",
    ),
    on(
        "CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING;",
        "CREATE RULE r AS ON DELETE TO t WHERE old.a > 0 DO ALSO UPDATE t SET a = 1;"
        "COMMENT ON RULE r ON t IS 'x'; ALTER TABLE t DISABLE RULE r;",
        "rule",
    ),
    on(
        "",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
        "CREATE POLICY p ON t AS RESTRICTIVE FOR UPDATE TO CURRENT_USER USING (a > 0) WITH "
        "CHECK (a > 1);"
        "COMMENT ON POLICY p ON t IS 'x';",
        "policy",
    ),
    on(
        "CREATE POLICY p ON t USING (a > 0);",
        "CREATE POLICY p ON t TO CURRENT_USER USING (a > 1) WITH CHECK (a > 2);",
        "policy in place",
        contains=("ALTER POLICY",),
    ),
    on(
        "CREATE STATISTICS s (ndistinct) ON a, b FROM t;",
        "CREATE STATISTICS s (dependencies) ON a, b FROM t; ALTER STATISTICS s SET STATISTICS 50;"
        "COMMENT ON STATISTICS s IS 'x';",
        "statistics",
    ),
    on(
        "",
        "CREATE STATISTICS s ON (a + 1), (lower(b)) FROM t;",
        "statistics on expressions",
    ),
    Case(
        name="drop a column under a view that no longer reads it",
        old=T + "CREATE VIEW v AS SELECT id, a, b FROM t;",
        new=T.replace(", b text", "") + "CREATE VIEW v AS SELECT id, a FROM t;",
    ),
    Case(
        name="column type under a function that returns its rows",
        old=T + "CREATE FUNCTION f() RETURNS SETOF t LANGUAGE sql AS 'SELECT * FROM t';",
        new=T.replace("a int", "a bigint")
        + "CREATE FUNCTION f() RETURNS SETOF t LANGUAGE sql AS 'SELECT * FROM t';",
    ),
    Case(name="functions that call each other", old="", new=CIRCLE, contains=(OFF[:-1], ON[:-1])),
    Case(
        name="functions that call each other get other arguments",
        old=CIRCLE,
        new=CIRCLE.replace("i int", "i int, j int DEFAULT 1"),
    ),
    Case(
        name="a default that calls one of two functions that call each other",
        old=T,
        new=T + CIRCLE + "ALTER TABLE t ADD COLUMN c int DEFAULT fa(1);",
    ),
    Case(
        name="a table whose default calls a function that reads it",
        old="",
        new=OFF
        + sql("f()", "SELECT count(*)::int FROM t", kind="STABLE")
        + "CREATE TABLE t (n int DEFAULT f());"
        + ON,
    ),
    Case(
        name="a view that calls a function that reads it",
        old="",
        new=OFF
        + sql("f()", "SELECT count(*)::int FROM v", kind="STABLE")
        + "CREATE VIEW v AS SELECT f() AS n;"
        + ON,
    ),
    Case(
        name="procedures that call each other",
        old="",
        new=OFF
        + "CREATE PROCEDURE pa() LANGUAGE sql AS 'CALL pb()';"
        + "CREATE PROCEDURE pb() LANGUAGE sql AS 'CALL pa()';"
        + ON,
    ),
    Case(
        name="a body of SQL's own form calls a function that calls it",
        old="",
        new=OFF
        + sql("fb(i int)", "SELECT CASE WHEN i > 0 THEN fa(i - 1) ELSE 0 END")
        + "CREATE FUNCTION fa(i int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT fb(i); END;"
        + ON,
    ),
    *(
        Case(
            name=f"{what} of a function that {user} calls",
            old=F + sql_of_user,
            new=changed + sql_of_user,
        )
        for what, changed in (
            ("arguments", sql("f(a int, b int DEFAULT 1)", "SELECT a")),
            ("result", sql("f(a int)", "SELECT a::bigint", returns="bigint")),
            ("argument's name", sql("f(aa int)", "SELECT aa")),
        )
        for user, sql_of_user in (
            ("a domain", "CREATE DOMAIN d AS int DEFAULT f(1) CHECK (f(VALUE) > 0);" + DOMAINS),
            ("a default", "CREATE TABLE t (x bigint DEFAULT f(1));"),
            ("an index", "CREATE TABLE t (y int); CREATE INDEX i ON t ((f(y))) WHERE f(y) > 0;"),
            (
                "a check",
                "CREATE TABLE t (y int, CHECK (f(y) > 0)); CREATE TABLE c () INHERITS (t);",
            ),
            ("a policy", "CREATE TABLE t (y int); CREATE POLICY p ON t USING (f(y) > 0);"),
            ("a rule", T + "CREATE RULE r AS ON DELETE TO t WHERE f(old.a) > 0 DO ALSO NOTHING;"),
            ("a view", T + "CREATE VIEW v AS SELECT f(a) AS x FROM t; CREATE VIEW w AS TABLE v;"),
            (
                "a trigger",
                T + TR + "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW WHEN (f(new.a) > 0)"
                " EXECUTE PROCEDURE tr();",
            ),
        )
    ),
    *(
        Case(
            name=f"{what} of a function that a computed column calls",
            old=F + "CREATE TABLE t (y int, x bigint GENERATED ALWAYS AS (f(y)) STORED);"
            "CREATE INDEX i ON t (x); CREATE VIEW v AS SELECT x FROM t;",
            new=changed + "CREATE TABLE t (y int, x bigint GENERATED ALWAYS AS (f(y)) STORED);"
            "CREATE INDEX i ON t (x); CREATE VIEW v AS SELECT x FROM t;",
        )
        for what, changed in (
            ("arguments", sql("f(a int, b int DEFAULT 1)", "SELECT a")),
            ("result", sql("f(a int)", "SELECT a::bigint", returns="bigint")),
        )
    ),
    Case(
        name="a domain calls another function",
        old=F + "CREATE DOMAIN d AS int CONSTRAINT k CHECK (f(VALUE) > 0);" + DOMAINS,
        new=F.replace("f(", "g(")
        + "CREATE DOMAIN d AS int CONSTRAINT k CHECK (g(VALUE) > 0);"
        + DOMAINS,
    ),
    Case(
        name="a domain calls no function any more",
        old=F + "CREATE DOMAIN d AS int CONSTRAINT k CHECK (f(VALUE) > 0);" + DOMAINS,
        new="CREATE DOMAIN d AS int CONSTRAINT k CHECK (VALUE > 0);" + DOMAINS,
    ),
]
