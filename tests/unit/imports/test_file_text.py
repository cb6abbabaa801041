from pathlib import Path

from dbwarden.files.lexing import POSTGRESQL
from dbwarden.files.migration import Origin
from dbwarden.files.parsing import parse
from dbwarden.imports.file_text import ImportedFile, file_text
from dbwarden.imports.statements import Text
from dbwarden.types import DatabaseName

PATH = Path("primary__0001_x.sql")
ORIGIN = Origin(tool="alembic", id="4d", after=("2b", "3c"), table="app.versions")


def test_a_file_says_where_it_is_from_and_is_read_back() -> None:
    file = ImportedFile(
        purpose="add users\n(again)",
        origin=ORIGIN,
        upgrade=[
            Text("\nCREATE TABLE t (\n\tid INT, \n\tnote TEXT DEFAULT 'a\t'\n)\n\n"),
            Text("CREATE INDEX CONCURRENTLY i ON t (id);", autocommit=True),
        ],
        rollback=[],
        reviews=["it reads rows of t"],
        notes=["A note."],
        facts={"rollback-differs": ("table t",)},
    )
    text = file_text(file, POSTGRESQL)
    assert text == (
        "-- Purpose: add users (again)\n"
        "-- dbwarden: from alembic 4d after 2b, 3c in app.versions\n"
        "-- dbwarden: review: it reads rows of t\n"
        "-- A note.\n"
        '-- dbwarden: rollback-differs "table t"\n'
        "\n-- upgrade\n\n"
        "CREATE TABLE t (\n    id INT,\n    note TEXT DEFAULT 'a\t'\n);\n"
        "-- @dbwarden:autocommit\n"
        "CREATE INDEX CONCURRENTLY i ON t (id);\n"
        "\n-- rollback\n\nSELECT 1;\n"
    )
    migration = parse(text, path=PATH, database=DatabaseName("primary"), dialect="postgresql")
    assert migration.origin == ORIGIN
    assert migration.reviews == ("it reads rows of t",)
    assert migration.declares.covers("rollback-differs", "table t")


def test_comments_of_the_other_tool_are_no_directives() -> None:
    sql = "-- Upgrade\nINSERT INTO t VALUES ('-- rollback'); -- done: all"
    file = ImportedFile(
        purpose="x", origin=Origin(tool="flyway", id="1"), upgrade=[Text(sql)], rollback=None
    )
    text = file_text(file, POSTGRESQL)
    assert text.endswith(
        "-- dbwarden: irreversible\n\n-- upgrade\n\n"
        "INSERT INTO t VALUES ('-- rollback'); -- done: all\n;\n"
    )
    assert parse(
        text, path=PATH, database=DatabaseName("primary"), dialect="postgresql"
    ).irreversible


def test_lines_in_quotes_keep_their_indentation() -> None:
    sql = (
        "    CREATE FUNCTION f() RETURNS int AS $$\n    BEGIN\n        RETURN 1;\n    END;\n    $$"
    )
    file = ImportedFile(purpose="f", origin=ORIGIN, upgrade=[Text(sql)], rollback=None)
    assert f"{sql.strip()};\n" in file_text(file, POSTGRESQL)
