"""The rows of a COPY become values."""

from hypothesis import given
from hypothesis import strategies as st

from dbwarden.dialects.postgresql.migrate.parse_status import copied_lines

ESCAPES = {"\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
ESCAPES["\v"] = "\\v"


def copied(value: str | None) -> str:
    """*value* as COPY writes it."""
    if value is None:
        return "\\N"
    return "".join(ESCAPES.get(char, char) for char in value)


VALUES = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(st.lists(st.lists(VALUES, min_size=2, max_size=2)))
def test_copied_rows_are_parsed_unchanged(rows: list[list[str | None]]) -> None:
    sent = "".join("\t".join(map(copied, row)) + "\n" for row in rows)
    assert copied_lines(sent.encode()) == rows


def test_a_backslash_before_n_is_not_null() -> None:
    assert copied_lines(b"\\\\N\t\\N\n") == [["\\N", None]]
