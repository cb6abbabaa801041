"""Leave out objects that dbwarden does not write, and their dependents. Pure.

dbwarden does not write conversions, languages or operator classes. They are removed from both
schemas with the views, columns or functions that need them, and listed by name, so that the rest
can be compared.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from dbwarden.authoring.labels import display_name
from dbwarden.authoring.subsets import PARTS_OF_TABLES
from dbwarden.diff.structure import Links, links
from dbwarden.quoting import unquoted
from dbwarden.schema import (
    Grant,
    MaterializedView,
    ObjectKind,
    Part,
    PlainObject,
    Ref,
    Schema,
    SchemaObject,
    Table,
)
from dbwarden.schema.closure import reachable

WRITE_IT = "To have it, write its SQL into a migration: dbwarden make-migrations --empty -m ..."
NOT_WRITTEN = "dbwarden does not write this kind"
PARTITIONS = "partitions"
"""The kind of the partitions of a table that no model declares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """An object that was not compared: its kind, its name, the reason, and the next step.

    ``count`` is the number of :data:`PARTITIONS` of the table *name*.
    """

    kind: str
    name: str
    why: str
    next_step: str = WRITE_IT
    count: int = 1

    def __str__(self) -> str:
        """Return a readable text: ``column docs.words (needs ...)``, ``conversion con``."""
        if self.kind == PARTITIONS:
            number = "1 partition" if self.count == 1 else f"{self.count} partitions"
            verb = "was" if self.count == 1 else "were"
            return f"{number} of {self.name} {verb} left alone: {self.why}"
        return f"{self.kind} {self.name}" + (f" ({self.why})" if self.why != NOT_WRITTEN else "")


def unclaimed(tables: Mapping[str, str]) -> tuple[LeftOut, ...]:
    """Return the *tables* that no database claims, with the modules that define them."""
    step = "Name the module in model_paths, or leave the table to others."
    return tuple(
        LeftOut(kind="table", name=name, why=f"{home} is in no model_paths", next_step=step)
        for name, home in tables.items()
    )


def buildable(schema: Schema, floor: Schema) -> Schema:
    """Return the part of *schema* that can be built on *floor*."""
    return with_others(without(schema, unbuildable(schema, floor)), floor.others)


def with_others(schema: Schema, others: Iterable[PlainObject]) -> Schema:
    """Return *schema* with *others* as its objects that dbwarden does not write."""
    written = (it for it in schema.objects if it.ref.kind is not ObjectKind.OTHER)
    return schema.with_objects((*written, *others))


def unbuildable(schema: Schema, floor: Schema) -> frozenset[Ref]:
    """Return the objects of *schema* that cannot be written and are not in *floor*, and their
    dependents."""
    there = {other.ref for other in floor.others}
    return with_dependents(schema, {it.ref for it in schema.others} - there)


def comparable(
    current: Schema, desired: Schema, dropped: AbstractSet[Ref] = frozenset()
) -> tuple[Schema, Schema, frozenset[Ref]]:
    """Return both schemas without the objects that cannot be compared, and these objects.

    Args:
        current: The current schema.
        desired: The desired schema.
        dropped: Objects that are known to be missing in one of them.
    """
    old, new = ({other.ref: other for other in it.others} for it in (current, desired))
    lone = frozenset(old.keys() ^ new.keys())
    dropped = dropped | with_dependents(current, lone) | with_dependents(desired, lone)
    unlike = {ref for ref in old.keys() & new.keys() if old[ref] != new[ref]}
    left = frozenset(dropped | unlike)
    return without(current, left), without(desired, left), left


