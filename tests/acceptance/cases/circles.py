"""Objects that need each other in a circle, as the server records it: created and dropped."""

from tests.acceptance.cases import Case


def atomic(head: str, body: str, returns: str = "int", kind: str = "STABLE") -> str:
    """A function whose body the server reads, so that it records what the body needs."""
    return f"CREATE FUNCTION {head} RETURNS {returns} LANGUAGE sql {kind} BEGIN ATOMIC {body}; END;"


AB = "CREATE TABLE a (id int, n int); CREATE TABLE b (id int, n int);"
BOTH = (
    "CREATE POLICY pa ON a USING (EXISTS (SELECT FROM b WHERE b.id = a.id));"
    "CREATE POLICY pb ON b USING (EXISTS (SELECT FROM a WHERE b.id = a.id));"
)
SUM = atomic("f()", "SELECT coalesce(max(n), 0) + 1 FROM t")
SUM_OF_A = atomic("fa()", "SELECT coalesce(max(n), 0) + 1 FROM a")
SUM_OF_B = atomic("fb()", "SELECT coalesce(max(n), 0) + 1 FROM b")
ROW = "CREATE TABLE t (id int, n int);" + atomic("f(t)", "SELECT ($1).n + 1", kind="IMMUTABLE")
PURE = atomic("f(i int)", "SELECT i + count(*)::int FROM t", kind="IMMUTABLE")

VIEWED = 'CREATE TABLE t (id int, "w X" text COLLATE "C");'
VIEW = (
    "CREATE FUNCTION f() RETURNS {0} LANGUAGE sql STABLE AS 'SELECT 1';"
    'CREATE VIEW v WITH (security_barrier) AS SELECT id, f() AS n, "w X" FROM t;'
)
READS_VIEW = (
    "CREATE OR REPLACE FUNCTION f() RETURNS {0} LANGUAGE sql STABLE"
    " BEGIN ATOMIC SELECT count(*)::{0} FROM {1}; END;"
)

# What comes with the first text alone, and goes again.
CIRCLES = {
    "policies that read the other's table": AB + BOTH,
    "three policies that read the next table": (
        AB
        + "CREATE TABLE c (id int); CREATE POLICY p ON a USING (EXISTS (SELECT FROM b));"
        + "CREATE POLICY p ON b USING (EXISTS (SELECT FROM c));"
        + "CREATE POLICY p ON c USING (EXISTS (SELECT FROM a));"
    ),
    "a policy that reads a table which refers to its own": (
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int REFERENCES a);"
        "CREATE POLICY p ON a USING (EXISTS (SELECT FROM b));"
    ),
    "a policy that reads a child of its table": (
        "CREATE TABLE a (id int); CREATE TABLE b () INHERITS (a);"
        "CREATE POLICY p ON a USING (EXISTS (SELECT FROM b));"
    ),
    "a policy and a rule that read the other's table": (
        AB + "CREATE POLICY p ON a USING (EXISTS (SELECT FROM b));"
        "CREATE RULE r AS ON DELETE TO b DO ALSO SELECT n FROM a;"
    ),
    "rules that write into the other's table": (
        AB + "CREATE RULE r AS ON INSERT TO a WHERE new.n > 9 DO ALSO UPDATE b SET n = 1;"
        "CREATE RULE r AS ON INSERT TO b WHERE new.n > 9 DO ALSO UPDATE a SET n = 1;"
    ),
    "foreign keys both ways": (
        "CREATE TABLE a (id int PRIMARY KEY, n int); CREATE TABLE b (id int PRIMARY KEY"
        " REFERENCES a, n int); ALTER TABLE a ADD FOREIGN KEY (n) REFERENCES b;" + BOTH
    ),
    "a policy that calls a function which reads a table with such a default": (
        AB
        + SUM_OF_A
        + "ALTER TABLE b ALTER n SET DEFAULT fa();"
        + SUM_OF_B
        + "CREATE POLICY p ON a USING (n < fb());"
    ),
    "a default that calls a function which reads the table": (
        "CREATE TABLE t (id int, n int);" + SUM + "ALTER TABLE t ALTER n SET DEFAULT f();"
    ),
    "a required default that calls a function which reads a view of the table": (
        "CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL); CREATE VIEW v AS SELECT n FROM t;"
        + atomic("f()", "SELECT count(*)::int FROM v")
        + "ALTER TABLE t ALTER n SET DEFAULT f() * 2;"
    ),
    "defaults that call functions which read the other's table": (
        AB
        + SUM_OF_A
        + SUM_OF_B
        + "ALTER TABLE a ALTER n SET DEFAULT fb(); ALTER TABLE b ALTER n SET DEFAULT fa();"
    ),
    "a default of a partition that calls a function which reads its parent": (
        "CREATE TABLE t (id int, n int) PARTITION BY RANGE (id);"
        "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (9);"
        + SUM
        + "ALTER TABLE t1 ALTER n SET DEFAULT f();"
    ),
    "a check that calls a function which takes the table's rows": (
        ROW + "ALTER TABLE t ADD CHECK (f(t) > 0);"
    ),
    "an index of a function which reads the table": (
        "CREATE TABLE t (id int, n int);" + PURE + "CREATE INDEX i ON t (f(n));"
    ),
    "a computed column that calls a function which reads the table": (
        "CREATE TABLE t (id int, n int);"
        + PURE
        + "ALTER TABLE t ADD g int GENERATED ALWAYS AS (f(n)) STORED; CREATE INDEX i ON t (g);"
    ),
    "a domain whose check calls a function that reads a table of it": (
        "CREATE DOMAIN d AS int; CREATE TABLE t (n d);"
        + atomic("f(i int)", "SELECT i + count(n)::int FROM t")
        + "ALTER DOMAIN d ADD CONSTRAINT k CHECK (f(VALUE) > 0);"
    ),
    "a trigger whose condition calls a function that takes the table's rows": (
        ROW
        + "CREATE FUNCTION tr() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;"
        "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW WHEN (f(new) > 0)"
        " EXECUTE FUNCTION tr();"
    ),
}

