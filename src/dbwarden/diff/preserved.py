"""Restore what is lost when a part is dropped and recreated. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from dbwarden.diff.changes import (
    AddColumn,
    AddConstraint,
    AddIndex,
    Alter,
    AlterTable,
    Change,
    Create,
    CreateTable,
    Drop,
    DropColumn,
    RebuildType,
    subject,
)
from dbwarden.diff.compare import table_properties
from dbwarden.schema import Schema, Table
from dbwarden.schema import Sequence as SchemaSequence

BY_INDEX = "USING INDEX "


def detach_sequences(
    changes: Sequence[Change], current: Schema, desired: Schema
) -> Iterator[Change]:
    """Detach a sequence from the column that owns it if that column is recreated."""
    gone = {subject(change) for change in changes if isinstance(change, DropColumn)}
    come = {subject(change) for change in changes if isinstance(change, AddColumn)}
    owners = {item.name: item.owned_by for item in current.of(SchemaSequence)}
    for sequence in desired.of(SchemaSequence):
        owner = sequence.owned_by
        if owner in gone & come and owners.get(sequence.name) == owner:
            free = replace(sequence, owned_by=None)
            yield Alter(before=sequence, after=free)
            yield Alter(before=free, after=sequence)


def restore_replica_identities(changes: Sequence[Change], desired: Schema) -> Iterator[Change]:
    """Set the replica identity again when its index is dropped and recreated."""
    recreated = {
        (
            change.table,
            change.index.name if isinstance(change, AddIndex) else change.constraint.name,
        )
        for change in changes
        if isinstance(change, AddIndex | AddConstraint)
    }
    handled = {change.table.name for change in changes if isinstance(change, CreateTable)}
    handled |= {
        change.after.name
        for change in changes
        if isinstance(change, AlterTable)
        and change.before.replica_identity != change.after.replica_identity
    }
    for table in desired.tables:
        chosen = _replica_index(table)
        if chosen and table.name not in handled and (table.name, chosen) in recreated:
            own = table_properties(table)
            yield AlterTable(before=replace(own, replica_identity="DEFAULT"), after=own)


def restore_grants(changes: Sequence[Change], current: Schema, desired: Schema) -> Iterator[Change]:
    """Grant the existing privileges again on recreated objects, where grants are not compared."""
    gone = {change.obj.ref for change in changes if isinstance(change, Drop)}
    recreated = {change.obj.ref for change in changes if isinstance(change, Create)}
    again = gone & recreated
    again |= {now.ref for c in changes if isinstance(c, RebuildType) for _, now in c.types}
    for grant in current.existing_grants or desired.existing_grants:
        if grant.on in again:
            yield Create(obj=grant)


def _replica_index(table: Table) -> str | None:
    """Return the index that is the table's replica identity."""
    if not table.replica_identity.startswith(BY_INDEX):
        return None
    return table.replica_identity.removeprefix(BY_INDEX)
