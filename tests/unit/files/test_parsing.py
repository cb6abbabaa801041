"""The text of a migration file becomes a migration or an error with its place."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbwarden.errors import MigrationFileError
from dbwarden.files.checksum import NOTHING, checksum
from dbwarden.files.migration import Migration, Requirement, Section
from dbwarden.files.parsing import decode
from dbwarden.migration_history import HistoryKind
from dbwarden.types import DatabaseName, DialectName, Version
from tests.unit.files.texts import PATH, PRIMARY, UPGRADE, advice, problems, read

UPDATE = "UPDATE t SET a = 1 WHERE {batch};\n"
BACKFILL = "-- dbwarden: backfill\n-- table: t"


def test_a_whole_file_is_read() -> None:
    migration = read(
        "-- Users, and who may be one.\n"
        '-- depends_on: ["0003", "5"]\n'
        "-- requires: analytics@0042, logging@7\n"
        "\n"
        "-- upgrade\n"
        "CREATE TABLE users (id int);\n"
        "\n"
        "-- rollback\n"
        "DROP TABLE users;\n"
    )
    assert replace(migration, header="") == Migration(
        database=PRIMARY,
        kind=HistoryKind.VERSIONED,
        version=Version(7),
        name="create_users",
        path=PATH,
        upgrade=Section(
            text="CREATE TABLE users (id int);\n\n",
            line=6,
            checksum=checksum("CREATE TABLE users (id int);"),
        ),
        rollback=Section(
            text="DROP TABLE users;\n", line=9, checksum=checksum("DROP TABLE users;")
        ),
        depends_on=(Version(3), Version(5)),
        requires=(
            Requirement(database=DatabaseName("analytics"), version=Version(42)),
            Requirement(database=DatabaseName("logging"), version=Version(7)),
        ),
    )
    assert migration.key == "0007"
    assert migration.description == "create users"
    assert migration.section("upgrade") is migration.upgrade
    assert migration.section("rollback") is migration.rollback
    assert not migration.always


@pytest.mark.parametrize(
    "marker", ["-- upgrade", "--upgrade", "  --\tUPGRADE \t", "-- Upgrade\r", "--   uPgRaDe"]
)
def test_a_section_begins_at_a_line_of_its_own_in_any_case(marker: str) -> None:
    migration = read(f"{marker}\nSELECT 1;\n{marker.lower().replace('upgrade', 'rollback')}\n")
    assert migration.upgrade.text == "SELECT 1;\n"
    assert migration.rollback == Section(text="", line=4, checksum=NOTHING)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT '\n-- rollback\n';",
        "SELECT E'\\'\n-- rollback\n';",
        'SELECT 1 AS "\n-- rollback\n";',
        "DO $x$\n-- rollback\n-- upgrade\n$x$;",
        "/*\n-- rollback\n*/ SELECT 1;",
        "/* /* */\n-- rollback\n*/ SELECT 1;",
        "SELECT 1; -- rollback",
        "SELECT 1; -- rollback the rest\n-- rollback: later, by hand",
    ],
)
def test_a_section_does_not_begin_in_a_string_a_comment_or_behind_sql(text: str) -> None:
    assert read(f"-- upgrade\n{text}\n").rollback is None


def test_sqlites_quotes_and_comments_are_its_own() -> None:
    text = "-- upgrade\nSELECT 1 AS [it's], 2 AS `it's` /* /* */;\n-- rollback\nSELECT 2;\n"
    rollback = read(text, "sqlite").rollback
    assert rollback is not None
    assert rollback.text == "SELECT 2;\n"
    brackets = "-- upgrade\nSELECT 1 AS [\n-- rollback\n], $a$ FROM t;\n"
    assert read(brackets, "sqlite").rollback is None


def test_a_missing_or_empty_rollback_can_be_read() -> None:
    assert read(UPGRADE).rollback is None
    rollback = read(f"{UPGRADE}-- rollback\n\n-- nothing\n/* here */;\n").rollback
    assert rollback is not None
    assert rollback.empty
    assert rollback.checksum == NOTHING


def test_irreversible_needs_a_missing_or_empty_rollback() -> None:
    assert read(f"-- dbwarden: irreversible\n{UPGRADE}").irreversible
    assert read(f"-- DBWarden:Irreversible\r\n{UPGRADE}-- rollback\n").irreversible
    assert not read(UPGRADE).irreversible
    text = f"-- dbwarden: irreversible\n{UPGRADE}-- rollback\nSELECT 2;"
    assert problems(text) == [("4:1", "it is marked irreversible, but has a rollback")]


def test_headers_may_repeat_and_are_joined() -> None:
    migration = read(
        f"-- depends_on: ['0001']\n-- depends_on: [1, \"0002\"]\n-- depends_on: []\n"
        f"-- requires: a@1\n-- requires: a@0001, b@2\n{UPGRADE}"
    )
    assert migration.depends_on == (1, 2)
    assert [str(item.database) for item in migration.requires] == ["a", "b"]


def test_other_comments_belong_to_the_author() -> None:
    header = (
        "-- Author: someone\n-- Proof: exact\n-- loses: users.email\n-- Description: x\n--\n"
        "-- ----------\n-- note\n-- @author someone\n-- dbwarden is fine\n/* depends */\n"
        "-- Dependencies: none\n-- Requirements: none\n-- see: https://example.org\n"
        "-- Required: the extension postgis\n-- Depends on: the team of shipping\n"
        "-- phrase: to be or not to be\n-- Tables: users and orders\n-- patch: 7\n\n"
    )
    body = "-- @see x\n-- why: because\n-- requires: a lock on users\n-- TODO\n-- rolled back by\n"
    assert read(f"{header}-- upgrade\n{body}SELECT 1;\n").upgrade.text.startswith(body)


def test_a_marker_in_a_section_is_left_for_the_splitting() -> None:
    assert read("-- upgrade\n-- @dbwarden:autocommit\nVACUUM;\n").upgrade.line == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [("1:1", "it has no upgrade section")]),
        ("SELECT 1;\n", [("1:1", "it has no upgrade section")]),
        ("-- nothing\n", [("1:1", "it has no upgrade section")]),
        ("-- rollback\nSELECT 1;\n", [("1:1", "it has no upgrade section")]),
        ("\n-- upgrade\n\n", [("2:1", "its upgrade has no statement")]),
        ("-- upgrade\n-- x\n;/* y */\n-- rollback\n", [("1:1", "its upgrade has no statement")]),
        (f"-- a\nSELECT 2;\n{UPGRADE}", [("2:1", "there is SQL before the first section")]),
        (f"/* a\n{UPGRADE}", [("1:1", "this comment is never closed")]),
        (
            "-- rollback\nSELECT 1;\n-- upgrade\nSELECT 2;\n",
            [("1:1", "its rollback section precedes its upgrade section")],
        ),
        (f"{UPGRADE}{UPGRADE}", [("3:1", "a second upgrade section")]),
        (
            f"{UPGRADE}-- rollback\n-- rollback\nSELECT 1;\n",
            [("4:1", "a second rollback section")],
        ),
        (
            f"-- requires: primary@0001\n{UPGRADE}",
            [("1:1", "it requires a version of primary, its own database")],
        ),
        (
            f"-- @dbwarden:autocommit\n{UPGRADE}",
            [
                (
                    "1:1",
                    "@dbwarden:autocommit is before the first section, where there is no statement",
                )
            ],
        ),
        (
            f"{UPGRADE}-- depends_on: [1]\n",
            [("3:1", "the header 'depends_on: [1]' is inside a section")],
        ),
        (
            f"{UPGRADE}-- requires: analytics@0001\n",
            [("3:1", "the header 'requires: analytics@0001' is inside a section")],
        ),
        (
            f"{UPGRADE}  -- dbwarden: irreversible\n",
            [("3:3", "the header 'dbwarden: irreversible' is inside a section")],
        ),
        (
            f"-- dbwarden: fast\nSELECT 2;\n{UPGRADE}"
            "-- @dbwarden:quick\n-- rollback\n-- rollback\n",
            [
                ("1:1", "dbwarden does not know 'dbwarden: fast'"),
                ("5:1", "dbwarden does not know '@dbwarden:quick'"),
                ("7:1", "a second rollback section"),
                ("2:1", "there is SQL before the first section"),
            ],
        ),
    ],
)
def test_each_problem_is_reported_with_its_place(
    text: str, expected: list[tuple[str, str]]
) -> None:
    assert problems(text) == expected


@pytest.mark.parametrize(
    ("comment", "meant"),
    [
        ("-- depend_on: [1]", "-- depends_on: [1]"),
        ("-- depends on: [1]", "-- depends_on: [1]"),
        ("-- Depends-On: [1]", "-- depends_on: [1]"),
        ("-- dependson: [1]", "-- depends_on: [1]"),
        ("-- depends_on:", '-- depends_on: ["0003", "0004"]'),
        ("-- depends_on: 0003", '-- depends_on: ["0003", "0004"]'),
        ('-- depends_on: ["0003" "0004"]', '-- depends_on: ["0003", "0004"]'),
        ('-- depends_on: ["primary@3"]', '-- depends_on: ["0003", "0004"]'),
        ("-- require: a@1", "-- requires: a@1"),
        ("-- requires: a", "-- requires: primary@0042, analytics@0007"),
        ("-- requires: a@1,", "-- requires: primary@0042, analytics@0007"),
        ("-- requires:", "-- requires: primary@0042, analytics@0007"),
        ("-- reqiures: a@1", "-- requires: a@1"),
        ("-- requires-bakfill: 7", "-- requires-backfill: 7"),
        ("-- phaze: pre", "-- phase: pre"),
        ("-- pahse: before", "-- phase: before"),
        ("-- phase: before", "-- phase: pre or -- phase: post"),
        ("-- dbwarden: bakcfill", "-- dbwarden: backfill"),
        ("-- dbwarden: irreversable", "-- dbwarden: irreversible"),
        ("-- dbwarden:", "-- dbwarden: irreversible"),
        ("-- dbwardne: irreversible", "-- dbwarden: irreversible"),
        ("-- @dbwarden: irreversible", "-- dbwarden: irreversible"),
        ("-- @dbwarden:autocomit", "-- @dbwarden:autocommit"),
        ("-- @dbwarden autocommit", "-- @dbwarden:autocommit"),
        ("-- @dbwarden", "-- @dbwarden:autocommit"),
        ("-- @dbwarden:autocommit please", "-- @dbwarden:autocommit"),
        ("-- @dbwaden:autocommit", "-- @dbwarden:autocommit"),
        ("-- @autocommit", "-- @dbwarden:autocommit"),
        ("/* dbwarden: irreversible */", "-- dbwarden: irreversible"),
        ("/* depends_on: [1] */", "-- depends_on: [1]"),
        ("-- up", "-- upgrade"),
        ("-- upgrade:", "-- upgrade"),
        ("-- upgarde", "-- upgrade"),
        ("-- downgrade", "-- rollback"),
        ("-- dbwarden: autocommit", "on the line before the statement"),
    ],
)
def test_a_misspelled_header_is_an_error_with_a_suggestion(comment: str, meant: str) -> None:
    assert meant in advice(f"{comment}\n{UPGRADE}")


@pytest.mark.parametrize(
    ("comment", "meant"),
    [
        ("-- @dbwarden:autocomit", "-- @dbwarden:autocommit"),
        ("-- @DBWarden: irreversible", "-- dbwarden: irreversible"),
        ("-- dbwarden:autocommit", "-- @dbwarden:autocommit"),
        ("-- dbwraden:autocommit", "-- @dbwarden:autocommit"),
        ("/* @dbwarden:autocommit */", "-- @dbwarden:autocommit"),
        ("-- downgrade", "-- rollback"),
        ("-- Down", "-- rollback"),
        ("-- rolback", "-- rollback"),
        ("-- rollback:", "-- rollback"),
        ("-- depends_on: [1]", "Move it above -- upgrade"),
    ],
)
def test_a_misspelled_marker_in_a_section_is_an_error_with_a_suggestion(
    comment: str, meant: str
) -> None:
    assert meant in advice(f"{UPGRADE}{comment}\nSELECT 2;\n")


def test_several_problems_become_one_error_with_all_places() -> None:
    with pytest.raises(MigrationFileError) as caught:
        read("-- depend_on: [1]\nSELECT 1;\n-- upgrade\n")
    text = str(caught.value)
    assert f"  - {PATH}:1:1: dbwarden does not know 'depend_on: [1]'" in text
    assert f"  - {PATH}:2:1: there is SQL before the first section" in text
    assert f"  - {PATH}:3:1: its upgrade has no statement" in text
    assert "    Move it below -- upgrade, or remove it." in text
    assert caught.value.database == PRIMARY


def test_a_single_problem_is_its_own_error() -> None:
    with pytest.raises(MigrationFileError) as caught:
        read("-- upgrade\n")
    assert caught.value.problems == (caught.value,)
    assert str(caught.value) == f"primary: {PATH}:1:1: its upgrade has no statement"


@given(
    st.lists(
        st.sampled_from(
            ["-- upgrade", "-- rollback", "SELECT 1;", "'", "$$", "/*", "*/", "-- depends_on: [1]",
             "-- @dbwarden:autocommit", "-- x", "", "-- upgarde", '"', "[", "`"]
        ),
        max_size=12,
    ).map("\n".join),
    st.sampled_from(["postgresql", "sqlite"]),
)  # fmt: skip
def test_sections_are_slices_of_the_file_from_the_lines_they_name(
    text: str, dialect: DialectName
) -> None:
    try:
        migration = read(text, dialect)
    except MigrationFileError as error:
        assert all(problem.location and problem.location.line for problem in error.problems)
        return
    lines = text.split("\n")
    assert not migration.upgrade.empty
    for section in (migration.upgrade, migration.rollback):
        if section is not None:
            size = section.text.count("\n")
            assert lines[section.line - 1 :][:size] == section.text.split("\n")[:size]


def test_a_byte_order_mark_does_not_count_and_line_ends_stay() -> None:
    data = b"\xef\xbb\xbf-- upgrade\r\nSELECT '\xc3\xa9\r\n';\r\n"
    text = decode(data, path=PATH, database=PRIMARY)
    assert text == "-- upgrade\r\nSELECT 'é\r\n';\r\n"
    assert read(text).upgrade.text == "SELECT 'é\r\n';\r\n"


@pytest.mark.parametrize(
    ("data", "place", "message"),
    [
        (b"-- upgrade\nSELECT 'caf\xe9';\n", "2:12", "byte 0xe9 is not UTF-8"),
        (b"\xff\xfeS\x00", "1:1", "byte 0xff is not UTF-8"),
        (b"\xef\xbb\xbf\xc3\xa9\xc3", "1:2", "byte 0xc3 is not UTF-8"),
        (b"a\n\xc3\xa9\x00", "2:2", "the text contains a zero byte"),
    ],
)
def test_invalid_utf_8_is_an_error_with_its_position(data: bytes, place: str, message: str) -> None:
    with pytest.raises(MigrationFileError) as caught:
        decode(data, path=PATH, database=PRIMARY)
    assert caught.value.message == message
    assert str(caught.value.location) == f"{PATH}:{place}"


@pytest.mark.parametrize(
    ("text", "is_reversible"),
    [
        ("-- upgrade\nSELECT 1;\n-- rollback\nSELECT 2;\n", True),
        ("-- upgrade\nSELECT 1;\n-- rollback\n", False),
        ("-- upgrade\nSELECT 1;\n", False),
        ("-- dbwarden: irreversible\n-- upgrade\nSELECT 1;\n", False),
        (f"{BACKFILL}\n\n-- upgrade\n{UPDATE}", True),
        (f"{BACKFILL}\n\n-- dbwarden: irreversible\n-- upgrade\n{UPDATE}", False),
    ],
)
def test_only_a_backfill_can_be_rolled_back_without_sql(text: str, is_reversible: bool) -> None:
    assert read(text).is_reversible is is_reversible
