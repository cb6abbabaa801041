"""Recreate types that cannot be altered in place, with the types that depend on them. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from dbwarden.diff.alterable import object_alters
from dbwarden.diff.changes import RebuildType, Rebuilt
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import (
    Column,
    CompositeType,
    Domain,
    Enum,
    ObjectKind,
    QualifiedName,
    Ref,
    Schema,
)

TYPES = frozenset({ObjectKind.ENUM, ObjectKind.DOMAIN, ObjectKind.COMPOSITE})
RetypedColumns = tuple[tuple[QualifiedName, Column, Column], ...]


def rebuilt_types(current: Schema, desired: Schema) -> tuple[RebuildType, ...]:
    """Return the types that must be recreated while they are in use.

    Raises:
        UnsupportedChange: A column's values cannot be converted; names the type and the column.
    """
    old, new = _types(current), _types(desired)
    changed = [ref for ref in old if ref in new and old[ref] != new[ref]]
    if not changed:
        return ()
    users = current.needed_by()
    roots = [ref for ref in changed if not _alters(old[ref], new[ref], users)]
    found = []
    for group in _groups(roots, users):
        types = tuple((old[ref], new[ref]) for ref in group if ref in new)
        columns = tuple(item for ref in group for item in _columns(current, desired, ref, users))
        plain = len(types) == 1 and not columns and isinstance(types[0][0], CompositeType)
        if types and not plain:
            _refuse_other_shapes(types, columns)
            (before, after), *along = types
            found.append(
                RebuildType(before=before, after=after, along=tuple(along), columns=columns)
            )
    return tuple(found)


def _types(schema: Schema) -> dict[Ref, Rebuilt]:
    types: tuple[Rebuilt, ...] = (*schema.of(Enum), *schema.of(Domain), *schema.of(CompositeType))
    return {type_.ref: type_ for type_ in types}


def _alters(before: Rebuilt, after: Rebuilt, users: Mapping[Ref, Sequence[Ref]]) -> bool:
    if isinstance(before, CompositeType) and isinstance(after, CompositeType):
        along = _built_on(users, before.ref)
        in_use = any(it.kind is ObjectKind.COLUMN for ref in along for it in users.get(ref, ()))
        return object_alters(before, after) and not (in_use and _retypes(before, after))
    return object_alters(before, after)


def _retypes(before: CompositeType, after: CompositeType) -> bool:
    """Return whether an attribute changes its type; the server refuses that for a type in use."""
    now = {item.name: (item.type, item.collation) for item in after.attributes}
    return any(
        now.get(item.name, (item.type, item.collation)) != (item.type, item.collation)
        for item in before.attributes
    )


def _built_on(users: Mapping[Ref, Sequence[Ref]], type_: Ref) -> list[Ref]:
    """Return a type and its dependent types, in order of their dependencies."""
    order: list[Ref] = []

    def visit(ref: Ref) -> None:
        if ref not in order:
            for user in users.get(ref, ()):
                if user.kind in TYPES:
                    visit(user)
            order.append(ref)

    visit(type_)
    return order[::-1]


def _groups(roots: Sequence[Ref], users: Mapping[Ref, Sequence[Ref]]) -> list[list[Ref]]:
    """Return the roots with their dependent types; roots that share one form one group."""
    groups: list[list[Ref]] = []
    for root in roots:
        own = _built_on(users, root)
        apart = [group for group in groups if not set(group) & set(own)]
        shared = [group for group in groups if set(group) & set(own)]
        members = {ref: None for group in (*shared, own) for ref in group}
        groups = [*apart, _sorted(list(members), users)]
    return groups


def _sorted(refs: Sequence[Ref], users: Mapping[Ref, Sequence[Ref]]) -> list[Ref]:
    """Return *refs* in order of their dependencies."""
    place = {ref: number for number, ref in enumerate(refs)}
    return sorted(refs, key=lambda ref: (-len(_built_on(users, ref)), place[ref]))


def _columns(
    current: Schema, desired: Schema, type_: Ref, users: Mapping[Ref, Sequence[Ref]]
) -> Iterator[tuple[QualifiedName, Column, Column]]:
    """Yield the columns of a type that exist before and after."""
    tables = {table.name: table for table in desired.tables}
    for ref in users.get(type_, ()):
        table = current.table(ref.table) if ref.kind is ObjectKind.COLUMN else None
        was = table.column(ref.part or "") if table is not None else None
        now = tables[ref.table].column(ref.part or "") if ref.table in tables else None
        if was is None or now is None or was.inherited or was.generated or now.generated:
            continue
        if was.type == now.type:  # it keeps the recreated type
            yield ref.table, was, replace(was, default=now.default)


def _refuse_other_shapes(types: Sequence[tuple[Rebuilt, Rebuilt]], columns: RetypedColumns) -> None:
    """Refuse other attributes: a composite value is converted through its text."""
    for before, after in types:
        if not (isinstance(before, CompositeType) and isinstance(after, CompositeType)):
            continue
        same = [item.name for item in before.attributes] == [i.name for i in after.attributes]
        if columns and not same:
            table, was, _ = columns[0]
            raise UnsupportedChange(
                f"{before.ref} would have to be recreated with other attributes, but column "
                f"{table}.{was.name} uses it.",
                next_step="Change the column to another type in one migration, and back in the "
                "next.",
            )
