"""Write a loop as a statement. Pure."""

from collections.abc import Iterator
from textwrap import dedent, indent

from dbwarden.dialects.authoring import Repeated
from dbwarden.files.lexing import POSTGRESQL, has_lines_in_quotes


def repeat(statement: Repeated, *, commits: bool) -> str:
    """Return the block that repeats *statement*.

    If it *commits* after each time, it cannot run in a transaction.
    """
    text = "".join(statement.parts)
    total, *names = _names(text, len(statement.counters) + 1)
    sql = statement.parts[0] + "".join(
        name + part for name, part in zip(names, statement.parts[1:], strict=True)
    )
    sql = sql.strip().rstrip(";").rstrip()
    sql += "\n;" if "--" in sql.rpartition("\n")[2] else ";"
    if not has_lines_in_quotes(POSTGRESQL, sql):
        sql = indent(dedent(f"{' ' * 8}{sql}"), " " * 8)
    counted = list(zip(names, statement.counters, strict=True))
    until = ["EXIT WHEN NOT FOUND;"]
    declared = [f"{name} bigint := {first};" for name, (first, _) in counted]
    if statement.least > 1:
        declared.insert(0, f"{total} bigint;")
        until = [
            f"GET DIAGNOSTICS {total} = ROW_COUNT;",
            f"EXIT WHEN {total} < {statement.least};",
        ]
    lines = [
        *(["DECLARE"] if declared else []),
        *(f"    {each}" for each in declared),
        "BEGIN",
        "    LOOP",
        sql,
        *(f"        {each}" for each in until),
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
