"""Everything that has a name gets another one, and what hangs on it goes along."""

from tests.acceptance.cases import Case

T = "CREATE TABLE t (id int PRIMARY KEY, a int, b text);"
TR = "CREATE FUNCTION tr() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;"


def renamed(name: str, text: str, *renames: str, since: int = 140000, **more: object) -> Case:
    """*text* with ``OLD`` in it, which becomes ``new``."""
    return Case(
        name=name,
        old=text.replace("OLD", "old"),
        new=text.replace("OLD", "new"),
        renames=renames,
        since=since,
        **more,  # type: ignore[arg-type]  # its fields
    )


CASES = [
    renamed(
        "view with dependants and a comment",
        T + "CREATE VIEW OLD AS SELECT id, a FROM t; COMMENT ON VIEW OLD IS 'x';"
        "CREATE VIEW w AS SELECT a FROM OLD;",
        "view old:new",
        contains=("RENAME TO",),
        lacks=("DROP",),
    ),
    renamed(
        "materialized view with its index",
        T + "CREATE MATERIALIZED VIEW OLD AS SELECT a FROM t; CREATE INDEX i ON OLD (a);",
        "materialized view old:new",
        contains=("RENAME TO",),
        lacks=("DROP",),
    ),
    renamed(
        "domain in use",
        "CREATE DOMAIN OLD AS int CHECK (VALUE > 0); CREATE TABLE t (a OLD, b OLD[]);",
        "domain old:new",
        contains=("RENAME TO",),
        lacks=("DROP DOMAIN", "COLUMN"),
    ),
    renamed(
        "check of a domain of which there is an array",
        "CREATE DOMAIN d AS int CONSTRAINT OLD CHECK (VALUE > 0) CHECK (VALUE > 1);"
        "COMMENT ON CONSTRAINT OLD ON DOMAIN d IS 'x'; CREATE TABLE t (a d, b d[]);",
        contains=("RENAME CONSTRAINT",),
        lacks=("DROP",),
    ),
    renamed(
        "composite type in use",
        "CREATE TYPE OLD AS (x int, y text); CREATE TABLE t (a OLD, b OLD[]);"
        "COMMENT ON TYPE OLD IS 'x';",
        "composite type old:new",
        contains=("RENAME TO",),
        lacks=("DROP",),
    ),
    renamed(
        "sequence that a default calls",
        "CREATE SEQUENCE OLD; CREATE TABLE t (a int DEFAULT nextval('OLD'));",
        "sequence old:new",
        lacks=("DROP",),
    ),
    renamed(
        "table with a trigger, a rule, a policy, statistics and a view",
        T.replace(" t ", " OLD ")
        + TR
        + "CREATE TRIGGER g BEFORE UPDATE ON OLD FOR EACH ROW EXECUTE PROCEDURE tr();"
        "CREATE RULE r AS ON DELETE TO OLD DO INSTEAD NOTHING;"
        "ALTER TABLE OLD ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON OLD USING (a > 0);"
        "CREATE STATISTICS s ON a, b FROM OLD; CREATE VIEW v AS SELECT a FROM OLD;",
        "table old:new",
        lacks=("DROP TABLE", "DROP TRIGGER", "DROP RULE", "DROP POLICY", "DROP VIEW"),
    ),
    renamed(
        "partitioned table and a partition",
        "CREATE TABLE OLD (a int, b int) PARTITION BY RANGE (a);"
        "CREATE TABLE OLD_1 PARTITION OF OLD FOR VALUES FROM (0) TO (10);",
        "table old:new",
        "table old_1:new_1",
        lacks=("DROP TABLE",),
    ),
    renamed("index", T + "CREATE INDEX OLD ON t (a); COMMENT ON INDEX OLD IS 'x';"),
    renamed("check", T + "ALTER TABLE t ADD CONSTRAINT OLD CHECK (a > 0);"),
    renamed("primary key", "CREATE TABLE t (id int, CONSTRAINT OLD PRIMARY KEY (id));"),
    renamed(
        "foreign key", T + "CREATE TABLE u (a int, CONSTRAINT OLD FOREIGN KEY (a) REFERENCES t);"
    ),
    renamed(
        "exclusion", "CREATE TABLE t (r int4range, CONSTRAINT OLD EXCLUDE USING gist (r WITH &&));"
    ),
    renamed(
        "trigger",
        T + TR + "CREATE TRIGGER OLD AFTER INSERT ON t FOR EACH ROW EXECUTE PROCEDURE tr();",
    ),
    renamed("rule", T + "CREATE RULE OLD AS ON DELETE TO t DO INSTEAD NOTHING;"),
    renamed("policy", T + "CREATE POLICY OLD ON t USING (a > 0);"),
    renamed("statistics", T + "CREATE STATISTICS OLD ON a, b FROM t;"),
    renamed("function", "CREATE FUNCTION OLD() RETURNS int LANGUAGE sql AS 'SELECT 1';"),
    renamed(
        "function that a default, a check and a view call",
        "CREATE FUNCTION OLD() RETURNS int LANGUAGE sql AS 'SELECT 1';"
        "CREATE TABLE t (a int DEFAULT OLD(), CHECK (a > OLD())); CREATE VIEW v AS SELECT OLD();",
    ),
    renamed("procedure", "CREATE PROCEDURE OLD() LANGUAGE sql AS 'SELECT 1';"),
    renamed("aggregate", "CREATE AGGREGATE OLD(int) (SFUNC = int4pl, STYPE = int);"),
    renamed(
        "event trigger",
        "CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;"
        "CREATE EVENT TRIGGER OLD ON ddl_command_end EXECUTE PROCEDURE e();",
    ),
    renamed(
        "namespace with a table, an enum, a sequence and a function",
        "CREATE SCHEMA OLD; CREATE TYPE OLD.mood AS ENUM ('a');"
        "CREATE TABLE OLD.t (id serial PRIMARY KEY, m OLD.mood DEFAULT 'a');"
        "CREATE FUNCTION OLD.f() RETURNS int LANGUAGE sql AS 'SELECT 1';",
        "table old.t:new.t",
        "enum old.mood:new.mood",
        lacks=("DROP TABLE", "DROP TYPE"),
    ),
]
