"""Free a name by renaming its present owner first. Pure."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from dbwarden.diff.changes import Change, Rename, Renaming
from dbwarden.diff.effects import Name, names
from dbwarden.diff.renames import apply_renames
from dbwarden.schema import ObjectKind, Ref, Schema, free_name
from dbwarden.schema.kind_traits import traits_of


def add_temporary_renames(schema: Schema, renames: Iterable[Renaming]) -> tuple[Renaming, ...]:
    """Return *renames*, each preceded by another one if its new name is taken in *schema*.

    The present owner of the name is dropped later, renamed again (when two swap names), or would
    have been recreated. It may be a column or any object that shares its names with the renamed
    one, such as a view with the name of a table.
    """
    found: list[Renaming] = []
    aside: dict[Ref, Ref] = {}
    for rename in renames:
        if not isinstance(rename, Rename):
            found.append(rename)
            continue
        before = aside.pop(rename.before, rename.before)
        there = apply_renames(schema, found)
        occupant = _occupant(there, rename.after)
        if occupant is not None and occupant != before:
            taken = {*_columns(there, occupant), *there.names_in_use()}
            aside[occupant] = _with_unused_name(occupant, taken)
            found.append(Rename(before=occupant, after=aside[occupant]))
        found.append(Rename(before=before, after=rename.after))
    return tuple(found)


def original_names(changes: Sequence[Change]) -> Mapping[Ref, str]:
    """Return the original names of the objects that a rename moved to a temporary name."""
    found: dict[Ref, str] = {}
    for change in changes:
        if not isinstance(change, Rename):
            continue
        before, after = change.before, change.after
        found[after] = found.pop(before, before.part or before.name)
        if before.kind is ObjectKind.TABLE:
            parts = [ref for ref in found if ref.part is not None and ref.table == before.table]
            found |= {ref.within(after.table): found.pop(ref) for ref in parts}
    return found


def break_rename_cycles(
    changes: Sequence[Change], current: Schema, desired: Schema
) -> tuple[Change, ...]:
    """Return *changes* with a temporary rename for each cycle of names.

    Constraints and indexes of two tables that swap their names form such cycles.
    """
    renames = [change for change in changes if isinstance(change, Rename)]
    freed = {name: rename for rename in renames for name in names(rename)[1]}
    aside = set(_one_per_cycle(renames, freed))
    taken = {*current.names_in_use(), *desired.names_in_use()} if aside else set()
    found: list[Change] = []
    for change in changes:
        if isinstance(change, Rename) and change in aside:
            middle = _with_unused_name(change.before, taken)
            found.append(replace(change, after=middle, aside=True))
            found.append(replace(change, before=middle))
        else:
            found.append(change)
    return tuple(found)


def _one_per_cycle(renames: Sequence[Rename], freed: Mapping[Name, Rename]) -> Iterator[Rename]:
    """Yield one rename of each cycle."""
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


def _occupant(schema: Schema, ref: Ref) -> Ref | None:
    """Return the object in *schema* that has the name of *ref*."""
    if ref.kind is ObjectKind.COLUMN:
        return ref if ref.part in _columns(schema, ref) else None
    if traits_of(schema.dialect).renames_tables_only:
        return ref if schema.table(ref.table) is not None else None
    wanted = _names_of(ref)
    return next(
        (other for other in _relations_and_types(schema) if _names_of(other) & wanted), None
    )


def _names_of(ref: Ref) -> frozenset[Name]:
    return names(Rename(before=ref, after=ref))[0]


def _relations_and_types(schema: Schema) -> Iterator[Ref]:
    for relation in schema.indexed:
        yield from (index.ref_in(relation.name) for index in relation.indexes)
    yield from (obj.ref for obj in (*schema.tables, *schema.objects))


def _columns(schema: Schema, ref: Ref) -> tuple[str, ...]:
    """Return the columns of the table of the column *ref*."""
    table = schema.table(ref.table) if ref.kind is ObjectKind.COLUMN else None
    return tuple(column.name for column in table.columns) if table is not None else ()


def _with_unused_name(ref: Ref, taken: Iterable[str]) -> Ref:
    """Return *ref* with an unused name."""
    word = free_name(ref.part or ref.name, "__old", _Names(taken))
    return replace(ref, part=word) if ref.part is not None else replace(ref, name=word)


class _Names(Container[str]):
    """Names compared without case, as SQLite does."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {name.casefold() for name in names}

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.casefold() in self._names
