"""Derive structural dependencies: a column needs its table, a foreign key its referred table.

The server's recorded dependencies cover expressions; these cover the structure. Both determine the
order. Schemas without recorded dependencies (tests, other database kinds) have at least these.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from dbwarden.diff.cycles import dropped_before_table
from dbwarden.schema import (
    RELATIONS,
    ROUTINES,
    Constraint,
    DefaultPrivileges,
    Exclusion,
    ForeignKey,
    Grant,
    Index,
    Key,
    MaterializedView,
    ObjectKind,
    Policy,
    QualifiedName,
    Ref,
    Rule,
    Schema,
    SchemaObject,
    Sequence,
    Statistics,
    Table,
    Trigger,
    ref_of,
)
from dbwarden.schema.kind_traits import traits_of

RefPairs = Iterator[tuple[Ref, Ref]]
Partitions = Mapping[QualifiedName, list[QualifiedName]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """The dependencies of one schema in both directions, and the parts of each relation."""

    needs: Mapping[Ref, tuple[Ref, ...]]
    needed_by: Mapping[Ref, tuple[Ref, ...]]
    parts: Mapping[QualifiedName, tuple[Ref, ...]]


def without_checks(all_links: Links, bare: Collection[Ref]) -> Links:
    """Return *all_links* without the routines that *bare* domains and views need: their expressions
    change separately."""
    needs = {
        ref: tuple(need for need in found if need.kind not in ROUTINES) if ref in bare else found
        for ref, found in all_links.needs.items()
    }
    return replace(all_links, needs=needs) if bare else all_links


_WITH_EXPRESSIONS = (ObjectKind.DOMAIN, ObjectKind.VIEW)


def ownership(sequence: Ref) -> Ref:
    """Return the identity of a sequence's ownership by a column, which needs both of them."""
    return replace(sequence, part="ownership")


def expressions(ref: Ref) -> Ref:
    """Return the identity of the checks and default of a domain, or of the query of a view; they
    can change while it is in use."""
    return replace(ref, part="expressions")


def replica_identity(table: QualifiedName) -> Ref:
    """Return the identity of a table's replica identity, which may need an index of the table."""
    return ref_of(ObjectKind.TABLE, table, "replica identity")


def parentage(table: QualifiedName) -> Ref:
    """Return the identity of a table's parent links, which need its own columns."""
    return ref_of(ObjectKind.TABLE, table, "parents")


def links(schema: Schema) -> Links:
    """Return all dependencies known for *schema*."""
    needs: defaultdict[Ref, list[Ref]] = defaultdict(list)
    needed_by: defaultdict[Ref, list[Ref]] = defaultdict(list)
    recorded = () if traits_of(schema.dialect).resolves_names_late else schema.dependencies
    inside = ((expressions(user), ref) for user, ref in recorded if user.kind in _WITH_EXPRESSIONS)
    for user, needed in (*recorded, *inside, *_structural(schema)):
        if user != needed:
            needs[user].append(needed)
            needed_by[needed].append(user)
    parts: defaultdict[QualifiedName, list[Ref]] = defaultdict(list)
    apart = dropped_before_table(schema)
    for obj in schema.objects:
        if isinstance(obj, Trigger | Rule | Policy | Statistics) and obj.ref not in apart:
            parts[obj.table].append(obj.ref)
        elif isinstance(obj, Sequence) and obj.owned_by is not None:
            parts[obj.owned_by.table].append(obj.ref)
    return Links(
        needs={ref: tuple(dict.fromkeys(found)) for ref, found in needs.items()},
        needed_by={ref: tuple(dict.fromkeys(found)) for ref, found in needed_by.items()},
        parts={name: tuple(found) for name, found in parts.items()},
    )


def _partitions(schema: Schema) -> Partitions:
    found: defaultdict[QualifiedName, list[QualifiedName]] = defaultdict(list)
    for table in schema.tables:
        if table.partition_of is not None:
            found[table.partition_of.parent].append(table.name)
    return found


def _structural(schema: Schema) -> RefPairs:
    partitions = _partitions(schema)
    relations = {obj.ref.table: obj.ref for obj in schema.objects if obj.ref.kind in RELATIONS}
    for table in schema.tables:
        relations[table.name] = table.ref
        yield from _table(partitions, table)
    for grant in schema.existing_grants:
        yield grant.ref, grant.on
    for obj in schema.objects:
        yield from _namespace(obj.ref)
        yield from _object(obj, relations)


def _namespace(ref: Ref) -> RefPairs:
    if ref.namespace is not None:
        yield ref, Ref(ObjectKind.NAMESPACE, None, ref.namespace)


def _object(obj: SchemaObject, relations: Mapping[QualifiedName, Ref]) -> RefPairs:
    match obj:
        case Trigger() | Rule() | Policy() | Statistics():
            yield obj.ref, relations.get(obj.table, ref_of(ObjectKind.TABLE, obj.table))
        case Sequence(owned_by=owner) if owner is not None:
            yield ownership(obj.ref), owner
            yield ownership(obj.ref), obj.ref
        case MaterializedView(indexes=indexes):
            for index in indexes:
                yield index.ref_in(obj.name), obj.ref
        case Grant(on=on):
            yield obj.ref, on
        case DefaultPrivileges(namespace=namespace) if namespace is not None:
            yield obj.ref, Ref(ObjectKind.NAMESPACE, None, namespace)


def _table(partitions: Partitions, table: Table) -> RefPairs:
    yield from _namespace(table.ref)
    yield parentage(table.name), table.ref
    for parent in table.parents:
        yield table.ref, ref_of(ObjectKind.TABLE, parent)
        yield parentage(table.name), ref_of(ObjectKind.TABLE, parent)
    for column in table.columns:
        own = table.column_ref(column.name)
        yield own, table.ref
        if column.default is not None:
            yield ref_of(ObjectKind.DEFAULT, table.name, column.name), own
    for constraint in table.constraints:
        yield from _constraint(partitions, table, constraint)
    for index in table.indexes:
        yield from _index(table, index)
    identity = replica_identity(table.name)
    yield identity, table.ref
    if table.replica_index is not None:
        yield identity, Ref(ObjectKind.INDEX, table.name.namespace, table.replica_index)
        yield identity, ref_of(ObjectKind.CONSTRAINT, table.name, table.replica_index)


def _constraint(partitions: Partitions, table: Table, constraint: Constraint) -> RefPairs:
    own = constraint.ref_in(table.name)
    yield own, table.ref
    if not isinstance(constraint, Exclusion):
        for name in constraint.columns:
            yield own, table.column_ref(name)
    if isinstance(constraint, Key):
        for name in constraint.include:
            yield own, table.column_ref(name)
    if isinstance(constraint, ForeignKey):
        yield from _references(partitions, own, constraint)


def _references(partitions: Partitions, own: Ref, key: ForeignKey) -> RefPairs:
    yield own, ref_of(ObjectKind.TABLE, key.references)
    below = list(partitions.get(key.references, ()))
    for table in below:  # the server depends on every partition
        below += partitions.get(table, ())
        yield own, ref_of(ObjectKind.TABLE, table)
    for name in key.referred_columns:
        yield own, ref_of(ObjectKind.COLUMN, key.references, name)


def _index(table: Table, index: Index) -> RefPairs:
    own = index.ref_in(table.name)
    yield own, table.ref
    keys = (column.column for column in index.columns if column.column is not None)
    for name in (*keys, *index.include):
        yield own, table.column_ref(name)
