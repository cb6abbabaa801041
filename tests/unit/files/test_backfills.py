"""The headers and placeholders of a backfill, and every mistake in them."""

from pathlib import Path

import pytest

from dbwarden.errors import MigrationFileError
from dbwarden.files.folder import read_folder
from dbwarden.files.lexing import POSTGRESQL
from dbwarden.files.parsing import parse
from dbwarden.files.placeholders import fill, placeholders
from dbwarden.files.python_files import parse_python
from dbwarden.types import DatabaseName

PRIMARY = DatabaseName("primary")
PATH = Path("primary__0007_fill.sql")
PYTHON = Path("primary__0008_geocode.py")
SQL = "UPDATE users SET country = 'de' WHERE {batch};\n"


def problems(text: str, path: Path = PATH) -> list[tuple[int | None, str]]:
    """The lines and messages of the problems of a file."""
    read = parse_python if path.suffix == ".py" else parse
    with pytest.raises(MigrationFileError) as failed:
        read(text, path=path, database=PRIMARY, dialect="postgresql")
    return [
        (each.location.line if each.location else None, each.message)
        for each in failed.value.problems
    ]


def test_a_backfill_and_its_options() -> None:
    header = "-- dbwarden: backfill\n-- table: shop.users\n-- batch: 50\n-- until: a IS NOT NULL\n"
    header += "-- batch-seconds: .2\n"
    migration = parse(
        f"{header}-- requires-backfill: 0003, 4\n-- phase: post\n\n-- upgrade\n{SQL}",
        path=PATH,
        database=PRIMARY,
        dialect="postgresql",
    )
    backfill = migration.backfill
    assert backfill is not None
    assert (backfill.table, backfill.line, backfill.batch) == ("shop.users", 2, 50)
    assert backfill.batch_seconds == 0.2
    assert (backfill.until, backfill.until_line) == ("a IS NOT NULL", 4)
    assert migration.requires_backfill == (3, 4)
    assert migration.phase == "post"


@pytest.mark.parametrize(
    ("header", "sql", "line", "message"),
    [
        ("-- dbwarden: backfill", SQL, 1, "a backfill needs the name of its table"),
        ("-- dbwarden: backfill\n-- table: a b", SQL, 2, "'a b' is not the name of a table"),
        ("-- dbwarden: backfill\n-- table: a\n-- batch: many", SQL, 3, "'many' is not a number"),
        ("-- dbwarden: backfill\n-- table: a\n-- batch: 0", SQL, 3, "'0' is not a number of rows"),
        ("-- dbwarden: backfill\n-- table: a\n-- batch-seconds: x", SQL, 3, "'x' is not a number"),
        ("-- dbwarden: backfill\n-- table: a\n-- batch-seconds: 0", SQL, 3, "'0' is not a number"),
        ("-- dbwarden: backfill\n-- table: a\n-- table: b", SQL, 3, "a second -- table"),
        ("-- dbwarden: backfill\n-- table: a\n-- until:", SQL, 3, "the condition of -- until is"),
        ("-- phase: before", "SELECT 1;", 1, "'phase: before' is not a phase"),
        ("-- phase: pre\n-- phase: post", "SELECT 1;", 2, "a second -- phase"),
        ("-- requires-backfill: x", "SELECT 1;", 1, "'requires-backfill: x' does not name"),
        ("-- require-backfill: 7", "SELECT 1;", 1, "dbwarden does not know"),
        ("-- dbwarden: backfil", SQL, 1, "dbwarden does not know"),
        ("-- a comment", SQL, 3, "{batch} is only for the upgrade of a backfill"),
        (
            "-- dbwarden: backfill\n-- table: a",
            "UPDATE a SET b = 1;",
            4,
            "its SQL has no {batch}",
        ),
        (
            "-- dbwarden: backfill\n-- table: a",
            "UPDATE a SET b = '{batch}';",
            4,
            "its SQL has no {batch}",
        ),
        (
            "-- dbwarden: backfill\n-- table: a",
            "UPDATE a SET b = 1\nWHERE {batch} AND {bacth};",
            5,
            "dbwarden does not know the placeholder {bacth}; did you mean 'batch'?",
        ),
        (
            "-- dbwarden: backfill\n-- table: a",
            SQL + "-- rollback\nDELETE FROM a WHERE {batch};",
            6,
            "{batch} is only for the upgrade of a backfill",
        ),
    ],
)
def test_every_mistake_has_its_line(header: str, sql: str, line: int, message: str) -> None:
    found = problems(f"{header}\n-- upgrade\n{sql}")
    assert any(at == line and message in text for at, text in found), found


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("tabel: users", "-- table: users"),
        ("Tabel: users", "-- table: users"),
        ("tables: users", "-- table: users"),
        ("bacth: 5000", "-- batch: 5000"),
        ("batch_seconds: 0.1", "-- batch-seconds: 0.1"),
        ("batch-second: 0.1", "-- batch-seconds: 0.1"),
        ("utnil: a IS NOT NULL", "-- until: a IS NOT NULL"),
        ("phaze: pre", "-- phase: pre"),
    ],
)
@pytest.mark.parametrize("dashes", ["--", "#"])
def test_a_misspelt_option_is_an_error_that_says_what_is_meant(
    dashes: str, wrong: str, meant: str
) -> None:
    table = "" if "users" in wrong else f"{dashes} table: users\n"
    header = f"{dashes} dbwarden: backfill\n{dashes} {wrong}\n{table}"
    code = "async def upgrade(batch): ...\n" if dashes == "#" else f"-- upgrade\n{SQL}"
    read, path = (parse_python, PYTHON) if dashes == "#" else (parse, PATH)
    with pytest.raises(MigrationFileError) as failed:
        read(header + code, path=path, database=PRIMARY, dialect="postgresql")
    (problem,) = failed.value.problems
    assert problem.location is not None
    assert problem.location.line == 2
    assert problem.message.startswith("dbwarden does not know")
    assert problem.next_step == f"Did you mean {meant} ?"


