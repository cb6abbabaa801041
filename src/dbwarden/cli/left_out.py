"""Print the objects that were not compared, and what to do about them."""

from collections.abc import Sequence

from dbwarden.authoring.compare.left_out import LeftOut
from dbwarden.cli import output


def left_out_lines(left: Sequence[LeftOut]) -> list[str]:
    """Return one line for each object that was not compared, and what to do about them."""
    if not left:
        return []
    steps = dict.fromkeys(item.next_step for item in left)
    return ["  left out:", *(f"    {item}" for item in left), *(f"    {step}" for step in steps)]


def note_left_out(left: Sequence[LeftOut], database: str | None) -> None:
    """Write the objects left out to stderr, because stdout holds a table, SQL or code."""
    if left:
        output.note(*([f"{database}:"] if database else []), *left_out_lines(left))
