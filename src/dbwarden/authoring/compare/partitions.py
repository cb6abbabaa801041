"""Leave out undeclared partitions, which pg_partman or a job creates at run time. Pure.

They are no drift, and no migration drops them. They are removed from both schemas and counted for
each table. A partition is dropped with its table.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from dbwarden.authoring.compare.left_out import PARTITIONS, LeftOut
from dbwarden.schema import (
    Namespace,
    ObjectKind,
    Policy,
    QualifiedName,
    Ref,
    Rule,
    Schema,
    Statistics,
    Trigger,
    ref_of,
)
from dbwarden.schema import Sequence as SchemaSequence

COMPARE_THEM = 'To compare them, set partitions="all".'


def undeclared(current: Schema, desired: Schema) -> Mapping[QualifiedName, QualifiedName]:
    """Return the partitions that only *current* has, with the table of *desired* of each.

    That table is the nearest declared ancestor, because partitions of an undeclared partition are
    undeclared as well.
    """
    declared = {table.name: table for table in desired.tables}
    above = {
        table.name: table.partition_of.parent
        for table in current.tables
        if table.partition_of is not None and table.name not in declared
    }
    partitions = {}
    for name, parent in above.items():
        while parent in above:
            parent = above[parent]
        if parent in declared and declared[parent].partition_by is not None:
            partitions[name] = parent
    return partitions


def counted(
    partitions: Mapping[QualifiedName, QualifiedName], by: str, default: str | None
) -> Iterator[LeftOut]:
    """Yield the number of partitions in *partitions* for each table; no *by* declares them."""
    for parent, count in sorted(Counter(partitions.values()).items()):
        yield LeftOut(
            kind=PARTITIONS,
            name=parent.label(default),
            why=f"no {by} declares them",
            next_step=COMPARE_THEM,
            count=count,
        )


def refs_of(current: Schema, desired: Schema, names: Collection[QualifiedName]) -> frozenset[Ref]:
    """Return the tables called *names*, their parts, and the namespaces only they use."""
    homes = {name.namespace for name in names} - {it.name for it in desired.of(Namespace)}
    refs = {Ref(ObjectKind.NAMESPACE, None, home) for home in homes if home is not None}
    for table in current.tables:
        if table.name in names:
            refs |= {table.ref, *(part.ref_in(table.name) for part in table.parts)}
            refs |= {ref_of(ObjectKind.DEFAULT, table.name, it.name) for it in table.columns}
    for obj in (*current.objects, *desired.objects):
        match obj:
            case Trigger() | Rule() | Policy() | Statistics() if obj.table in names:
                refs.add(obj.ref)
            case SchemaSequence(owned_by=Ref() as owner) if owner.table in names:
                refs.add(obj.ref)
            case _:
                pass
    return frozenset(refs)
