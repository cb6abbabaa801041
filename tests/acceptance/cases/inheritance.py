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
KEYED = PARENT + "CREATE INDEX mi ON m (id);"
DEEP = (
    ONE.replace(";", " PARTITION BY LIST (id);")
    + "CREATE TABLE m11 PARTITION OF m1 FOR VALUES IN (1, 2);"
)
OTHER = "ALTER INDEX m1_id_idx RENAME TO other;"
FK = (
    "CREATE TABLE r (id int PRIMARY KEY);"
    + PARENT
    + ONE
    + "ALTER TABLE m ADD CONSTRAINT mf FOREIGN KEY (id) REFERENCES r;"
)
F = "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';"
G = "CREATE FUNCTION f(a int) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT $1::bigint';"
CALLING = KEYED.replace("(id)", "(f(id))") + ONE + "ALTER INDEX m1_f_idx RENAME TO other;"
DEFAULTS = (
    "CREATE TABLE {p} (x bigint DEFAULT f(1)); CREATE TABLE c () INHERITS ({p});"
    "CREATE TABLE d () INHERITS ({p}); ALTER TABLE c ALTER x SET DEFAULT f(2);"
)

CHILD = "CREATE TABLE p (a int); CREATE TABLE c () INHERITS (p);"
NOT_NULL = f"{CHILD} ALTER TABLE p ADD CONSTRAINT n NOT NULL a"
NOT_NULLS = {
    "nullable": CHILD,
    "not null": f"{NOT_NULL};",
    "not null not valid": f"{NOT_NULL} NOT VALID;",
    "not null no inherit": f"{NOT_NULL} NO INHERIT;",
}

FEW_PARTS = (
    "CREATE TABLE m (id int, k text) PARTITION BY LIST (k);"
    " CREATE TABLE m1 PARTITION OF m FOR VALUES IN ('a');"
)
KEYED_PARENT = "CREATE TABLE m (id int NOT NULL) PARTITION BY LIST (id);"
KEY_PARTS = f"{KEYED_PARENT} CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1);"
TWO_LEVELS = (
    "CREATE TABLE m (id int, k text) PARTITION BY LIST (k);"
    " CREATE TABLE m1 PARTITION OF m FOR VALUES IN ('a') PARTITION BY LIST (id);"
    " CREATE TABLE m11 PARTITION OF m1 FOR VALUES IN (1);"
)
KEYED_PART = f"{KEY_PARTS} ALTER TABLE m1 ADD CONSTRAINT k1 PRIMARY KEY (id);"
USED_KEY = (
    f"{KEYED_PART} CREATE TABLE r (x int REFERENCES m1);"
    " CREATE VIEW w AS SELECT m1 FROM m1 GROUP BY id;"
)
KEYED_BELOW = (
    "CREATE TABLE m (id int NOT NULL, v int NOT NULL) PARTITION BY LIST (id);"
    " CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1) PARTITION BY LIST (v);"
    " CREATE TABLE m11 PARTITION OF m1 FOR VALUES IN (2);"
    " CREATE TABLE m12 PARTITION OF m1 DEFAULT;"
    " ALTER TABLE m11 ADD CONSTRAINT k1 UNIQUE (id, v);"
    " ALTER TABLE m12 ADD CONSTRAINT k2 PRIMARY KEY (id, v);"
)
INDEXES_APART = (
    "CREATE INDEX i ON ONLY m (id); CREATE INDEX i1 ON ONLY m1 (id); CREATE INDEX i11 ON m11 (id);"
)
ALONE_ON_PARENT = "CREATE INDEX i ON ONLY m (id);"

