"""Constraints."""

from tests.acceptance.cases import Case

P = "CREATE TABLE p (a int, b int, PRIMARY KEY (a, b), UNIQUE (b));"


def t(inside: str, more: str = "") -> str:
    return (
        P + f"CREATE TABLE t (id int NOT NULL, a int, b int, c text, r int4range, {inside});" + more
    )


TWO = "CREATE TABLE a (i int); CREATE TABLE b (i int); CREATE TABLE c (i int);"

CASES = [
    Case(name="primary key columns", old=t("PRIMARY KEY (id)"), new=t("PRIMARY KEY (id, a)")),
    Case(
        name="add a primary key", old=t("CHECK (id > 0)"), new=t("CHECK (id > 0), PRIMARY KEY (id)")
    ),
    Case(
        name="primary key that others refer to",
        old="CREATE TABLE x (id int PRIMARY KEY, k int UNIQUE); "
        "CREATE TABLE y (x int REFERENCES x);",
        new="CREATE TABLE x (id int PRIMARY KEY, k int UNIQUE, CONSTRAINT z UNIQUE (id));"
        "CREATE TABLE y (x int REFERENCES x);",
    ),
    Case(
        name="primary key rebuilt under a foreign key",
        old="CREATE TABLE x (id int PRIMARY KEY, k int); CREATE TABLE y (x int REFERENCES x);",
        new="CREATE TABLE x (id int, k int, PRIMARY KEY (id) INCLUDE (k));"
        "CREATE TABLE y (x int REFERENCES x);",
    ),
    Case(
        name="unique named",
        old=t("CHECK (a > 0)"),
        new=t("CHECK (a > 0), CONSTRAINT u UNIQUE (a, b)"),
    ),
    Case(
        name="unique with the columns of another key",
        old="CREATE TABLE x (id int);",
        new="CREATE TABLE x (id int PRIMARY KEY, k int UNIQUE); ALTER TABLE x "
        "ADD CONSTRAINT u UNIQUE (id), ADD CONSTRAINT v UNIQUE (k); "
        "CREATE TABLE y (id int PRIMARY KEY); ALTER TABLE y ADD CONSTRAINT w UNIQUE (id); "
        "COMMENT ON CONSTRAINT w ON y IS 'twice';",
    ),
    Case(name="unique unnamed", old=t("UNIQUE (a)"), new=t("UNIQUE (b)")),
    Case(
        name="unique renamed",
        old=t("CONSTRAINT u UNIQUE (a)"),
        new=t("CONSTRAINT v UNIQUE (a)"),
        contains=("RENAME CONSTRAINT",),
        lacks=("DROP",),
    ),
    Case(
        name="unique nulls not distinct",
        old=t("UNIQUE (a)"),
        new=t("UNIQUE NULLS NOT DISTINCT (a)"),
        since=150000,
    ),
    Case(
        name="unique deferrable",
        old=t("UNIQUE (a), UNIQUE (b)"),
        new=t("UNIQUE (a) DEFERRABLE, UNIQUE (b) DEFERRABLE INITIALLY DEFERRED"),
    ),
    Case(
        name="unique with include and parameters",
        old=t("UNIQUE (a)"),
        new=t("UNIQUE (a) INCLUDE (b) WITH (fillfactor=70)"),
    ),
    Case(
        name="unique parameters in place",
        old=t("UNIQUE (a) WITH (fillfactor=70)"),
        new=t("UNIQUE (a)"),
        lacks=("DROP",),
    ),
    Case(
        name="unique without overlaps",
        old="CREATE EXTENSION btree_gist;" + t("UNIQUE (id)"),
        new="CREATE EXTENSION btree_gist;" + t("UNIQUE (id, r WITHOUT OVERLAPS)"),
        since=180000,
    ),
    Case(
        name="add a foreign key",
        old=t("UNIQUE (a)"),
        new=t("UNIQUE (a), FOREIGN KEY (a, b) REFERENCES p"),
    ),
    Case(
        name="foreign key actions",
        old=t("FOREIGN KEY (b) REFERENCES p (b)"),
        new=t("FOREIGN KEY (b) REFERENCES p (b) ON DELETE CASCADE ON UPDATE SET NULL"),
    ),
    Case(
        name="foreign key set null on some columns",
        old=t("FOREIGN KEY (a, b) REFERENCES p"),
        new=t("FOREIGN KEY (a, b) REFERENCES p ON DELETE SET NULL (b)"),
        since=150000,
    ),
    Case(
        name="foreign key match full",
        old=t("FOREIGN KEY (a, b) REFERENCES p"),
        new=t("FOREIGN KEY (a, b) REFERENCES p MATCH FULL"),
    ),
    Case(
        name="foreign key deferrable",
        old=t("FOREIGN KEY (b) REFERENCES p (b)"),
        new=t("FOREIGN KEY (b) REFERENCES p (b) DEFERRABLE INITIALLY DEFERRED"),
        contains=("ALTER CONSTRAINT",),
    ),
    Case(
        name="foreign key deferrable immediate",
        old=t("FOREIGN KEY (b) REFERENCES p (b) DEFERRABLE INITIALLY DEFERRED"),
        new=t("FOREIGN KEY (b) REFERENCES p (b) DEFERRABLE"),
    ),
    Case(
        name="foreign key not valid",
        old=t("UNIQUE (a)"),
        new=t("UNIQUE (a)", "ALTER TABLE t ADD FOREIGN KEY (b) REFERENCES p (b) NOT VALID;"),
    ),
    Case(
        name="foreign key validated",
        old=t("UNIQUE (a)", "ALTER TABLE t ADD FOREIGN KEY (b) REFERENCES p (b) NOT VALID;"),
        new=t("UNIQUE (a)", "ALTER TABLE t ADD FOREIGN KEY (b) REFERENCES p (b);"),
        contains=("VALIDATE",),
    ),
    Case(
        name="foreign key not enforced",
        old=t("UNIQUE (a)"),
        new=t(
            "UNIQUE (a), FOREIGN KEY (b) REFERENCES p (b) NOT ENFORCED, CHECK (a > 0) NOT ENFORCED"
        ),
        since=180000,
    ),
    Case(name="add a check", old=t("UNIQUE (a)"), new=t("UNIQUE (a), CHECK (a > 0)")),
    Case(
        name="check expression",
        old=t("CONSTRAINT k CHECK (a > 0)"),
        new=t("CONSTRAINT k CHECK (a > 1 AND b > 1)"),
    ),
    Case(
        name="check with values",
        old=t("CONSTRAINT k CHECK (c IN ('a', 'b'))"),
        new=t("CONSTRAINT k CHECK (c IN ('a', 'b', 'c'))"),
    ),
    Case(
        name="check with values on varchar",
        old="CREATE TABLE v (s varchar(9) CHECK (s IN ('a', 'b')));",
        new="CREATE TABLE v (s varchar(9) CHECK (s IN ('a', 'b', 'c')));",
    ),
    Case(
        name="check no inherit, not valid",
        old=t("CHECK (b > 0)"),
        new=t("CHECK (b > 0) NO INHERIT", "ALTER TABLE t ADD CHECK (a > 0) NOT VALID;"),
    ),
    Case(
        name="exclusion",
        old=t("UNIQUE (a)"),
        new=t("UNIQUE (a), EXCLUDE USING gist (r WITH &&) WHERE (a > 0) DEFERRABLE"),
    ),
    Case(
        name="comments",
        old=t(
            "CONSTRAINT k CHECK (a > 0), CONSTRAINT f FOREIGN KEY (b) REFERENCES p (b), "
            "CONSTRAINT u UNIQUE (a)"
        ),
        new=t(
            "CONSTRAINT k CHECK (a > 0), CONSTRAINT f FOREIGN KEY (b) REFERENCES p (b), "
            "CONSTRAINT u UNIQUE (a)"
        )
        + "COMMENT ON CONSTRAINT k ON t IS 'k'; COMMENT ON CONSTRAINT f ON t IS 'f';"
        "COMMENT ON CONSTRAINT u ON t IS 'u';",
    ),
    Case(
        name="clustered",
        old=t("PRIMARY KEY (id)"),
        new=t("PRIMARY KEY (id)", "ALTER TABLE t CLUSTER ON t_pkey;"),
    ),
    Case(
        name="a name moves from an index to a constraint",
        old=t("UNIQUE (a)", "CREATE INDEX x ON t (b);"),
        new=t("UNIQUE (a), CONSTRAINT x UNIQUE (b)"),
    ),
    Case(
        name="comments on the indexes of constraints",
        old=t("PRIMARY KEY (id), CONSTRAINT u UNIQUE (a)"),
        new=t(
            "PRIMARY KEY (id), CONSTRAINT u UNIQUE (a), CONSTRAINT e EXCLUDE USING gist (r WITH &&)"
        )
        + "COMMENT ON INDEX t_pkey IS 'p'; COMMENT ON INDEX u IS 'u'; COMMENT ON INDEX e IS 'e';"
        "COMMENT ON CONSTRAINT u ON t IS 'another';",
    ),
    Case(
        name="constraints of two tables swap their names",
        old=TWO + "ALTER TABLE a ADD CONSTRAINT x UNIQUE (i); ALTER TABLE b ADD CONSTRAINT y"
        " UNIQUE (i); CREATE TABLE x__old ();",
        new=TWO + "ALTER TABLE a ADD CONSTRAINT y UNIQUE (i); ALTER TABLE b ADD CONSTRAINT x"
        " UNIQUE (i); CREATE TABLE x__old ();",
        contains=("x__old2",),
        lacks=("DROP",),
    ),
    Case(
        name="checks of two tables swap their names",
        old=TWO + "ALTER TABLE a ADD CONSTRAINT x CHECK (i > 0); ALTER TABLE b ADD CONSTRAINT y"
        " CHECK (i > 0);",
        new=TWO + "ALTER TABLE a ADD CONSTRAINT y CHECK (i > 0); ALTER TABLE b ADD CONSTRAINT x"
        " CHECK (i > 0);",
    ),
    Case(
        name="names go round through an index and constraints",
        old=TWO + "CREATE INDEX x ON a (i); ALTER TABLE b ADD CONSTRAINT y UNIQUE (i);"
        "ALTER TABLE c ADD CONSTRAINT z UNIQUE (i);",
        new=TWO + "CREATE INDEX y ON a (i); ALTER TABLE b ADD CONSTRAINT z UNIQUE (i);"
        "ALTER TABLE c ADD CONSTRAINT x UNIQUE (i);",
        lacks=("DROP",),
    ),
]
