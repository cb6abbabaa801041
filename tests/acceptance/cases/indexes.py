"""Indexes."""

from tests.acceptance.cases import Case

T = "CREATE TABLE t (a int, b text, c text, d jsonb);"


def ix(old: str, new: str, name: str, **more: object) -> Case:
    return Case(name=name, old=T + old, new=T + new, **more)  # type: ignore[arg-type]  # its fields


KEPT = "CREATE TABLE t (a int NOT NULL, b int NOT NULL);"

CASES = [
    ix("", "CREATE INDEX i ON t (a, b);", "add"),
    ix("CREATE INDEX i ON t (a);", "CREATE INDEX i ON t (b);", "columns"),
    ix("CREATE INDEX i ON t (a);", "CREATE UNIQUE INDEX i ON t (a);", "unique"),
    ix("CREATE INDEX i ON t (a);", "CREATE INDEX j ON t (a);", "renamed", lacks=("DROP",)),
    ix("CREATE INDEX i ON t (b);", "CREATE INDEX i ON t (lower(b), (a + 1));", "expression"),
    ix(
        "CREATE INDEX i ON t (a);",
        "CREATE INDEX i ON t (a) WHERE a > 0 AND b IS NOT NULL;",
        "partial",
    ),
    ix("CREATE INDEX i ON t (a, b);", "CREATE INDEX i ON t (a DESC, b NULLS FIRST);", "order"),
    ix("CREATE INDEX i ON t (a DESC);", "CREATE INDEX i ON t (a DESC NULLS LAST);", "nulls"),
    ix("CREATE INDEX i ON t (a);", "CREATE INDEX i ON t USING hash (a);", "method"),
    ix(
        "CREATE INDEX i ON t USING gin (d);",
        "CREATE INDEX i ON t USING gin (d jsonb_path_ops);",
        "opclass",
    ),
    ix("CREATE INDEX i ON t (b);", "CREATE INDEX i ON t (b text_pattern_ops);", "pattern opclass"),
    ix(
        "CREATE INDEX i ON t (b);",
        'CREATE INDEX i ON t (b COLLATE "C", lower(b) COLLATE "C");',
        "collation",
    ),
    ix(
        "CREATE INDEX i ON t (a);",
        "CREATE INDEX i ON t (a) INCLUDE (b, c);",
        "include",
    ),
    ix(
        "CREATE UNIQUE INDEX i ON t (a);",
        "CREATE UNIQUE INDEX i ON t (a) NULLS NOT DISTINCT;",
        "nulls not distinct",
        since=150000,
    ),
    ix(
        "CREATE INDEX i ON t (a);",
        "CREATE INDEX i ON t (a) WITH (fillfactor=70);",
        "parameters in place",
        lacks=("DROP",),
    ),
    ix(
        "CREATE INDEX i ON t (a);", "CREATE INDEX i ON t (a); COMMENT ON INDEX i IS 'x';", "comment"
    ),
    ix(
        "CREATE INDEX i ON t (a);",
        "CREATE INDEX i ON t (a); ALTER TABLE t CLUSTER ON i;",
        "clustered",
    ),
    ix(
        "CREATE INDEX i ON t (lower(b));",
        "CREATE INDEX i ON t (lower(b)); ALTER INDEX i ALTER COLUMN 1 SET STATISTICS 300;",
        "statistics of an expression",
    ),
    ix(
        "CREATE EXTENSION pg_trgm; CREATE INDEX i ON t USING gist (b gist_trgm_ops);",
        "CREATE EXTENSION pg_trgm; CREATE INDEX i ON t USING gist (b gist_trgm_ops (siglen=32));",
        "opclass parameters",
    ),
    ix(
        "CREATE INDEX i ON t USING brin (a) WITH (pages_per_range=4);",
        "CREATE INDEX i ON t USING brin (a);",
        "brin",
    ),
    Case(
        name="the name moves to another table",
        old=T + "CREATE TABLE u (a int); CREATE INDEX i ON t (a);",
        new=T + "CREATE TABLE u (a int); CREATE INDEX i ON u (a);",
    ),
    Case(
        name="the name is that of a dropped table's index",
        old=T + "CREATE TABLE u (a int); CREATE INDEX i ON u (a); CREATE INDEX ix ON t (a);",
        new=T + "CREATE INDEX i ON t (a);",
    ),
    Case(
        name="indexes of two tables swap their longest names",
        old=f"CREATE TABLE a (i int); CREATE TABLE b (i int);"
        f"CREATE INDEX {'x' * 63} ON a (i); CREATE INDEX {'y' * 63} ON b (i);",
        new=f"CREATE TABLE a (i int); CREATE TABLE b (i int);"
        f"CREATE INDEX {'y' * 63} ON a (i); CREATE INDEX {'x' * 63} ON b (i);",
        lacks=("DROP",),
    ),
    Case(
        name="the index of a replica identity is made anew",
        old=KEPT + "CREATE UNIQUE INDEX i ON t (a); ALTER TABLE t REPLICA IDENTITY USING INDEX i;",
        new=KEPT + "CREATE UNIQUE INDEX i ON t (b); ALTER TABLE t REPLICA IDENTITY USING INDEX i;",
    ),
    Case(
        name="the constraint of a replica identity is made anew",
        old=KEPT + "ALTER TABLE t ADD CONSTRAINT i UNIQUE (a), REPLICA IDENTITY USING INDEX i;",
        new=KEPT + "ALTER TABLE t ADD CONSTRAINT i UNIQUE (b), REPLICA IDENTITY USING INDEX i;",
    ),
    Case(
        name="a replica identity moves to another index as its column goes",
        old=KEPT + "CREATE UNIQUE INDEX i ON t (a); ALTER TABLE t REPLICA IDENTITY USING INDEX i;",
        new="CREATE TABLE t (b int NOT NULL); CREATE UNIQUE INDEX i ON t (b);"
        "ALTER TABLE t REPLICA IDENTITY USING INDEX i;",
    ),
    Case(
        name="two with the longest names, alike for long, change",
        old=f"CREATE TABLE t (a int, b int); CREATE INDEX {'i' * 62}1 ON t (a);"
        f"CREATE INDEX {'i' * 62}2 ON t (b);",
        new=f"CREATE TABLE t (a int, b int); CREATE INDEX {'i' * 62}1 ON t (a, b);"
        f"CREATE INDEX {'i' * 62}2 ON t (b, a);",
    ),
    Case(
        name="one with the longest name in bytes changes",
        old=f'CREATE TABLE t (a int, b int); CREATE INDEX "{"é" * 31}x" ON t (a);',
        new=f'CREATE TABLE t (a int, b int); CREATE INDEX "{"é" * 31}x" ON t (b);',
    ),
]
