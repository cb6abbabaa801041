"""Files for each rule on SQLite: some that fire, and some that do not. All run after BASE."""

from tests.integration.lint.cases import Case

BASE = """
CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, nick TEXT);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id) ON DELETE CASCADE, total INT
);
CREATE INDEX ix_email ON users (email);
"""


def rebuild(columns: str, *, names: str = "id, email, nick") -> str:
    """The twelve steps in which SQLite changes a table, as ``make-migrations`` writes them."""
    return (
        f"CREATE TABLE new_users ({columns});\n"
        f"INSERT INTO new_users ({names}) SELECT {names} FROM users;\n"
        "DROP TABLE users;\nALTER TABLE new_users RENAME TO users;\n"
        "CREATE INDEX ix_email ON users (email);"
    )


SAME = rebuild("id INTEGER PRIMARY KEY, email TEXT, nick TEXT")
NEW = "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT);\n"

CASES = (
    Case(
        rule="rewrite",
        fires=(
            rebuild("id INTEGER PRIMARY KEY, email TEXT NOT NULL, nick TEXT"),
            "ALTER TABLE users DROP COLUMN nick;",
        ),
        quiet=(
            "ALTER TABLE users ADD COLUMN age INTEGER;",
            "ALTER TABLE users RENAME TO people;",
            NEW + "ALTER TABLE items DROP COLUMN name;",
        ),
    ),
    Case(
        rule="foreign-keys",
        fires=(
            "ALTER TABLE users ADD COLUMN team_id INTEGER REFERENCES teams (id);",
            "CREATE TABLE logs (email TEXT REFERENCES users (email));",
            f"PRAGMA foreign_keys = ON;\n{SAME}",
            "DROP TABLE users;",
        ),
        quiet=(
            SAME,
            "CREATE TABLE teams (id INTEGER PRIMARY KEY);\n"
            "ALTER TABLE users ADD COLUMN team_id INTEGER REFERENCES teams (id);",
            "CREATE UNIQUE INDEX ux ON users (email);\n"
            "CREATE TABLE logs (email TEXT REFERENCES users (email));",
            "PRAGMA foreign_keys = ON;\nALTER TABLE users ADD COLUMN age INTEGER;",
        ),
    ),
    Case(
        rule="rename",
        fires=(
            "ALTER TABLE users RENAME TO people;",
            "ALTER TABLE users RENAME COLUMN nick TO nickname;",
        ),
        quiet=(SAME, NEW + "ALTER TABLE items RENAME TO things;"),
    ),
    Case(
        rule="drop-column",
        fires=(
            "ALTER TABLE users DROP COLUMN nick;",
            rebuild("id INTEGER PRIMARY KEY, email TEXT", names="id, email"),
        ),
        quiet=(SAME, NEW + "ALTER TABLE items DROP COLUMN name;"),
    ),
    Case(
        rule="drop-table",
        fires=("DROP TABLE orders;", "DROP TABLE IF EXISTS users;"),
        quiet=(SAME, NEW + "DROP TABLE items;"),
    ),
    Case(
        rule="type-change",
        fires=(
            rebuild("id INTEGER PRIMARY KEY, email BLOB, nick TEXT"),
            rebuild("id INTEGER PRIMARY KEY, email VARCHAR(20), nick TEXT"),
        ),
        quiet=(SAME, rebuild("id INTEGER PRIMARY KEY, email TEXT NOT NULL, nick TEXT")),
    ),
    Case(
        rule="missing-fk-index",
        fires=(
            "ALTER TABLE users ADD COLUMN boss_id INTEGER REFERENCES users (id);",
            "CREATE TABLE logs (user_id INTEGER REFERENCES users (id));",
        ),
        quiet=(
            "CREATE TABLE logs (user_id INTEGER REFERENCES users (id));\n"
            "CREATE INDEX ix_logs ON logs (user_id);",
            "CREATE TABLE logs (user_id INTEGER PRIMARY KEY REFERENCES users (id));",
        ),
    ),
    Case(
        rule="undeclared-loss",
        fires=(
            "-- upgrade\nALTER TABLE users DROP COLUMN nick;\n"
            "-- rollback\nALTER TABLE users ADD COLUMN nick TEXT;\n",
            "-- upgrade\nDROP TABLE orders;\n-- rollback\nCREATE TABLE orders (id INTEGER);\n",
        ),
        quiet=(
            "-- dbwarden: loses users.nick\n-- upgrade\nALTER TABLE users DROP COLUMN nick;\n"
            "-- rollback\nALTER TABLE users ADD COLUMN nick TEXT;\n",
            f"-- upgrade\n{SAME}\n-- rollback\nSELECT 1;\n",
        ),
    ),
    Case(
        rule="no-rollback",
        fires=("-- upgrade\nDROP TABLE orders;\n", "-- upgrade\nSELECT 1;\n-- rollback\n"),
        quiet=(
            "-- dbwarden: irreversible\n-- upgrade\nDROP TABLE orders;\n",
            "-- upgrade\nSELECT 1;\n-- rollback\nSELECT 2;\n",
        ),
    ),
    Case(
        rule="requires-missing",
        fires=(
            "-- requires: nothing@0001\n-- upgrade\nSELECT 1;\n",
            "-- requires: other@0002\n-- upgrade\nSELECT 1;\n",
        ),
        quiet=("-- requires: other@0001\n-- upgrade\nSELECT 1;\n", "-- upgrade\nSELECT 1;\n"),
    ),
    Case(
        rule="naming",
        fires=("CREATE INDEX users_nick ON users (nick);", 'CREATE TABLE "Items" (id INTEGER);'),
        quiet=("CREATE INDEX ix_nick ON users (nick);", SAME),
    ),
    Case(
        rule="unused-allow",
        fires=(
            "-- dbwarden: allow rewrite: it is small\n-- upgrade\nSELECT 1;\n",
            "-- upgrade\n-- @dbwarden:allow rename: nobody reads it\nSELECT 1;\n"
            "ALTER TABLE users RENAME TO people;\n",
        ),
        quiet=(
            "-- dbwarden: allow rewrite: it is small\n-- upgrade\n"
            "ALTER TABLE users DROP COLUMN nick;\n",
            "-- upgrade\nSELECT 1;\n-- @dbwarden:allow rename: nobody reads it\n"
            "ALTER TABLE users RENAME TO people;\n",
        ),
    ),
)
"""The other rules are about locks and types that SQLite does not have."""