CIRCLES |= {
    "a view and a function that read each other": (
        VIEWED
        + VIEW.format("int")
        + READS_VIEW.format("int", "v")
        + "COMMENT ON VIEW v IS 'x'; COMMENT ON COLUMN v.n IS 'n'; ALTER VIEW v ALTER id SET"
        " DEFAULT 3;"
    ),
    "a function reads a view of the view that calls it": (
        VIEWED
        + VIEW.format("int")
        + "CREATE VIEW w AS SELECT n FROM v;"
        + READS_VIEW.format("int", "w")
    ),
}

CASES = [
    *(
        Case(name=name, old="CREATE TABLE other (id int);", new=new)
        for name, new in CIRCLES.items()
    ),
    Case(
        name="a default that calls a function which reads the table comes alone",
        old="CREATE TABLE t (id int, n int);",
        new="CREATE TABLE t (id int, n int);" + SUM + "ALTER TABLE t ALTER n SET DEFAULT f();",
    ),
    Case(
        name="a column and its default that calls a function which reads it",
        old="CREATE TABLE t (id int);",
        new="CREATE TABLE t (id int, n int);" + SUM + "ALTER TABLE t ALTER n SET DEFAULT f();",
    ),
    Case(
        name="a column of another type gets a default that calls a function which reads it",
        old="CREATE TABLE t (id int, n smallint DEFAULT 1);",
        new="CREATE TABLE t (id int, n int);" + SUM + "ALTER TABLE t ALTER n SET DEFAULT f();",
    ),
    Case(
        name="a function that a default calls and that reads the table is created again",
        old="CREATE TABLE t (id int, n int);" + SUM + "ALTER TABLE t ALTER n SET DEFAULT f();",
        new="CREATE TABLE t (id int, n int);"
        + atomic("f()", "SELECT count(n) FROM t", returns="bigint")
        + "ALTER TABLE t ALTER n SET DEFAULT f();",
    ),
    *(
        Case(
            name=f"a view and a function that read each other, of another {name}",
            old=VIEWED + VIEW.format("int") + READS_VIEW.format("int", "v"),
            new=table + VIEW.format(returns) + READS_VIEW.format(returns, "v"),
        )
        for name, table, returns in (
            ("column type", VIEWED.replace("id int", "id bigint"), "int"),
            ("result type", VIEWED, "bigint"),
        )
    ),
]
