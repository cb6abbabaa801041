"""Many migrations in one message, and the place of an error in it."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbwarden.dialects.base import PendingMigration, Step
from dbwarden.dialects.postgresql.migrate import batching as messages
from dbwarden.dialects.postgresql.migrate.batching import (
    Failed,
    Message,
    NothingRan,
    SendSeparately,
    Trace,
    TransactionLimits,
    Unit,
    batches,
    find_failure,
    locate_offset,
    milliseconds,
    render,
    split_step,
    statement_offsets,
)
from dbwarden.dialects.postgresql.sql.splitting import steps as steps_of
from dbwarden.files.parsing import parse
from dbwarden.types import DatabaseName

MARKER = messages._MARKER
LIMITS = TransactionLimits(
    statement_timeout=None, lock_timeout=5, application="dbwarden primary host:1"
)


def unit(number: int, text: str, **more: str) -> Unit:
    file = parse(
        f"-- upgrade\n{text}",
        path=Path(f"/m/primary__{number:04d}_x.sql"),
        database=DatabaseName("primary"),
        dialect="postgresql",
    )
    steps = steps_of(file, file.upgrade)
    pending = PendingMigration(migration=file, direction="upgrade", steps=steps)
    return Unit(number=number, pending=pending, step=steps[0], record=f"RECORD {number}", **more)


def trace(
    position: int | None = None,
    *,
    done: int = 0,
    marks: int = 0,
    sqlstate: str = "42703",
) -> Trace:
    return Trace(sqlstate=sqlstate, position=position, marks=marks, done=done)


def position(message: Message, text: str, nth: int = 1) -> int:
    at = -1
    for _ in range(nth):
        at = message.text.index(text, at + 1)
    return at + 1


def test_each_migration_is_a_transaction_of_its_own_with_its_record() -> None:
    message = render([unit(1, "SELECT 1"), unit(2, "SELECT 2")], LIMITS)

    ours = (
        "BEGIN;SET LOCAL statement_timeout=0;SET LOCAL lock_timeout=5000;"
        "SET LOCAL application_name='dbwarden primary host:1 000{0}';"
        "SELECT {0}\n;" + MARKER + "RESET SESSION AUTHORIZATION;RESET ROLE;RESET ALL;"
        "RECORD {0};SELECT set_config('dbwarden.done','{0}',false);COMMIT;"
    )
    assert message.text == ours.format(1) + ours.format(2)
    assert message.markers == ((1, 1), (2, 1))


def test_settings_of_earlier_steps_come_after_our_own() -> None:
    message = render([unit(1, "SELECT 1", prelude="SET lock_timeout = 1\n;")], LIMITS)

    assert position(message, "SET LOCAL lock_timeout") < position(message, "SET lock_timeout = 1")
    assert position(message, "SET lock_timeout = 1") < position(message, "SELECT 1")


def test_a_record_alone_is_its_own_transaction() -> None:
    message = render([replace(unit(3, "SELECT 1"), step=None)], LIMITS)

    assert message.text == ("BEGIN;RECORD 3;SELECT set_config('dbwarden.done','3',false);COMMIT;")


def test_markers_separate_statements() -> None:
    text = "A;\n/* ; */ B; -- c;\nC -- end"
    message = render([unit(7, text)], LIMITS)

    assert f"A;\n/* ; */ {MARKER}B; -- c;\n{MARKER}C\n;{MARKER}RESET" in message.text
    assert message.markers == ((7, 1), (7, 2), (7, 3))


@pytest.mark.parametrize(
    "setting",
    ["SET TRANSACTION READ WRITE", "set  local transaction_isolation = 'serializable'"],
)
def test_no_marker_precedes_a_setting_of_the_transaction(setting: str) -> None:
    message = render([unit(1, f"SELECT 1; {setting}; SELECT 2; SELECT 3")], LIMITS)

    assert f"SELECT 1; {setting}; {MARKER}SELECT 2; {MARKER}SELECT 3" in message.text
    assert message.markers == ((1, 2), (1, 3), (1, 4))


@pytest.mark.parametrize(("seconds", "expected"), [(None, 0), (0.0001, 1), (0.25, 250), (5, 5000)])
def test_a_time_limit_is_never_rounded_to_zero(seconds: float | None, expected: int) -> None:
    assert milliseconds(seconds) == expected


def test_concurrently_is_not_limited_by_lock_timeout() -> None:
    assert "SET SESSION lock_timeout=0;" in LIMITS.sql("0001", scope="SESSION", lock=False)


def test_the_application_name_keeps_the_version_within_63_bytes() -> None:
    long = replace(LIMITS, application="dbwarden " + "x" * 80)
    name = long.sql("0042").split("application_name='")[1].split("'")[0]

    assert len(name) == 63
    assert name.endswith("x 0042")


# -- what travels together ------------------------------------------------------------------------


def test_a_message_holds_a_limited_number_of_migrations() -> None:
    units = [unit(n, "SELECT 1") for n in range(1, messages.MOST_UNITS * 2 + 2)]

    assert [len(batch) for batch in batches(units)] == [messages.MOST_UNITS] * 2 + [1]
    assert [u for batch in batches(units) for u in batch] == units
    assert list(batches([])) == []


def test_a_long_migration_travels_alone() -> None:
    long = "SELECT '" + "x" * messages.MOST_CHARACTERS + "'"
    units = [unit(1, "SELECT 1"), unit(2, long), unit(3, "SELECT 3"), unit(4, "SELECT 4")]

    assert [[u.number for u in batch] for batch in batches(units)] == [[1], [2], [3, 4]]


# -- which one failed -----------------------------------------------------------------------------


TWO = [unit(1, "SELECT a;\nSELECT b"), unit(2, "SELECT c;\n  SELECT d")]


def test_a_position_is_a_place_in_the_file() -> None:
    message = render(TWO, LIMITS)

    failed = find_failure(message, trace(position(message, "d\n;"), done=1, marks=3))

    assert isinstance(failed, Failed)
    assert failed.unit is TWO[1]
    assert (failed.location.line, failed.location.column) == (3, 10)
    assert failed.statement is not None
    assert failed.statement.text == "SELECT d"


def test_a_position_in_a_later_migration_means_that_nothing_ran() -> None:
    message = render(TWO, LIMITS)

    verdict = find_failure(message, trace(position(message, "SELECT d"), done=0))

    assert isinstance(verdict, NothingRan)
    assert verdict.before == (TWO[0],)
    assert verdict.failed.unit is TWO[1]
    assert verdict.failed.location.line == 3


def test_without_a_position_the_last_marker_identifies_the_statement() -> None:
    message = render(TWO, LIMITS)

    second = find_failure(message, trace(done=0, marks=1))
    first = find_failure(message, trace(done=1, marks=2))

    assert isinstance(second, Failed) and second.statement is not None
    assert (second.unit, second.statement.text) == (TWO[0], "SELECT b")
    assert isinstance(first, Failed) and first.statement is not None
    assert (first.unit, first.statement.text) == (TWO[1], "SELECT c")


def test_an_error_after_the_last_marker_is_the_end_of_the_transaction() -> None:
    message = render(TWO, LIMITS)

    failed = find_failure(message, trace(done=1, marks=4))

    assert isinstance(failed, Failed)
    assert (failed.unit, failed.statement) == (TWO[1], None)
    assert failed.location.line == 2


def test_a_position_outside_the_files_text_has_no_location() -> None:
    message = render(TWO, LIMITS)

    failed = find_failure(message, trace(position(message, "RECORD 2"), done=1, marks=4))

    assert isinstance(failed, Failed)
    assert (failed.unit, failed.statement) == (TWO[1], None)


def test_a_failing_record_is_located_at_its_file() -> None:
    alone = replace(unit(1, "SELECT 1"), step=None)

    failed = find_failure(render([alone], LIMITS), trace())

    assert isinstance(failed, Failed)
    assert (failed.statement, failed.location.line) == (None, None)


def test_an_error_at_the_end_is_located_at_the_end() -> None:
    message = render([unit(1, "SELECT (")], LIMITS)

    failed = find_failure(message, trace(position(message, f";{MARKER}"), sqlstate="42601"))

    assert isinstance(failed, Failed)
    assert (failed.location.line, failed.location.column) == (2, 9)


def test_a_message_refused_without_a_position_is_sent_in_parts() -> None:
    message = render(TWO, LIMITS)

    assert isinstance(find_failure(message, trace(sqlstate="22021")), SendSeparately)
    # With a sign that something ran, or alone, it is clear which one it was.
    for sent, seen in [
        (message, trace(sqlstate="22021", marks=1)),
        (message, trace(sqlstate="22021", done=1)),
        (render(TWO[:1], LIMITS), trace(sqlstate="22021")),
        (message, trace(sqlstate="22012")),
    ]:
        assert isinstance(find_failure(sent, seen), Failed)


statements = st.lists(
    st.sampled_from(
        ["SELECT 1", "INSERT INTO a\nVALUES ('ü;\n--', 2)", "SELECT $$;\n$$", "DROP TABLE x"]
    ),
    min_size=1,
    max_size=5,
)
gaps = st.sampled_from([";", ";\n", " ;\r\n", "; -- and; so on\n", ";/* ;\n */ ", ";;\n\n  "])


@given(st.lists(st.tuples(statements, gaps, gaps), min_size=1, max_size=4), st.data())
def test_every_position_maps_back_to_its_character(
    files: list[tuple[list[str], str, str]], data: st.DataObject
) -> None:
    units = [unit(n, gap.join(texts) + end) for n, (texts, gap, end) in enumerate(files, start=1)]
    message = render(units, LIMITS)
    chosen = data.draw(st.sampled_from(units))
    assert chosen.step is not None
    offset = data.draw(st.integers(0, len(chosen.step.text) - 1))

    failed = find_failure(
        message, trace(in_message(message, chosen, offset), done=chosen.number - 1)
    )

    assert isinstance(failed, Failed)
    assert failed.unit is chosen
    lines = ("-- upgrade\n" + chosen.pending.migration.upgrade.text).split("\n")
    assert failed.location.line is not None and failed.location.column is not None
    character = (lines[failed.location.line - 1] + "\n")[failed.location.column - 1]
    assert character == chosen.step.text[offset]


def in_message(message: Message, chosen: Unit, offset: int) -> int:
    """Where in the message the character at *offset* of the step is, found by its pieces."""
    for piece in message.slices:
        inside = offset - piece.step_offset
        if piece.unit is chosen and 0 <= inside < piece.length:
            return piece.start + inside + 1
    raise AssertionError("a character of the file is not in the message")


@given(st.lists(st.tuples(statements, gaps, gaps), min_size=1, max_size=4))
def test_the_text_of_files_is_sent_unchanged(files: list[tuple[list[str], str, str]]) -> None:
    units = [unit(n, gap.join(texts) + end) for n, (texts, gap, end) in enumerate(files, start=1)]

    message = render(units, LIMITS)
    for each in units:
        pieces = [
            message.text[piece.start : piece.start + piece.length]
            for piece in message.slices
            if piece.unit is each
        ]
        assert each.step is not None
        assert "".join(pieces) == each.step.text


@given(statements, gaps, gaps)
def test_statements_begin_at_their_reported_places(texts: list[str], gap: str, end: str) -> None:
    for step in steps_of_text(gap.join(texts) + end):
        for statement, offset in zip(step.statements, statement_offsets(step), strict=True):
            assert step.text.startswith(statement.text, offset)


def steps_of_text(text: str) -> tuple[Step, ...]:
    return unit(1, f"VACUUM; SELECT 0; {text} VACUUM").pending.steps


MAKES = (
    "CREATE TABLE a (id int);",
    "-- about b\ncreate unlogged table b (id int); CREATE UNIQUE INDEX i ON b (id);",
    "ALTER TABLE a\n    ADD COLUMN n text DEFAULT ';';",
    "COMMENT ON TABLE a IS 'it''s';",
)


def test_a_long_list_of_creates_can_be_split_into_located_pieces() -> None:
    only = unit(1, "\n".join(MAKES))
    assert only.step is not None
    pieces = split_step(only.step, 2)

    assert [len(piece.statements) for piece in pieces] == [2, 2, 1]
    assert sum((piece.statements for piece in pieces), ()) == only.step.statements
    assert "".join(piece.text for piece in pieces) == only.step.text
    for piece in pieces:
        for statement, offset in zip(piece.statements, statement_offsets(piece), strict=True):
            assert piece.text[offset:].startswith(statement.text)
            found, location = locate_offset(only.pending.migration, piece, offset)
            assert found == statement
            assert (location.line, location.column) == (statement.line, statement.column)


@pytest.mark.parametrize(
    "other",
    [
        "INSERT INTO a VALUES (1);",
        "ALTER TYPE t ADD VALUE 'x';",
        "SET LOCAL search_path = x;",
        "CREATE TEMPORARY TABLE t (id int) ON COMMIT DROP;",
        "DO $$ BEGIN END $$;",
    ],
)
def test_statements_that_depend_on_their_transaction_are_not_split(other: str) -> None:
    step = unit(1, "\n".join((*MAKES, other))).step
    assert step is not None
    assert split_step(step, 2) == (step,)
    assert split_step(step, 6) == (step,)