def names_of(left: AbstractSet[Ref], *schemas: Schema) -> tuple[LeftOut, ...]:
    """Return the objects of *left* by name, without the parts of tables that are left out whole."""
    if not left:
        return ()
    tables = {
        ref.table
        for ref in left
        if ref.kind in (ObjectKind.TABLE, ObjectKind.VIEW, ObjectKind.OTHER)
    }
    default = schemas[0].default_namespace if schemas else None
    needs = [links(schema).needs for schema in schemas]
    items: list[LeftOut] = []
    for ref in sorted(left, key=lambda ref: (ref.kind is not ObjectKind.OTHER, *ref.sort_key)):
        if ref.kind in (ObjectKind.DEFAULT, ObjectKind.GRANT):
            continue
        if ref.kind in PARTS_OF_TABLES and ref.table in tables:
            continue
        kind = ref.part if ref.kind is ObjectKind.OTHER and ref.part else ref.kind.value
        name = display_name(ref, default).removeprefix(f"{kind} ")
        if ref.kind is ObjectKind.OTHER:
            items.append(LeftOut(kind=kind, name=name, why=NOT_WRITTEN))
            continue
        needed = next((it for each in needs for it in each.get(ref, ()) if it in left), None)
        why = f"needs {display_name(needed, default)}" if needed else "needs what was left out"
        items.append(LeftOut(kind=kind, name=name, why=why))
    return tuple(items)


def with_dependents(schema: Schema, refs: AbstractSet[Ref]) -> frozenset[Ref]:
    """Return *refs* and their dependents in *schema*."""
    if not refs:
        return frozenset()
    known = links(schema)
    return reachable(refs, lambda ref: _users(schema, known, ref))


def without_users(
    schema: Schema, refs: AbstractSet[Ref], start: AbstractSet[Ref]
) -> frozenset[Ref]:
    """Return *refs* without *start* and what needs it, even indirectly through other *refs*."""
    users = schema.needed_by()
    return frozenset(refs - reachable(start, lambda ref: refs & {*users.get(ref, ())}))


def _users(schema: Schema, known: Links, ref: Ref) -> Iterator[Ref]:
    for user in known.needed_by.get(ref, ()):
        match user.kind:
            case ObjectKind.DEFAULT:  # the value of a generated column, too
                yield replace(user, kind=ObjectKind.COLUMN)
            case ObjectKind.TABLE | ObjectKind.DOMAIN | ObjectKind.SEQUENCE:
                yield replace(user, part=None)
            case _:
                yield user
    if ref.kind is ObjectKind.COLUMN:
        table = schema.table(ref.table)
        if table is not None and ref.part and ref.part in (table.partition_by or ""):
            yield table.ref


def without(schema: Schema, refs: AbstractSet[Ref]) -> Schema:
    """Return *schema* without the objects that *refs* name."""
    if not refs:
        return schema
    objects = (_object(it, refs) for it in schema.objects if it.ref not in refs)
    grants = (_without_columns(it, refs) for it in schema.existing_grants)
    return replace(
        schema,
        tables=tuple(_table(it, refs) for it in schema.tables if it.ref not in refs),
        objects=tuple(it for it in objects if it is not None),
        existing_grants=tuple(it for it in grants if it is not None),
        dependencies=tuple(pair for pair in schema.dependencies if not refs & {*pair}),
    )


def _object(obj: SchemaObject, refs: AbstractSet[Ref]) -> SchemaObject | None:
    """Return *obj* without its parts that are in *refs*, or ``None`` if nothing is left of it."""
    match obj:
        case MaterializedView(indexes=indexes):
            kept = tuple(it for it in indexes if it.ref_in(obj.name) not in refs)
            return replace(obj, indexes=kept)
        case Grant():
            return _without_columns(obj, refs)
        case _:
            return obj


def _table(table: Table, refs: AbstractSet[Ref]) -> Table:
    def kept(part: Part) -> Part | None:
        return part if part.ref_in(table.name) not in refs else None

    made = table.map_parts(kept)
    return table if made == table else made


def _without_columns(grant: Grant, refs: AbstractSet[Ref]) -> Grant | None:
    """Return *grant* without its columns that are in *refs*, if anything is left of it."""
    if grant.ref in refs or grant.on in refs:
        return None
    dropped = {
        ref.part for ref in refs if ref.kind is ObjectKind.COLUMN and ref.table == grant.on.table
    }
    if not dropped:
        return grant

    def stay(words: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(word for word in words if _column_of(word) not in dropped)

    narrower = replace(
        grant,
        privileges=stay(grant.privileges),
        grantable=stay(grant.grantable),
        revoked=stay(grant.revoked),
    )
    return narrower if narrower.privileges or narrower.revoked else None


def _column_of(privilege: str) -> str | None:
    """Return the column of ``SELECT ("a")``."""
    _, bracket, name = privilege.removesuffix(")").partition(" (")
    return unquoted(name) if bracket else None
