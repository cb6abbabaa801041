"""Renames whose new name something else still has: that steps aside first. Pure."""

from collections.abc import Iterable
from dataclasses import replace

from dbwarden.diff.changes import Rename, Renaming
from dbwarden.diff.renames import renamed
from dbwarden.schema import Kind, Ref, Schema, ref_of

LONGEST = 63
"""Characters of a name that PostgreSQL keeps: https://www.postgresql.org/docs/current/limits.html"""


def with_room(schema: Schema, renames: Iterable[Renaming]) -> tuple[Renaming, ...]:
    """*renames*, each preceded by one more where its new name is taken in *schema*.

    What steps aside is dropped later, is renamed in its turn (two that change their names), or
    would have been made anew. Tables, columns and sequences do so.
    """
    found: list[Renaming] = []
    aside: dict[Ref, Ref] = {}
    for rename in renames:
        if not isinstance(rename, Rename):
            found.append(rename)
            continue
        before = aside.pop(rename.before, rename.before)
        taken = _refs(renamed(schema, found), rename.after)
        if rename.after in taken and rename.after != before:
            aside[rename.after] = _free(rename.after, taken)
            found.append(Rename(before=rename.after, after=aside[rename.after]))
        found.append(Rename(before=before, after=rename.after))
    return tuple(found)


def _refs(schema: Schema, like: Ref) -> frozenset[Ref]:
    """All things of the kind of *like*, in its table where it is a column."""
    match like.kind:
        case Kind.TABLE:
            return frozenset(table.ref for table in schema.tables)
        case Kind.SEQUENCE:
            return frozenset(sequence.ref for sequence in schema.sequences)
        case Kind.COLUMN:
            table = schema.table(like.table)
            columns = table.columns if table is not None else ()
            return frozenset(ref_of(Kind.COLUMN, like.table, item.name) for item in columns)
        case _:
            return frozenset()


def _free(ref: Ref, taken: frozenset[Ref]) -> Ref:
    ending, number = "__old", 1
    while True:
        stem = (ref.part or ref.name)[: LONGEST - len(ending)]
        word = stem + ending
        other = replace(ref, part=word) if ref.part is not None else replace(ref, name=word)
        if other not in taken:
            return other
        number += 1
        ending = f"__old{number}"
