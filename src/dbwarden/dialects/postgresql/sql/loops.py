"""Write a loop as a statement. Pure."""

from collections.abc import Iterator
from textwrap import dedent, indent

from dbwarden.dialects.authoring import Repeated


def repeat(statement: Repeated, *, commits: bool) -> str:
    """Return the block that runs *statement* until it changes no row.

    If it *commits* after each time, it cannot run in a transaction.
    """
    text = "".join(statement.parts)
    names = list(_names(text, len(statement.counters)))
    sql = statement.parts[0] + "".join(
        name + part for name, part in zip(names, statement.parts[1:], strict=True)
    )
    sql = dedent(sql).strip().rstrip(";").rstrip()
    counted = list(zip(names, statement.counters, strict=True))
    lines = [
        *(["DECLARE"] if counted else []),
        *(f"    {name} bigint := {first};" for name, (first, _) in counted),
        "BEGIN",
        "    LOOP",
        sql + ";" if "'" in text and "\n" in text else indent(f"{sql};", " " * 8),
        "        EXIT WHEN NOT FOUND;",
        *(["        COMMIT;"] if commits else []),
        *(f"        {name} := {name} + {step};" for name, (_, step) in counted),
        "    END LOOP;",
        "END",
    ]
    quote = next(_tags(text))
    return "\n".join([f"DO {quote}", *lines, quote])


def _names(text: str, count: int) -> Iterator[str]:
    """Yield *count* names that are not in *text*."""
    number = 0
    while count:
        number += 1
        if (name := f"n{number}") not in text.lower():
            count -= 1
            yield name


def _tags(text: str) -> Iterator[str]:
    number = 0
    while True:
        tag = f"$loop{number or ''}$" if "$" in text else "$$"
        if tag not in text:
            yield tag
        number += 1