CASES = [
    *(
        Case(
            name=f"{new} after {old} with a child",
            old=NOT_NULLS[old],
            new=NOT_NULLS[new],
            since=180000,
            whole="valid" not in new,
        )
        for old in NOT_NULLS
        for new in NOT_NULLS
        if old != new
    ),
    Case(
        name="not null of partitions validated",
        old=PARENT + ONE + "ALTER TABLE m ADD CONSTRAINT n NOT NULL v NOT VALID;",
        new=PARENT + ONE + "ALTER TABLE m ADD CONSTRAINT n NOT NULL v;",
        since=180000,
    ),
    Case(name="partitioned table", old="", new=PARENT + ONE + TWO),
    Case(name="add a partition", old=PARENT + ONE, new=PARENT + ONE + TWO),
    Case(
        name="default partition",
        old=PARENT,
        new=PARENT + "CREATE TABLE m0 PARTITION OF m DEFAULT;",
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
        lacks=("DROP",),
    ),
    Case(
        name="attach a table whose indexes have names of their own",
        old=PARENT + "CREATE INDEX mi ON m (id);" + ALONE,
        new=PARENT.replace("'x')", "'x', UNIQUE (id, at))")
        + "CREATE INDEX mi ON m (id); CREATE INDEX mv ON m (v);"
        + TWO
        + "ALTER INDEX m2_id_idx RENAME TO own; ALTER INDEX m2_v_idx RENAME TO other;"
        "ALTER INDEX m2_id_at_key RENAME TO third;",
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
    ),
    Case(
        name="foreign key and check of the parent",
        old=PARENT + ONE + "CREATE TABLE p (id int PRIMARY KEY);",
        new=PARENT.replace("'x')", "'x', CHECK (id > 0))")
        + ONE
        + "CREATE TABLE p (id int PRIMARY KEY); ALTER TABLE m ADD FOREIGN KEY (id) REFERENCES p;",
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
    ),
    Case(
        name="foreign key to a partitioned table",
        old="CREATE TABLE m (id int PRIMARY KEY) PARTITION BY RANGE (id);"
        "CREATE TABLE m1 PARTITION OF m FOR VALUES FROM (0) TO (9); CREATE TABLE t (m int);",
        new="CREATE TABLE m (id int PRIMARY KEY) PARTITION BY RANGE (id);"
        "CREATE TABLE m1 PARTITION OF m FOR VALUES FROM (0) TO (9);"
        "CREATE TABLE t (m int REFERENCES m);",
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
    # What a partition has from its parent has a name, a comment and parameters of its own.
    Case(
        name="name of a partition's index",
        old=KEYED + ONE,
        new=KEYED + ONE + OTHER,
        lacks=("DROP", "CREATE"),
    ),
    Case(
        name="name of a partition's index on an expression",
        old=PARENT + ONE + "CREATE INDEX mi ON m (lower(v));",
        new=PARENT
        + ONE
        + "CREATE INDEX mi ON m (lower(v)); ALTER INDEX m1_lower_idx RENAME TO other;",
    ),
    Case(
        name="name of a partition's key",
        old=PARENT + ONE + "ALTER TABLE m ADD PRIMARY KEY (id, at);",
        new=PARENT
        + ONE
        + "ALTER TABLE m ADD PRIMARY KEY (id, at); ALTER TABLE m1 RENAME CONSTRAINT m1_pkey TO k;",
    ),
    Case(
        name="name and comment of a partition's foreign key",
        old=FK,
        new=FK + "ALTER TABLE m1 RENAME CONSTRAINT mf TO k; COMMENT ON CONSTRAINT k ON m1 IS 'x';",
    ),
    Case(
        name="names of the indexes of two partitions change places",
        old=KEYED + ONE + TWO,
        new=KEYED + ONE + TWO + "ALTER INDEX m1_id_idx RENAME TO x;"
        "ALTER INDEX m2_id_idx RENAME TO m1_id_idx; ALTER INDEX x RENAME TO m2_id_idx;",
    ),
    Case(
        name="comment and parameters of a partition's index, and its rows in its order",
        old=KEYED + ONE,
        new=KEYED + ONE + "COMMENT ON INDEX m1_id_idx IS 'x';"
        "ALTER INDEX m1_id_idx SET (fillfactor = 60); ALTER TABLE m1 CLUSTER ON m1_id_idx;",
    ),
    Case(
        name="a new index with another name on the partition",
        old=PARENT + ONE,
        new=KEYED + ONE + OTHER,
    ),
    Case(
        name="an index that changes, and keeps its name on the partition",
        old=KEYED + ONE + OTHER,
        new=KEYED.replace("(id)", "(id DESC)") + ONE + OTHER,
    ),
    Case(
        name="new keys with another name and a comment on the partition",
        old=PARENT + ONE,
        new=PARENT
        + ONE
        + "ALTER TABLE m ADD PRIMARY KEY (id, at), ADD UNIQUE (at, id);"
        + "ALTER TABLE m1 RENAME CONSTRAINT m1_pkey TO k; COMMENT ON INDEX m1_at_id_key IS 'x';",
    ),
    Case(
        name="a new foreign key with another name on the partition",
        old="CREATE TABLE r (id int PRIMARY KEY);" + PARENT + ONE,
        new=FK + "ALTER TABLE m1 RENAME CONSTRAINT mf TO k;",
    ),
    Case(
        name="a new partition whose index has a name of its own",
        old=KEYED,
        new=KEYED + ONE + OTHER + "ALTER TABLE m1 ALTER v SET DEFAULT 'z';",
        contains=("ATTACH PARTITION",),
    ),
    Case(
        name="a new partition with an identity whose index has a name of its own",
        old=KEYED.replace("id int NOT NULL", "id int GENERATED ALWAYS AS IDENTITY"),
        new=KEYED.replace("id int NOT NULL", "id int GENERATED ALWAYS AS IDENTITY") + ONE + OTHER,
        since=170000,
    ),
    Case(
        name="names of indexes two levels down",
        old=KEYED + DEEP,
        new=KEYED + DEEP + "ALTER INDEX m1_id_idx RENAME TO a; ALTER INDEX m11_id_idx RENAME TO b;",
    ),
    Case(
        name="new partitions two levels down with names of their own",
        old="",
        new=KEYED + DEEP + "ALTER INDEX m1_id_idx RENAME TO a; ALTER INDEX m11_id_idx RENAME TO b;",
    ),
    # A function is made anew that parent and child call.
    Case(
        name="index with its own name on a partition whose function changes",
        old=F + CALLING,
        new=G + CALLING,
    ),
    Case(
        name="default of a partition whose function changes",
        old=F + PARENT + ONE + "ALTER TABLE m1 ALTER id SET DEFAULT f(1);",
        new=G + PARENT + ONE + "ALTER TABLE m1 ALTER id SET DEFAULT f(1);",
    ),
    *(
        Case(
            name=f"defaults of {parent} and its children whose function changes",
            old=F + DEFAULTS.format(p=parent),
            new=G + DEFAULTS.format(p=parent),
        )
        for parent in ("b", "z")
    ),
    # Who joins a parent has its columns and checks; who leaves keeps them: they go on their own.
    Case(
        name="partition joins a parent that gets a column and a check",
        old="CREATE TABLE m (id int NOT NULL) PARTITION BY LIST (id); CREATE TABLE m1 (id int);",
        new="CREATE TABLE m (id int NOT NULL CHECK (id > 0), v text DEFAULT 'x', CHECK (id < 9))"
        " PARTITION BY LIST (id); CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1);",
    ),
    Case(
        name="partition with keys joins a parent that loses them and gets a column",
        old=KEYED + "CREATE TABLE m1 (id int, at date, PRIMARY KEY (id, at));"
        " CREATE INDEX m1_id_idx ON m1 (id);",
        new=PARENT.replace(") PARTITION", ", w text) PARTITION") + ONE,
    ),
    Case(
        name="identity and key of a table go when it gets a child",
        old="CREATE TABLE t (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY);",
        new="CREATE TABLE t (y int CHECK (y > 0)); CREATE TABLE c () INHERITS (t);",
    ),
    Case(
        name="index of a partition whose name stays when another function is indexed",
        old=PARENT + "CREATE INDEX mi ON m (id);" + ONE + "ALTER INDEX m1_id_idx RENAME TO other;",
        new=F
        + PARENT
        + "CREATE INDEX mi ON m (f(id));"
        + ONE
        + "ALTER INDEX m1_f_idx RENAME TO other;",
    ),
    *(
        Case(
            name=f"a column of the parent goes, of which a partition has its own {name}",
            old=f"{FEW_PARTS} {own}",
            new="CREATE TABLE m (k text) PARTITION BY LIST (k);"
            " CREATE TABLE m1 PARTITION OF m FOR VALUES IN ('a');",
        )
        for name, own in {
            "index": "CREATE INDEX i ON m1 (id);",
            "check": "ALTER TABLE m1 ADD CONSTRAINT i CHECK (id > 0);",
            "unique key": "ALTER TABLE m1 ADD CONSTRAINT i UNIQUE (id);",
            "primary key": "ALTER TABLE m1 ADD CONSTRAINT i PRIMARY KEY (id);",
            "index of an expression": "CREATE INDEX i ON m1 ((id + 1)) WHERE id > 3;",
        }.items()
    ),
    Case(
        name="a column of the parent goes, of which a child has its own index",
        old="CREATE TABLE b (id int, k text); CREATE TABLE c (x int) INHERITS (b);"
        " CREATE INDEX i ON c (id); ALTER TABLE c ADD CONSTRAINT u UNIQUE (id, x);",
        new="CREATE TABLE b (k text); CREATE TABLE c (x int) INHERITS (b);",
    ),
    *(
        Case(name=f"{name} of a partition", old=old, new=new, whole=whole, lacks=lacks)
        for name, old, new, whole, lacks in (
            (
                "attach the index",
                f"{FEW_PARTS} {ALONE_ON_PARENT} CREATE INDEX i1 ON m1 (id);",
                f"{FEW_PARTS} {ALONE_ON_PARENT} CREATE INDEX i1 ON m1 (id);"
                " ALTER INDEX i ATTACH PARTITION i1;",
                True,
                ("DROP", "CREATE", "RENAME"),
            ),
            (
                "attach and rename the index",
                f"{FEW_PARTS} {ALONE_ON_PARENT} CREATE INDEX i1 ON m1 (id);",
                f"{FEW_PARTS} {ALONE_ON_PARENT} CREATE INDEX i2 ON m1 (id);"
                " ALTER INDEX i ATTACH PARTITION i2;",
                False,
                ("DROP", "CREATE"),
            ),
            (
                "create and attach the index",
                f"{FEW_PARTS} {ALONE_ON_PARENT}",
                f"{FEW_PARTS} {ALONE_ON_PARENT} CREATE INDEX m1_id_idx ON m1 (id);"
                " ALTER INDEX i ATTACH PARTITION m1_id_idx;",
                False,
                ("DROP",),
            ),
            (
                "an index takes that",
                f"{FEW_PARTS} CREATE INDEX i1 ON m1 (id);",
                f"{FEW_PARTS} CREATE INDEX i1 ON m1 (id); CREATE INDEX i ON m (id);",
                False,
                ("DROP",),
            ),
            (
                "create and attach the key",
                f"{KEY_PARTS} ALTER TABLE ONLY m ADD CONSTRAINT k PRIMARY KEY (id);",
                f"{KEY_PARTS} ALTER TABLE ONLY m ADD CONSTRAINT k PRIMARY KEY (id);"
                " ALTER TABLE m1 ADD PRIMARY KEY (id); ALTER INDEX k ATTACH PARTITION m1_pkey;",
                True,
                ("DROP",),
            ),
            (
                "attach the unique key",
                f"{KEY_PARTS} ALTER TABLE ONLY m ADD CONSTRAINT k UNIQUE (id);"
                " ALTER TABLE m1 ADD CONSTRAINT k1 UNIQUE (id);",
                f"{KEY_PARTS} ALTER TABLE ONLY m ADD CONSTRAINT k UNIQUE (id);"
                " ALTER TABLE m1 ADD CONSTRAINT k1 UNIQUE (id); ALTER INDEX k ATTACH PARTITION k1;",
                False,
                ("DROP", "ADD"),
            ),
            (
                "a key of the table alone, not",
                KEY_PARTS,
                f"{KEY_PARTS} ALTER TABLE ONLY m ADD CONSTRAINT k PRIMARY KEY (id);",
                True,
                (),
            ),
            (
                "attach the indexes two levels below, none",
                f"{TWO_LEVELS} {INDEXES_APART}",
                f"{TWO_LEVELS} {INDEXES_APART}"
                " ALTER INDEX i ATTACH PARTITION i1; ALTER INDEX i1 ATTACH PARTITION i11;",
                True,
                ("DROP", "CREATE"),
            ),
        )
    ),
    Case(
        name="a partition's own key under a key of the parent alone",
        old="CREATE TABLE m (id int NOT NULL) PARTITION BY LIST (id);"
        " CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1);",
        new="CREATE TABLE m (id int NOT NULL) PARTITION BY LIST (id);"
        " CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1);"
        " ALTER TABLE ONLY m ADD CONSTRAINT k PRIMARY KEY (id);"
        " ALTER TABLE m1 ADD CONSTRAINT k1 PRIMARY KEY (id); ALTER INDEX k ATTACH PARTITION k1;",
    ),
    *(
        Case(
            name=f"a unique index over a partition's own key{name}",
            old=old,
            new=new,
        )
        for name, old, new in (
            ("", KEYED_PART, f"{KEYED_PART} CREATE UNIQUE INDEX u ON m (id DESC);"),
            (" in use", USED_KEY, f"{USED_KEY} CREATE UNIQUE INDEX u ON m (id);"),
            (
                " two levels below",
                KEYED_BELOW,
                f"{KEYED_BELOW} CREATE UNIQUE INDEX u ON m (id, v);",
            ),
            (
                ", both new",
                KEY_PARTS,
                f"{KEYED_PART} CREATE UNIQUE INDEX u ON m (id);",
            ),
            (
                " and a check",
                f"{KEYED_PART} CREATE UNIQUE INDEX u ON m (id);",
                f"{KEYED_PART} ALTER TABLE m ADD CONSTRAINT c CHECK (id > 0);",
            ),
            (
                " in a new partition",
                f"{KEYED_PARENT} CREATE UNIQUE INDEX u ON m (id);",
                f"{KEYED_PARENT} CREATE UNIQUE INDEX u ON m (id);"
                " CREATE TABLE m1 (id int NOT NULL, CONSTRAINT k1 PRIMARY KEY (id));"
                " ALTER TABLE m ATTACH PARTITION m1 FOR VALUES IN (1);",
            ),
            (
                " instead of an index",
                f"{KEY_PARTS} CREATE UNIQUE INDEX u ON m (id);",
                f"{KEYED_PART} CREATE UNIQUE INDEX u ON m (id);",
            ),
            (
                " of another kind",
                f"{KEYED_PART.replace('PRIMARY KEY', 'UNIQUE')} CREATE UNIQUE INDEX u ON m (id);",
                f"{KEYED_PART} CREATE UNIQUE INDEX u ON m (id);",
            ),
        )
    ),
    *(
        Case(
            name=f"a NOT VALID check of {what} goes, which its younger one has as a valid one",
            old=f"{table} ALTER TABLE m ADD CONSTRAINT c CHECK (id > 0) NOT VALID; {child}",
            new=f"{table} {child}",
            whole=False,
        )
        for what, table, child in (
            (
                "a partitioned table",
                "CREATE TABLE m (id int) PARTITION BY LIST (id);",
                "CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1);",
            ),
            ("a parent", "CREATE TABLE m (id int);", "CREATE TABLE m1 () INHERITS (m);"),
        )
    ),
    Case(
        name="a NOT VALID check that is older than a partition",
        old="CREATE TABLE m (id int) PARTITION BY LIST (id);",
        new="CREATE TABLE m (id int) PARTITION BY LIST (id);"
        " ALTER TABLE m ADD CONSTRAINT c CHECK (id > 0) NOT VALID;"
        " CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1);",
    ),
]