def test_sentences_with_a_colon_are_comments() -> None:
    prose = (
        "-- Note: it takes an hour\n-- stable: the key never changes\n-- Match: 1 to 1, by hand\n"
        "-- Phrases: 'pre', 'post' and others\n-- Required: a quiet night\n-- todo: later\n"
    )
    text = f"{prose}-- dbwarden: backfill\n{prose}-- table: users\n{prose}-- upgrade\n{prose}{SQL}"
    backfill = parse(text, path=PATH, database=PRIMARY, dialect="postgresql").backfill
    assert backfill is not None
    assert backfill.table == "users"


def test_options_of_a_backfill_are_comments_elsewhere() -> None:
    text = "-- table: users\n-- batch: none\n-- upgrade\nSELECT 1;\n"
    assert parse(text, path=PATH, database=PRIMARY, dialect="postgresql").backfill is None


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("async def upgrade(batch): ...\n", 1, "a migration in Python has to be a backfill"),
        ("# dbwarden: backfill\n# table: t\n\nx = (\n", 4, "the code is not valid Python"),
        ("# dbwarden: backfill\n# table: t\nx = 1\n", 3, "the file has no function upgrade"),
        ("# dbwarden: backfill\n# table: t\n\ndef upgrade(batch): ...\n", 4, "no coroutine"),
        ("# dbwarden: backfill\n# table: t\nasync def upgrade(): ...\n", 3, "other arguments"),
        ("# dbwarden: backfill\nasync def upgrade(batch): ...\n", 1, "the name of its table"),
    ],
)
def test_every_mistake_of_a_python_file(text: str, line: int, message: str) -> None:
    assert any(at == line and message in what for at, what in problems(text, PYTHON))


def test_a_python_file_is_a_backfill() -> None:
    text = "# dbwarden: backfill\n# table: users\n# batch: 5\n\nasync def upgrade(batch): ...\n"
    migration = parse_python(text, path=PYTHON, database=PRIMARY, dialect="postgresql")
    assert migration.is_python
    assert migration.backfill is not None
    assert migration.backfill.batch == 5
    assert migration.upgrade.line == 5


def test_required_backfills_are_in_the_folder(tmp_path: Path) -> None:
    def write(number: int, header: str, sql: str = "SELECT 1;") -> None:
        name = f"primary__{number:04d}_x.sql"
        (tmp_path / name).write_text(f"-- first\n{header}\n-- upgrade\n{sql}\n")

    write(1, "-- requires-backfill: 0001")
    write(2, "-- requires-backfill: 0009")
    write(3, "-- requires-backfill: 0002")
    write(4, "-- requires-backfill: 0005")
    write(5, "-- dbwarden: backfill\n-- table: t", SQL)

    with pytest.raises(MigrationFileError) as failed:
        read_folder(tmp_path, PRIMARY, "postgresql")

    messages = [each.message.removeprefix("it requires ") for each in failed.value.problems]
    assert messages == [
        "itself as a backfill",
        "the backfill 0009, which does not exist",
        "the backfill 0002, which is no backfill",
        "the backfill 0005, which comes after it",
    ]
    assert {each.location.line for each in failed.value.problems if each.location} == {2}


def test_offsets_in_filled_sql_lead_back_to_the_file() -> None:
    text = "UPDATE u SET a = 1 WHERE {batch} AND {batch:u} AND wrong"
    filled = fill(
        text, list(placeholders(POSTGRESQL, text)), lambda alias: f"({alias}.id > 123456)"
    )
    assert filled.text.count("id > 123456") == 2
    assert filled.original(filled.text.index("wrong")) == text.index("wrong")
    assert filled.original(filled.text.index("SET")) == text.index("SET")
    assert filled.original(filled.text.index("u.id")) == text.index("{batch:u}") + 8
