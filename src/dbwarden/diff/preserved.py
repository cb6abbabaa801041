"""Restore what is lost when a part is dropped and recreated. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from dbwarden.diff.changes import Alter, Change, Create, Drop, RebuildType
from dbwarden.diff.compare import table_properties
from dbwarden.schema import Index, Key, QualifiedName, Ref, Schema, Table
from dbwarden.schema import Sequence as SchemaSequence


def detach_sequences(
    changes: Sequence[Change], current: Schema, desired: Schema
) -> Iterator[Change]:
    """Detach a sequence from the column that owns it if that column is recreated."""
    again = _recreated(changes)
    owners = {item.name: item.owned_by for item in current.of(SchemaSequence)}
    for sequence in desired.of(SchemaSequence):
        owner = sequence.owned_by
        if owner in again and owners.get(sequence.name) == owner:
            free = replace(sequence, owned_by=None)
            yield Alter(before=sequence, after=free)
            yield Alter(before=free, after=sequence)


def restore_replica_identities(changes: Sequence[Change], desired: Schema) -> Iterator[Change]:
    """Set the replica identity again when its index is dropped and recreated."""
    created: set[tuple[QualifiedName, str | None]] = set()
    handled: set[QualifiedName] = set()
    for change in changes:
        match change:
            case Create(obj=Table()):
                handled.add(change.table)
            case Alter(before=Table(replica_identity=was), after=Table(replica_identity=now)):
                handled |= {change.table} if was != now else set()
            case Create(obj=Index(name=name) | Key(name=name)):
                created.add((change.table, name))
    for table in desired.tables:
        rebuilt = (table.name, table.replica_index) in created
        if table.replica_index is not None and table.name not in handled and rebuilt:
            own = table_properties(table)
            yield Alter(before=replace(own, replica_identity="DEFAULT"), after=own)


def restore_grants(changes: Sequence[Change], current: Schema, desired: Schema) -> Iterator[Change]:
    """Grant the existing privileges again on recreated objects, where grants are not compared."""
    again = _recreated(changes)
    again |= {now.ref for c in changes if isinstance(c, RebuildType) for _, now in c.types}
    for grant in current.existing_grants or desired.existing_grants:
        if grant.on in again:
            yield Create(obj=grant)


def _recreated(changes: Sequence[Change]) -> set[Ref]:
    gone = {change.ref for change in changes if isinstance(change, Drop)}
    return gone & {change.ref for change in changes if isinstance(change, Create)}
