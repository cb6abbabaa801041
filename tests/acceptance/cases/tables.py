"""Tables as a whole."""

from tests.acceptance.cases import Case

USERS = "CREATE TABLE users (id serial PRIMARY KEY, email varchar(100) NOT NULL UNIQUE);"

CASES = [
    Case(name="add a table", old="", new=USERS, contains=("id serial NOT NULL",)),
    Case(
        name="add a table whose serial has too long a name",
        old="",
        new=f"CREATE TABLE {'t' * 60} (id serial PRIMARY KEY, {'c' * 40} bigserial);",
        contains=("id serial NOT NULL", "bigserial NOT NULL"),
        lacks=("SEQUENCE",),
    ),
    Case(
        name="add tables that need some that refer to each other",
        old="",
        new="""
        CREATE TABLE z (id int PRIMARY KEY, y_id int);
        CREATE TABLE y (id int PRIMARY KEY, z_id int REFERENCES z);
        ALTER TABLE z ADD FOREIGN KEY (y_id) REFERENCES y;
        CREATE TABLE a (id int PRIMARY KEY, z_id int REFERENCES z, y_id int REFERENCES y);
        """,
        lacks=("ALTER TABLE a", "ALTER TABLE z"),
    ),
    Case(
        name="add two tables that refer to each other",
        old="",
        new="""
        CREATE TABLE a (id int PRIMARY KEY, b_id int);
        CREATE TABLE b (id int PRIMARY KEY, a_id int REFERENCES a);
        ALTER TABLE a ADD FOREIGN KEY (b_id) REFERENCES b;
        """,
    ),
    Case(
        name="add tables in the order of their foreign keys",
        old="",
        new="CREATE TABLE z (id int PRIMARY KEY);"
        "CREATE TABLE a (id int PRIMARY KEY, z_id int REFERENCES z ON DELETE CASCADE);"
        "CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree);",
        lacks=("ALTER TABLE",),
    ),
    Case(
        name="comment on a table and its columns",
        old=USERS,
        new=USERS + "COMMENT ON TABLE users IS 'it''s'; COMMENT ON COLUMN users.email IS 'mail';",
    ),
    Case(
        name="change a comment",
        old=USERS + "COMMENT ON TABLE users IS 'a';",
        new=USERS + "COMMENT ON TABLE users IS 'b';",
    ),
    Case(
        name="storage parameters",
        old="CREATE TABLE t (a text) WITH (fillfactor=70, autovacuum_enabled=false);",
        new="CREATE TABLE t (a text) WITH (fillfactor=80, toast.autovacuum_enabled=false);",
    ),
    Case(
        name="storage parameters of columns that are new",
        old="CREATE TABLE t (b int); CREATE TABLE u (a int);",
        new="CREATE TABLE t (a text, b int) WITH (toast.autovacuum_enabled=false);"
        "CREATE TABLE u (a text) WITH (toast.autovacuum_enabled=false);",
    ),
    Case(
        name="storage parameters of a long column that identifies no rows any more",
        old="CREATE TABLE t (a int NOT NULL); CREATE UNIQUE INDEX i ON t (a);"
        "ALTER TABLE t REPLICA IDENTITY USING INDEX i;",
        new="CREATE TABLE t (a text) WITH (fillfactor=80, toast.autovacuum_enabled=false);",
    ),
    Case(name="unlogged", old="CREATE TABLE t (a int);", new="CREATE UNLOGGED TABLE t (a int);"),
    Case(
        name="unlogged, and the table that refers to it goes",
        old="CREATE TABLE t (a int PRIMARY KEY); CREATE TABLE u (a int REFERENCES t);",
        new="CREATE UNLOGGED TABLE t (a int PRIMARY KEY);",
    ),
    Case(
        name="names that need quotes",
        old="",
        new="""CREATE TABLE "Order" (id int PRIMARY KEY, "user" text, "a b" int, "group" int,
               "Straße" text, "q""q" int, CONSTRAINT "Weird, name" CHECK ("a b" > 0));
               CREATE INDEX "Ix" ON "Order" ("user", "a b");
               COMMENT ON COLUMN "Order"."a b" IS 'x';""",
    ),
    Case(
        name="replica identity",
        old="CREATE TABLE t (a int NOT NULL); CREATE UNIQUE INDEX t_a ON t (a);",
        new="CREATE TABLE t (a int NOT NULL); CREATE UNIQUE INDEX t_a ON t (a);"
        "ALTER TABLE t REPLICA IDENTITY USING INDEX t_a;",
    ),
    Case(
        name="replica identity full",
        old="CREATE TABLE t (a int);",
        new="CREATE TABLE t (a int); ALTER TABLE t REPLICA IDENTITY FULL;",
    ),
    Case(
        name="rename a table with all that hangs on it",
        old="CREATE TABLE users (id serial PRIMARY KEY, n int CHECK (n > 0), u int UNIQUE);"
        "CREATE INDEX ix_users_n ON users (n);"
        "CREATE TABLE posts (id int PRIMARY KEY, author int REFERENCES users);"
        "CREATE VIEW v AS SELECT id FROM users;",
        new="CREATE TABLE members (id serial PRIMARY KEY, n int CHECK (n > 0), u int UNIQUE);"
        "CREATE INDEX ix_members_n ON members (n);"
        "CREATE TABLE posts (id int PRIMARY KEY, author int REFERENCES members);"
        "CREATE VIEW v AS SELECT id FROM members;",
        renames=("table users:members",),
        lacks=("DROP", "CREATE", "DEFAULT"),
    ),
    Case(
        name="a table takes the name of another",
        old="CREATE TABLE users (id serial PRIMARY KEY, nick text UNIQUE);",
        new="CREATE TABLE accounts (id serial PRIMARY KEY, nick text UNIQUE);"
        "CREATE TABLE users (id serial PRIMARY KEY, nick text UNIQUE, more int);",
        renames=("table users:accounts",),
        contains=("RENAME TO accounts_id_seq", "CREATE TABLE users"),
        lacks=("DROP",),
    ),
    Case(
        name="a column takes the name of another",
        old="CREATE TABLE t (id int PRIMARY KEY, nick text UNIQUE);",
        new="CREATE TABLE t (id int PRIMARY KEY, name text UNIQUE, nick varchar(9));",
        renames=("column t.nick:name",),
        lacks=("DROP",),
    ),
    Case(
        name="two tables change their names",
        old="CREATE TABLE a (id int CONSTRAINT pa PRIMARY KEY);"
        "CREATE TABLE b (key int CONSTRAINT pb PRIMARY KEY);",
        new="CREATE TABLE b (id int CONSTRAINT pa PRIMARY KEY);"
        "CREATE TABLE a (key int CONSTRAINT pb PRIMARY KEY);",
        renames=("table a:b", "table b:a"),
        lacks=("DROP", "CREATE"),
    ),
    Case(name="a table without columns", old="", new="CREATE TABLE t ();"),
    Case(
        name="another namespace",
        old="",
        new="CREATE SCHEMA audit; CREATE TYPE audit.kind AS ENUM ('a', 'b');"
        "CREATE TABLE audit.log (id bigserial PRIMARY KEY, k audit.kind DEFAULT 'a');"
        "CREATE TABLE entry (id int PRIMARY KEY, log_id bigint REFERENCES audit.log);"
        "COMMENT ON SCHEMA audit IS 'who did what';",
        contains=("CREATE TABLE audit.log", "CREATE TABLE entry"),
    ),
    Case(
        name="comment on a namespace",
        old="CREATE SCHEMA s;",
        new="CREATE SCHEMA s; COMMENT ON SCHEMA s IS 'x'; COMMENT ON SCHEMA public IS 'main';",
    ),
]
