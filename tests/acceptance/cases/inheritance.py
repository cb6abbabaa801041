"""Partitions and inheritance."""

from tests.acceptance.cases import Case

PARENT = (
    "CREATE TABLE m (id int NOT NULL, at date NOT NULL, "
    "v text DEFAULT 'x') PARTITION BY RANGE (at);"
)
ONE = "CREATE TABLE m1 PARTITION OF m FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');"
TWO = "CREATE TABLE m2 PARTITION OF m FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');"
ALONE = "CREATE TABLE m2 (id int NOT NULL, at date NOT NULL, v text DEFAULT 'x');"
BOTH = (
    "CREATE TABLE {p} ({x}, CONSTRAINT k CHECK ({k}));"
    "CREATE TABLE c ({x}, y int, CONSTRAINT k CHECK ({k})) INHERITS ({p});"
)

CASES = [
    Case(name="partitioned table", old="", new=PARENT + ONE + TWO),
    Case(name="add a partition", old=PARENT + ONE, new=PARENT + ONE + TWO),
    Case(
        name="default partition",
        old=PARENT,
        new=PARENT + "CREATE TABLE m0 PARTITION OF m DEFAULT;",
        since=110000,
    ),
    Case(
        name="partitions of a partition",
        old="",
        new=PARENT
        + "CREATE TABLE m1 PARTITION OF m FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') "
        "PARTITION BY LIST (id);"
        "CREATE TABLE m11 PARTITION OF m1 FOR VALUES IN (1, 2);",
    ),
    Case(
        name="hash partitions",
        old="",
        new="CREATE TABLE h (id int) PARTITION BY HASH (id);"
        "CREATE TABLE h0 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 0);",
        since=110000,
    ),
    Case(
        name="attach",
        old=PARENT + ONE + ALONE,
        new=PARENT + ONE + TWO,
        contains=("ATTACH",),
        lacks=("DROP",),
    ),
    Case(
        name="attach with keys and indexes",
        old="CREATE TABLE m (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);"
        "CREATE INDEX mi ON m (id); CREATE TABLE m1 (id int, at date, PRIMARY KEY (id, at));"
        "CREATE INDEX m1_id_idx ON m1 (id);",
        new="CREATE TABLE m (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);"
        "CREATE INDEX mi ON m (id);"
        "CREATE TABLE m1 PARTITION OF m FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');",
        since=110000,
        lacks=("DROP",),
    ),
    Case(
        name="bound",
        old=PARENT + ONE,
        new=PARENT + ONE.replace("2025-01-01", "2024-07-01"),
        contains=("DETACH", "ATTACH"),
    ),
    Case(
        name="column of the parent",
        old=PARENT + ONE,
        new=PARENT.replace("v text", "w int, v varchar(9)") + ONE,
    ),
    Case(
        name="key and index of the parent",
        old=PARENT + ONE,
        new=PARENT.replace("'x')", "'x', PRIMARY KEY (id, at))") + ONE + "CREATE INDEX i ON m (v);",
        since=110000,
    ),
    Case(
        name="foreign key and check of the parent",
        old=PARENT + ONE + "CREATE TABLE p (id int PRIMARY KEY);",
        new=PARENT.replace("'x')", "'x', CHECK (id > 0))")
        + ONE
        + "CREATE TABLE p (id int PRIMARY KEY); ALTER TABLE m ADD FOREIGN KEY (id) REFERENCES p;",
        since=110000,
    ),
    Case(
        name="own default and own index of a partition",
        old=PARENT + ONE,
        new=PARENT + ONE + "ALTER TABLE m1 ALTER v SET DEFAULT 'y', ALTER v SET NOT NULL;"
        "CREATE INDEX own ON m1 (v);",
    ),
    Case(
        name="a partition with an own default from the start",
        old=PARENT,
        new=PARENT + ONE + "ALTER TABLE m1 ALTER v SET DEFAULT 'y'; COMMENT ON COLUMN m1.v IS 'c';",
    ),
    Case(
        name="trigger of the parent",
        old=PARENT + ONE,
        new=PARENT
        + ONE
        + "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;"
        "CREATE TRIGGER g AFTER INSERT ON m FOR EACH ROW EXECUTE PROCEDURE f();",
        since=130000,
    ),
    Case(
        name="foreign key to a partitioned table",
        old="CREATE TABLE m (id int PRIMARY KEY) PARTITION BY RANGE (id);"
        "CREATE TABLE m1 PARTITION OF m FOR VALUES FROM (0) TO (9); CREATE TABLE t (m int);",
        new="CREATE TABLE m (id int PRIMARY KEY) PARTITION BY RANGE (id);"
        "CREATE TABLE m1 PARTITION OF m FOR VALUES FROM (0) TO (9);"
        "CREATE TABLE t (m int REFERENCES m);",
        since=120000,
    ),
    Case(
        name="inheritance",
        old="CREATE TABLE b (x int NOT NULL DEFAULT 1, CHECK (x > 0));",
        new="CREATE TABLE b (x int NOT NULL DEFAULT 1, CHECK (x > 0));"
        "CREATE TABLE c (y int, PRIMARY KEY (y)) INHERITS (b); "
        "ALTER TABLE c ALTER x SET DEFAULT 2;",
    ),
    Case(
        name="inherit and leave",
        old="CREATE TABLE b (x int); CREATE TABLE c (x int, y int);",
        new="CREATE TABLE b (x int); CREATE TABLE c (x int, y int); ALTER TABLE c INHERIT b;",
    ),
    Case(
        name="column of a parent by inheritance",
        old="CREATE TABLE b (x int); CREATE TABLE c (y int) INHERITS (b);",
        new="CREATE TABLE b (x bigint, z text DEFAULT 'q'); CREATE TABLE c (y int) INHERITS (b);",
    ),
    # What a child declares as well as its parent: the child's name sorts before the parent's here,
    # and behind it there.
    *(
        Case(
            name=f"{what} of {parent} and of what its child declares as well",
            old=BOTH.format(p=parent, x="x int", k="x > 0"),
            new=BOTH.format(p=parent, x=x, k=check),
        )
        for parent in ("b", "z")
        for what, x, check in (
            ("type", "x bigint", "x > 0"),
            ("not null", "x int NOT NULL", "x > 0"),
            ("default", "x int DEFAULT 4", "x > 0"),
            ("another column", "x int, w int NOT NULL DEFAULT 2", "x > 0"),
            ("check", "x int", "x > 1"),
        )
    ),
    *(
        Case(
            name=f"check of {parent} and of its child goes",
            old=BOTH.format(p=parent, x="x int", k="x > 0"),
            new=BOTH.format(p=parent, x="x int", k="true").replace(
                ", CONSTRAINT k CHECK (true)", ""
            ),
        )
        for parent in ("b", "z")
    ),
    Case(
        name="a parent gets a column that its child has with another type",
        old="CREATE TABLE b (a int); CREATE TABLE c (x int, y int) INHERITS (b);",
        new="CREATE TABLE b (a int, x bigint); CREATE TABLE c (x bigint, y int) INHERITS (b);",
    ),
    Case(
        name="columns declared by parent, child and child's child",
        old="CREATE TABLE a (x int); CREATE TABLE b (x int) INHERITS (a);"
        "CREATE TABLE c (x int) INHERITS (b);",
        new="CREATE TABLE a (x bigint, y int); CREATE TABLE b (x bigint, y int) INHERITS (a);"
        "CREATE TABLE c (x bigint, y int) INHERITS (b);",
    ),
    Case(
        name="a table joins a parent whose column changes its type",
        old="CREATE TABLE b (x int); CREATE TABLE c (x int);",
        new="CREATE TABLE b (x bigint); CREATE TABLE c (x bigint) INHERITS (b);",
    ),
]
