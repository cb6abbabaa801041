"""Render changes as SQLite statements. Pure.

SQLite's ALTER TABLE can only add, drop and rename columns; other changes require a rebuild of the
table. All changes of a table are combined into one rebuild, and views and triggers are dropped in
the meantime.
"""

from collections.abc import Iterator, Sequence

from dbwarden.dialects.sqlite.ddl import objects, tables
from dbwarden.dialects.sqlite.ddl.plan import TablePlans, plan
from dbwarden.dialects.sqlite.ddl.supported import refuse_kind
from dbwarden.diff.changes import Change, Create, Drop, RebuildType, Rename, RenameValue
from dbwarden.diff.statements import (
    DEFAULT_OPTIONS,
    PlannedStatement,
    RenderOptions,
)
from dbwarden.schema import Schema

__all__ = ["render"]

Statements = Iterator[PlannedStatement]


def render(
    changes: Sequence[Change],
    *,
    current: Schema,
    desired: Schema,
    options: RenderOptions = DEFAULT_OPTIONS,
) -> tuple[PlannedStatement, ...]:
    """Return the SQL for *changes*, in an order that SQLite accepts.

    Args:
        changes: The result of :func:`dbwarden.diff.diff` for the two schemas.
        current: The schema before.
        desired: The schema afterwards.
        options: Conversions and fills. SQLite has no online forms.

    Raises:
        UnsupportedChange: A change has no SQL; names the object and the next step.
    """
    for change in changes:
        if isinstance(change, RebuildType | RenameValue):
            refuse_kind(change.ref)
    return tuple(_statements(plan(changes, current, desired, options)))


def _statements(whole: TablePlans) -> Statements:
    dropped, created = objects.plan_code(whole)
    yield from dropped
    wanted = _new_names(whole)
    yield from _dropped_indexes(whole, wanted)
    for rename in whole.renames:
        yield from tables.rename(rename)
    yield from _tables(whole, wanted)
    yield from created


def _tables(whole: TablePlans, wanted: frozenset[str]) -> Statements:
    """Create tables before those that refer to them, and drop tables after those."""
    early = [drop for drop, table in whole.dropped if table.name.name.casefold() in wanted]
    for gone in early:
        yield from tables.drop_table(whole, gone)
    for created, table in whole.created:
        yield from tables.create_table(created, table)
    yield from tables.guard(whole)
    for work in whole.works:
        if work.in_place:
            yield from tables.alter(whole, work)
            indexes = {index.name: index for index in work.after.indexes}
            for change in work.index_changes:
                if not isinstance(change, Drop):
                    yield tables.create_index(work.name, indexes[change.ref.name])
        else:
            yield from tables.rebuild(whole, work)
    for gone, _ in whole.dropped:
        if gone not in early:
            yield from tables.drop_table(whole, gone)


def _new_names(whole: TablePlans) -> frozenset[str]:
    """Return new names of tables and indexes, which share a namespace, as SQLite compares them."""
    found = {table.name.name for _, table in whole.created}
    found |= {rename.after.name for rename in whole.renames if rename.after.part is None}
    found |= {index.name for _, table in whole.created for index in table.indexes}
    index_changes = (change for work in whole.works for change in work.index_changes)
    found |= {item.ref.name for item in index_changes if isinstance(item, Create | Rename)}
    return frozenset(name.casefold() for name in found)


def _dropped_indexes(whole: TablePlans, wanted: frozenset[str]) -> Statements:
    """Drop indexes first if their table remains in place or their name is reused."""
    for work in whole.works:
        for change in work.index_changes:
            old = change.before if isinstance(change, Rename) else change.ref
            in_the_way = work.in_place or old.name.casefold() in wanted
            if in_the_way and not isinstance(change, Create):
                yield tables.drop_index(change, old.name)
    for change, table in whole.dropped:
        for index in table.indexes:
            if index.name.casefold() in wanted:
                yield tables.drop_index(change, index.name)
