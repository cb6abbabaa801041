"""Places of tables: none overlap, and keys lead from right to left."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from dbwarden.drawing.diagram import Diagram, DrawnColumn, DrawnTable, Link, diagram_of
from dbwarden.drawing.layout import layout
from tests.unit.drawing.schemas import BEFORE

NAMES = [f"t{number}" for number in range(30)]


@st.composite
def diagrams(draw: st.DrawFn) -> Diagram:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    tables = tuple(
        DrawnTable(
            name=name,
            columns=tuple(
                DrawnColumn(name=f"c{number}", type="integer")
                for number in range(draw(st.integers(0, 9)))
            ),
        )
        for name in sorted(names)
    )
    pairs = draw(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(names))))
    links = tuple(
        Link(source=source, columns=("c1",), target=target, target_columns=("c0",))
        for source, target in pairs
    )
    return Diagram(tables=tables, links=links)


@given(diagrams())
def test_every_table_has_a_place_of_its_own(diagram: Diagram) -> None:
    found = layout(diagram)
    assert set(found.boxes) == {table.name for table in diagram.tables}
    for box in found.boxes.values():
        assert box.x >= 0 and box.x + box.width <= found.width
        assert box.y >= 0 and box.y + box.height <= found.height
    for one, other in combinations(found.boxes.values(), 2):
        apart = (
            one.x + one.width < other.x
            or other.x + other.width < one.x
            or one.y + one.height < other.y
            or other.y + other.height < one.y
        )
        assert apart, (one, other)


def test_a_table_is_right_of_those_it_refers_to() -> None:
    boxes = layout(diagram_of(BEFORE)).boxes
    assert boxes["users"].x < boxes["orders"].x
    assert boxes["users"].x < boxes["auth.profiles"].x
    assert boxes["orders"].x < boxes["old"].x  # without keys: behind all others


def test_a_thousand_tables_are_about_as_wide_as_high() -> None:
    tables = tuple(DrawnTable(name=f"table_{number}") for number in range(1000))
    found = layout(Diagram(tables=tables, links=()))
    assert 0.3 < found.width / found.height < 4
