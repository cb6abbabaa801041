"""Columns."""

from tests.acceptance.cases import Case

T = "CREATE TABLE t (id int PRIMARY KEY, {});"


def t(columns: str, more: str = "") -> str:
    return T.format(columns) + more


NOT_NULL = t("a int") + "INSERT INTO t VALUES (1, 2); ALTER TABLE t ADD CONSTRAINT n NOT NULL a"
NOT_NULLS = {
    "nullable": t("a int"),
    "not null": t("a int CONSTRAINT n NOT NULL"),
    "not null not valid": f"{NOT_NULL} NOT VALID;",
    "not null no inherit": f"{NOT_NULL} NO INHERIT;",
    "not null not valid no inherit": f"{NOT_NULL} NO INHERIT NOT VALID;",
}

CASES = [
    Case(name="add", old=t("a int"), new=t("a int, b text NOT NULL DEFAULT 'x'")),
    Case(name="add in the middle", old=t("z int"), new=t("a int, z int")),
    Case(name="add a serial", old=t("a int"), new=t("a int, b serial"), contains=("b serial",)),
    Case(
        name="add a required column with a fill",
        old=t("a int") + "INSERT INTO t VALUES (1, 2);",
        new=t("a int, b text NOT NULL"),
        fills={"t.b": "'n' || a"},
        contains=("UPDATE t SET b = 'n' || a",),
    ),
    Case(
        name="rename",
        old=t(
            "nick text UNIQUE CHECK (nick <> ''), g text GENERATED ALWAYS AS (upper(nick)) STORED"
        )
        + "CREATE INDEX ix_t_nick ON t (lower(nick)) WHERE nick IS NOT NULL;",
        new=t(
            "name text UNIQUE CHECK (name <> ''), g text GENERATED ALWAYS AS (upper(name)) STORED"
        )
        + "CREATE INDEX ix_t_name ON t (lower(name)) WHERE name IS NOT NULL;",
        renames=("column t.nick:name",),
        lacks=("DROP", "ADD", "CREATE"),
    ),
    Case(
        name="rename what a foreign key refers to",
        old="CREATE TABLE p (id int PRIMARY KEY);" + t("p_id int REFERENCES p (id)"),
        new="CREATE TABLE p (key int PRIMARY KEY);" + t("p_id int REFERENCES p (key)"),
        renames=("column p.id:key",),
        lacks=("DROP", "ADD"),
    ),
    Case(name="int to bigint", old=t("a int"), new=t("a bigint")),
    Case(name="varchar longer", old=t("a varchar(10)"), new=t("a varchar(20)")),
    Case(name="varchar to text", old=t("a varchar(10)"), new=t("a text")),
    Case(name="numeric", old=t("a numeric(10,2)"), new=t("a numeric(12,4)")),
    Case(name="timestamp with time zone", old=t("a timestamp"), new=t("a timestamptz(3)")),
    Case(name="array", old=t("a int[]"), new=t("a bigint[]")),
    Case(name="json to jsonb", old=t("a json DEFAULT '{}'"), new=t("a jsonb DEFAULT '{}'")),
    Case(name="text to int", old=t("a text"), new=t("a int"), contains=("USING a::integer",)),
    Case(name="int to boolean", old=t("a int"), new=t("a boolean")),
    Case(
        name="text to enum",
        old=t("a text DEFAULT 'x'"),
        new="CREATE TYPE e AS ENUM ('x', 'y');" + t("a e DEFAULT 'x'"),
    ),
    Case(
        name="int to uuid, as the person says",
        old=t("a int"),
        new=t("a uuid"),
        using={"t.a": "NULL"},
        contains=("USING NULL",),
    ),
    Case(
        name="type with a default",
        old=t("a varchar(10) NOT NULL DEFAULT 'x'"),
        new=t("a text NOT NULL DEFAULT 'y'"),
    ),
    Case(
        name="type of an identity",
        old=t("a int GENERATED ALWAYS AS IDENTITY"),
        new=t("a bigint GENERATED ALWAYS AS IDENTITY"),
    ),
    *(
        Case(
            name=f"type of an identity with {what}",
            old=t(f"a {old} GENERATED ALWAYS AS IDENTITY {before}") + "INSERT INTO t VALUES (1);",
            new=t(f"a {new} GENERATED ALWAYS AS IDENTITY {after}"),
        )
        for what, old, before, new, after in (
            ("a higher limit", "int", "", "bigint", "(MAXVALUE 5000000000)"),
            ("other limits", "smallint", "(MAXVALUE 9)", "int", "(MINVALUE -40000 MAXVALUE 40000)"),
            ("the limit it had", "int", "", "bigint", "(MAXVALUE 2147483647)"),
            ("the limits of its type", "int", "(MAXVALUE 9)", "bigint", ""),
            (
                "downward limits",
                *("int", "(INCREMENT -1 MINVALUE -9 MAXVALUE 5)"),
                *("bigint", "(INCREMENT -1 MINVALUE -5000000000 MAXVALUE 5 START 1)"),
            ),
            (
                "a downward count",
                *("smallint", "(INCREMENT -1 MAXVALUE 5)"),
                *("bigint", "(INCREMENT -1 MAXVALUE 5)"),
            ),
            ("a later start", "int", "", "bigint", "(START 3000000000 MAXVALUE 5000000000)"),
        )
    ),
    *(
        Case(
            name=f"type of a sequence, {old or 'bigint'} to {new or 'bigint'}",
            old=f"CREATE SEQUENCE s {old};",
            new=f"CREATE SEQUENCE s {new};",
        )
        for old, new in (
            ("AS int", "MAXVALUE 2147483647"),
            ("AS smallint MAXVALUE 9", "AS int MINVALUE -40000 MAXVALUE 40000"),
            ("AS int", "AS bigint MAXVALUE 5000000000"),
            ("AS int INCREMENT -1", "INCREMENT -1"),
            ("AS int INCREMENT -1", "INCREMENT -1 MINVALUE -2147483648"),
            ("AS smallint", "START 3000000000"),
            ("MINVALUE -5 START 1", "AS int INCREMENT -2 MINVALUE -5 MAXVALUE 5 START 1"),
        )
    ),
    Case(
        name="type of a serial with a higher limit",
        old=t("a serial") + "INSERT INTO t VALUES (1);",
        new=t("a bigserial") + "ALTER SEQUENCE t_a_seq AS bigint MAXVALUE 5000000000;",
    ),
    Case(
        name="type of a serial",
        old=t("a serial"),
        new=t("a bigserial"),
        lacks=("DEFAULT",),
    ),
    Case(
        name="types of several columns at once",
        old=t("a int, b int NOT NULL, c text DEFAULT 'x'"),
        new=t("a bigint, b bigint NOT NULL, c varchar(5) DEFAULT 'x'"),
        contains=("ALTER COLUMN a TYPE bigint,\n    ALTER COLUMN b TYPE bigint",),
    ),
    Case(
        name="types of two columns, one after a person's words",
        old=t("a int, b int"),
        new=t("a text, b text"),
        using={"t.b": "a"},
        contains=("TYPE text;\n",),
    ),
    Case(
        name="type under an index, a check, a unique and statistics",
        old=t("a int UNIQUE CHECK (a > 0), b int", "CREATE INDEX i ON t ((a + 1));")
        + "CREATE STATISTICS s ON a, b FROM t;",
        new=t("a bigint UNIQUE CHECK (a > 0), b int", "CREATE INDEX i ON t ((a + 1));")
        + "CREATE STATISTICS s ON a, b FROM t;",
    ),
    Case(
        name="type at both ends of a foreign key",
        old="CREATE TABLE p (id int PRIMARY KEY);" + t("p int REFERENCES p"),
        new="CREATE TABLE p (id bigint PRIMARY KEY);" + t("p bigint REFERENCES p"),
    ),
    Case(
        name="incomparable types at both ends of a foreign key",
        old="CREATE TABLE p (id int PRIMARY KEY);" + t("p int REFERENCES p"),
        new="CREATE TABLE p (id text PRIMARY KEY);" + t("p text REFERENCES p"),
    ),
    Case(name="collation", old=t("a text"), new=t('a text COLLATE "C"')),
    Case(name="set not null", old=t("a int"), new=t("a int NOT NULL")),
    Case(
        name="set not null with a fill",
        old=t("a int") + "INSERT INTO t VALUES (1, NULL);",
        new=t("a int NOT NULL"),
        fills={"t.a": "0"},
    ),
    *(
        Case(name=f"{new} after {old}", old=NOT_NULLS[old], new=NOT_NULLS[new], since=180000)
        for old in NOT_NULLS
        for new in NOT_NULLS
        if old != new
    ),
    Case(name="default", old=t("a int DEFAULT 1"), new=t("a int DEFAULT 2")),
    Case(
        name="add a default",
        old=t("a int"),
        new=t("a timestamptz DEFAULT now()"),
        using={"t.a": "NULL"},
    ),
    Case(name="default on json", old=t("a json"), new=t("""a json DEFAULT '{"a": [1]}'""")),
    Case(
        name="add a default from a function",
        old=t("a int"),
        new="CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';" + t("a int DEFAULT f()"),
    ),
    Case(
        name="serial to identity",
        old="CREATE TABLE t (id serial PRIMARY KEY); INSERT INTO t DEFAULT VALUES;",
        new="CREATE TABLE t (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY);",
        contains=("setval",),
    ),
    Case(
        name="plain to serial",
        old="CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (7);",
        new="CREATE TABLE t (id serial PRIMARY KEY);",
    ),
    Case(
        name="add an identity", old=t("a int NOT NULL"), new=t("a int GENERATED ALWAYS AS IDENTITY")
    ),
    Case(
        name="identity options",
        old=t("a int GENERATED ALWAYS AS IDENTITY (START 10)"),
        new=t("a int GENERATED BY DEFAULT AS IDENTITY (START 20 INCREMENT 5 CACHE 3 CYCLE)"),
    ),
    Case(
        name="identity with a sequence of another name",
        old=t("a int NOT NULL"),
        new=t("a int GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME own_seq MINVALUE 5 START 6)"),
    ),
    Case(
        name="add a generated column",
        old=t("a int"),
        new=t("a int, b int GENERATED ALWAYS AS (a * 2) STORED"),
    ),
    Case(
        name="generated expression",
        old=t("a int, b int GENERATED ALWAYS AS (a * 2) STORED", "CREATE INDEX i ON t (b);"),
        new=t("a int, b int GENERATED ALWAYS AS (a * 3) STORED", "CREATE INDEX i ON t (b);"),
    ),
    Case(
        name="generated and plain",
        old=t("a int, b int GENERATED ALWAYS AS (a * 2) STORED"),
        new=t("a int, b int"),
        contains=("DROP EXPRESSION",),
    ),
    Case(
        name="virtual",
        old=t("a int, b int GENERATED ALWAYS AS (a * 2) STORED"),
        new=t("a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL"),
        since=180000,
    ),
    Case(
        name="type under a generated column",
        old=t("a int, b int GENERATED ALWAYS AS (a * 2) STORED"),
        new=t("a bigint, b bigint GENERATED ALWAYS AS (a * 2) STORED"),
    ),
    Case(
        name="statistics, storage, parameters",
        old=t("a text"),
        new=t("a text") + "ALTER TABLE t ALTER a SET STATISTICS 500, ALTER a SET STORAGE EXTERNAL,"
        " ALTER a SET (n_distinct = 5);",
    ),
    Case(
        name="compression",
        old=t("a text"),
        new=t("a text COMPRESSION pglz, b text COMPRESSION pglz"),
    ),
    Case(
        name="replaced altogether",
        old="CREATE TABLE t (a int);",
        new="CREATE TABLE t (b text);",
        contains=("DROP COLUMN a", "ADD COLUMN b"),
    ),
    Case(
        name="drop with its index and constraints",
        old=t("a int UNIQUE, b int CHECK (b > a)", "CREATE INDEX i ON t (b);"),
        new=t("c int"),
    ),
    Case(
        name="a sequence outlives its column that is computed from now on",
        old="CREATE TABLE t (id int, a int); CREATE SEQUENCE s START 7 OWNED BY t.a;",
        new="CREATE TABLE t (id int, a int GENERATED ALWAYS AS (id * 2) STORED);"
        "CREATE SEQUENCE s START 7 OWNED BY t.a;",
        contains=("OWNED BY NONE",),
        lacks=("CREATE SEQUENCE",),
    ),
]
