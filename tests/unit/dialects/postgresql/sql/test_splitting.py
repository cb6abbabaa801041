"""PostgreSQL's text is split into statements and steps, as a real server judged."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dbwarden.dialects.base import Statement, Step
from dbwarden.dialects.postgresql.sql.splitting import split, steps
from dbwarden.dialects.postgresql.sql.transactions import refuses_transaction
from dbwarden.errors import MigrationFileError
from dbwarden.files.checksum import checksum
from dbwarden.files.lexing import has_code
from dbwarden.files.migration import Migration, Section
from dbwarden.migration_history import HistoryKind
from dbwarden.types import DatabaseName, Version
from tests.unit.dialects.postgresql.migrate.statements import (
    ACCEPTED,
    HARD,
    REFUSED,
    REFUSED_WITH_A_PUBLISHER,
)

PATH = Path("migrations/primary/primary__0007_x.sql")


def cut(text: str, line: int = 1) -> tuple[Statement, ...]:
    return split(text, path=PATH, line=line, database=DatabaseName("primary"))


def texts(text: str) -> list[str]:
    return [statement.text for statement in cut(text)]


def steps_of(text: str, line: int = 1) -> tuple[Step, ...]:
    section = Section(text=text, line=line, checksum=checksum(text))
    migration = Migration(
        database=DatabaseName("primary"),
        kind=HistoryKind.VERSIONED,
        version=Version(7),
        name="x",
        path=PATH,
        upgrade=section,
        rollback=None,
    )
    return steps(migration, section)


def offset_of(text: str, place: Statement | Step, line: int = 1) -> int:
    lines = text.split("\n")
    before = lines[: place.line - line]
    return sum(len(one) + 1 for one in before) + place.column - 1


def gaps_between(text: str, places: list[Statement] | list[Step]) -> list[str]:
    """What stands before, between and behind *places*, checking that each is where it says."""
    gaps, position = [], 0
    for place in places:
        start = offset_of(text, place)
        assert text[start : start + len(place.text)] == place.text
        assert start >= position
        gaps.append(text[position:start])
        position = start + len(place.text)
    return [*gaps, text[position:]]


def failure(text: str, line: int = 1) -> MigrationFileError:
    with pytest.raises(MigrationFileError) as caught:
        steps_of(text, line)
    return caught.value


@pytest.mark.parametrize("statement", HARD)
def test_a_hard_statement_stays_whole(statement: str) -> None:
    assert texts(statement) == [statement]
    assert texts(f"{statement};") == [statement]
    assert texts(f"-- ';\n/* \" */ ;; {statement} ; -- $$\n") == [statement]


SEPARATORS = (";", " ;\n", ";;\n\n", "; -- it's; $$\n", ";/* a /* ; */ ' */", "\t--x\n;\r\n")


@given(st.lists(st.tuples(st.sampled_from(HARD), st.sampled_from(SEPARATORS)), max_size=8))
def test_hard_statements_in_any_order_are_split_where_they_were_joined(
    parts: list[tuple[str, str]],
) -> None:
    text = "".join(statement + separator for statement, separator in parts)
    assert texts(text) == [statement for statement, _ in parts]


FRAGMENTS = (
    "a", "e", "E", "x'", "'", "''", '"', "$", "$$", "$a$", "$1", "--", "/*", "*/", "\n", "\r\n",
    "\\", ";", ";", ";", " ", "(", ")", "-", "/", "U&", "é", "1", ",", ".",
    "create function ", "create rule ", "begin ", "atomic ", "case ", " end ", "copy ", "select ",
)  # fmt: skip


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join))
@example("create function begin atomic ; end ; a")
@example("a -- b\n; c /* d */ ; e --")
def test_splitting_loses_no_text_and_reports_true_places(text: str) -> None:
    try:
        found = list(cut(text))
    except MigrationFileError as error:
        assert error.location is not None
        assert error.location.line is not None
        assert 1 <= error.location.line <= text.count("\n") + 1
        return
    for gap in gaps_between(text, found):
        assert not has_code(gap)
    for statement in found:
        assert has_code(statement.text)
        assert texts(statement.text) == [statement.text]


@given(
    st.lists(
        st.sampled_from(
            [*HARD, "VACUUM", "-- @dbwarden:autocommit\nTRUNCATE t", "-- c", "/* c */"]
        ),
        max_size=10,
    )
)
def test_steps_cover_every_statement_once_and_lose_no_text(parts: list[str]) -> None:
    text = "".join(f"{part}\n;\n" for part in parts)
    found = steps_of(text)
    assert [step.number for step in found] == list(range(1, len(found) + 1))
    assert [one for step in found for one in step.statements] == list(cut(text))
    for gap in gaps_between(text, list(found)):
        assert not has_code(gap)
    for gap in gaps_between(text, list(found))[:-1]:
        assert not gap.strip(" \n;"), "comments before the last statement belong to a step"


@given(st.lists(st.sampled_from([*HARD, "-- c", "/* c */"]), min_size=1, max_size=6))
def test_a_step_can_be_followed_by_another_statement(parts: list[str]) -> None:
    text = "\n;".join(parts) + " -- the end"
    for step in steps_of(text):
        assert texts(f"{step.text};INSERT INTO ledger") == [
            *(statement.text for statement in step.statements),
            "INSERT INTO ledger",
        ]


def test_a_statement_of_thousands_of_strings_stays_whole() -> None:
    rows = "INSERT INTO t VALUES " + ", ".join("('a;', 'it''s', 1 - 2)" for _ in range(5000))
    assert texts(f"{rows}; SELECT 1") == [rows, "SELECT 1"]


def test_syntax_that_only_the_server_can_check_is_passed_on() -> None:
    text = "CREATE RULE r AS ON INSERT TO a DO NOTHING ) ; SELECT 1 ) ("
    assert texts(text) == ["CREATE RULE r AS ON INSERT TO a DO NOTHING )", "SELECT 1 ) ("]


def test_lines_and_columns_count_from_the_start_of_the_file() -> None:
    found = cut("\n\n  SELECT 1;\tSELECT 2;\nSELECT 'é'; SELECT 3", line=10)
    places = [(statement.line, statement.column) for statement in found]
    assert places == [(12, 3), (12, 13), (13, 1), (13, 13)]


def test_a_carriage_return_stays_in_the_text() -> None:
    assert texts("SELECT 'a\r\nb';\r\nSELECT 2;\r\n") == ["SELECT 'a\r\nb'", "SELECT 2"]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("SELECT 1;\n SELECT 'a;", "2:9", "this string is never closed"),
        ("SELECT E'a\\';", "1:9", "this string is never closed"),
        ('SELECT 1 AS "a;\n', "1:13", "this quoted name is never closed"),
        ("SELECT $a$ x $b$;", "1:8", "this dollar quote is never closed"),
        ("SELECT /* a /* b */ 1;", "1:8", "this comment is never closed"),
        ("SELECT 1;\n\n/* a", "3:1", "this comment is never closed"),
        ("CREATE RULE r AS ON INSERT TO a DO (SELECT 1; SELECT 2;", "1:36", "this parenthesis"),
        ("CREATE FUNCTION f() BEGIN ATOMIC SELECT 1; SELECT 2;", "1:21", "this block"),
        ("CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE 1; SELECT 2;", "1:41", "this block"),
        ("SELECT 1;\nBEGIN;", "2:1", "BEGIN controls the transaction"),
        ("start /* a */ transaction", "1:1", "START TRANSACTION controls the transaction"),
        ("COMMIT", "1:1", "COMMIT controls the transaction"),
        ("end;", "1:1", "END controls the transaction"),
        ("ROLLBACK", "1:1", "ROLLBACK controls the transaction"),
        ("ABORT", "1:1", "ABORT controls the transaction"),
        ("SAVEPOINT a", "1:1", "SAVEPOINT controls the transaction"),
        ("RELEASE a", "1:1", "RELEASE controls the transaction"),
        ("PREPARE TRANSACTION 'a'", "1:1", "PREPARE TRANSACTION controls the transaction"),
        ("\n DISCARD ALL", "2:2", "DISCARD ALL would release the lock"),
        ("\\connect other\nSELECT 1;", "1:1", "\\connect is a command of psql"),
        ("SELECT 1 \\gexec", "1:10", "\\gexec is a command of psql"),
        ("\\5", "1:1", "\\ is a command of psql"),
        ("COPY t (a) FROM stdin;\n1\t'2\n\\.\n", "1:1", "COPY ... FROM stdin needs rows"),
        ('copy "t" from /* x */ STDIN WITH (FORMAT csv);', "1:1", "COPY ... FROM stdin"),
        ("COPY (SELECT 1) TO STDOUT", "1:1", "COPY ... TO stdout sends rows"),
    ],
)
def test_an_invalid_statement_is_an_error_with_its_start(text: str, place: str, words: str) -> None:
    error = failure(text)
    assert words in error.message
    assert str(error.location) == f"{PATH}:{place}"
    assert error.database == "primary"
    assert error.next_step


@pytest.mark.parametrize(
    "text",
    ["PREPARE x AS SELECT 1", "DISCARD PLANS", "SELECT 'BEGIN'", "COPY t FROM '/tmp/stdin'"],
)
def test_texts_that_resemble_transaction_control_run(text: str) -> None:
    assert [step.text for step in steps_of(text)] == [text]


@pytest.mark.parametrize("text", [*REFUSED, *REFUSED_WITH_A_PUBLISHER])
def test_a_statement_that_refuses_a_transaction_is_a_step_of_its_own(text: str) -> None:
    found = steps_of(f"SELECT 1;\n{text};\nSELECT 2;")
    assert [(step.transactional, step.text) for step in found] == [
        (True, "SELECT 1"),
        (False, text),
        (True, "SELECT 2"),
    ]


@pytest.mark.parametrize("text", [*ACCEPTED, "", "'vacuum'"])
def test_a_statement_that_the_server_accepts_in_a_transaction_stays_in_it(text: str) -> None:
    assert not refuses_transaction(Statement(text=text, line=1, column=1))


def test_consecutive_statements_are_one_step_with_their_comments_as_written() -> None:
    text = "\n-- first\nSELECT 1; -- why\n\n/* hint */ SELECT 2;\n-- last\n"
    (step,) = steps_of(text, line=4)
    assert step.text == "-- first\nSELECT 1; -- why\n\n/* hint */ SELECT 2"
    assert (step.line, step.column) == (5, 1)
    assert [(one.text, one.line, one.column) for one in step.statements] == [
        ("SELECT 1", 6, 1),
        ("SELECT 2", 8, 12),
    ]


def test_a_marked_statement_is_a_step_of_its_own() -> None:
    found = steps_of("SELECT 1;\n  -- @DBWarden : Autocommit \r\n-- why\nTRUNCATE t;\nSELECT 2;")
    assert [(step.transactional, step.line, step.column) for step in found] == [
        (True, 1, 1),
        (False, 2, 3),
        (True, 5, 1),
    ]
    assert found[1].statements[0] == Statement(text="TRUNCATE t", line=4, column=1, marked=True)


def test_a_marker_reaches_its_statement_over_blank_lines_comments_and_empty_statements() -> None:
    (statement,) = cut("-- @dbwarden:autocommit\n\n/* a */ -- b\n;\nTRUNCATE t")
    assert statement.marked


def test_a_marker_in_a_comment_or_string_has_no_effect() -> None:
    text = "/*\n-- @dbwarden:autocommit\n*/ SELECT '\n-- @dbwarden:autocommit\n'; SELECT 2"
    assert [statement.marked for statement in cut(text)] == [False, False]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("SELECT 1;\n-- @dbwarden:autocommit\n-- x\n", "2:1", "no statement follows"),
        ("SELECT 1; -- @dbwarden:autocommit\nSELECT 2", "1:11", "on a line of its own"),
        ("SELECT\n-- @dbwarden:autocommit\n1", "2:1", "on a line of its own"),
    ],
)
def test_a_marker_without_a_statement_is_an_error(text: str, place: str, words: str) -> None:
    error = failure(text)
    assert words in error.message
    assert str(error.location) == f"{PATH}:{place}"


def test_no_statement_makes_no_step() -> None:
    assert steps_of(" ;; -- nothing\n/* here */") == ()
