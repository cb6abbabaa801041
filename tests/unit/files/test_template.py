"""The text of a new migration file."""

from hypothesis import example, given
from hypothesis import strategies as st

from dbwarden.files.template import empty_migration
from tests.unit.files.texts import problems, read


@given(st.text(max_size=30))
@example("upgrade")
@example("rollback")
@example("requires: x\n-- depends_on: 1")
def test_a_new_file_states_its_purpose_and_asks_for_sql(message: str) -> None:
    text = empty_migration(message)
    assert [problem for _, problem in problems(text)] == ["its upgrade has no statement"]
    filled = read(text.replace("-- upgrade\n", "-- upgrade\nSELECT 1;"))
    assert filled.rollback is not None
    assert filled.rollback.empty
