"""Renames whose new name something else still has: that steps aside first. Pure."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from dbwarden.diff.changes import Change, Rename, Renaming
from dbwarden.diff.effects import Name, names
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
            aside[rename.after] = _free(rename.after, {ref.part or ref.name for ref in taken})
            found.append(Rename(before=rename.after, after=aside[rename.after]))
        found.append(Rename(before=before, after=rename.after))
    return tuple(found)


def without_circles(
    changes: Sequence[Change], current: Schema, desired: Schema
) -> tuple[Change, ...]:
    """*changes*, where things that pass their names round in a circle have one of them step aside.

    Constraints and indexes of two tables that change their names do so.
    """
    renames = [change for change in changes if isinstance(change, Rename)]
    freed = {name: rename for rename in renames for name in names(rename)[1]}
    aside = set(_closing(renames, freed))
    taken = {*_words(current), *_words(desired)} if aside else set()
    found: list[Change] = []
    for change in changes:
        if isinstance(change, Rename) and change in aside:
            middle = _free(change.before, taken)
            found.append(Rename(before=change.before, after=middle, aside=True))
            found.append(Rename(before=middle, after=change.after))
        else:
            found.append(change)
    return tuple(found)


def _closing(renames: Sequence[Rename], freed: Mapping[Name, Rename]) -> Iterator[Rename]:
    """One rename of each circle."""
    seen: set[Rename] = set()
    for first in renames:
        path: list[Rename] = []
        rename: Rename | None = first
        while rename is not None and rename not in seen:
            seen.add(rename)
            path.append(rename)
            rename = next((freed[name] for name in sorted(names(rename)[0]) if name in freed), None)
        if rename is not None and rename in path:
            yield rename


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


def _words(schema: Schema) -> Iterator[str]:
    """All names that something in *schema* may have to itself."""
    for thing in schema.things:
        yield thing.ref.part or thing.ref.name
    for table in schema.tables:
        yield table.name.name
        yield from (item.name for item in (*table.constraints, *table.indexes) if item.name)
    for view in schema.materialized_views:
        yield from (index.name for index in view.indexes)


def _free(ref: Ref, taken: Container[str]) -> Ref:
    """*ref* under a name that nothing has."""
    ending, number = "__old", 1
    while True:
        word = (ref.part or ref.name)[: LONGEST - len(ending)] + ending
        if word not in taken:
            return replace(ref, part=word) if ref.part is not None else replace(ref, name=word)
        number += 1
        ending = f"__old{number}"
