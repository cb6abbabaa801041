"""Print what was not compared, and what to do about it."""

from collections.abc import Sequence

from dbwarden.authoring.compare.left_out import LeftOut
from dbwarden.cli import output


def left_out_lines(left: Sequence[LeftOut]) -> list[str]:
    """Return what was not compared, a line each, and what to do about it."""
    if not left:
        return []
    steps = dict.fromkeys(item.next_step for item in left)
    return ["  left out:", *(f"    {item}" for item in left), *(f"    {step}" for step in steps)]


def note_left_out(left: Sequence[LeftOut], database: str | None) -> None:
    """Write to stderr what was left out, where stdout holds a table, SQL or code."""
    if left:
        output.note(*([f"{database}:"] if database else []), *left_out_lines(left))
