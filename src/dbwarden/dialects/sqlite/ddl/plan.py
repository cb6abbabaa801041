"""Decide for each remaining table whether to change it in place or to rebuild it. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dbwarden.dialects.sqlite.ddl.clauses import is_constant
from dbwarden.dialects.sqlite.ddl.mentions import mentions
from dbwarden.dialects.sqlite.ddl.supported import refuse_change, require_table
from dbwarden.diff.changes import Alter, Change, Create, Drop, Rename
from dbwarden.diff.renames import apply_renames
from dbwarden.diff.statements import RenderOptions
from dbwarden.diff.temporary_names import original_names
from dbwarden.schema import (
    Check,
    Column,
    ForeignKey,
    Index,
    ObjectKind,
    Part,
    QualifiedName,
    Ref,
    Schema,
    Table,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableChanges:
    """A remaining table, before and afterwards, with its changes.

    ``after`` uses the expressions of the models. ``index_changes`` are separate because an index
    does not need a rebuild.
    """

    before: Table
    after: Table
    changes: tuple[Change, ...]
    index_changes: tuple[Change, ...]
    in_place: bool

    @property
    def name(self) -> QualifiedName:
        """Its name after the renames."""
        return self.after.name


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePlans:
    """The whole plan, grouped by table.

    ``base`` is the current schema after the renames of tables and columns. ``original_names`` holds
    the original names. ``taken`` are all names in use at any time, as SQLite compares them.
    """

    current: Schema
    base: Schema
    desired: Schema
    options: RenderOptions
    changes: tuple[Change, ...]
    renames: tuple[Rename, ...]
    original_names: Mapping[Ref, str]
    created: tuple[tuple[Create, Table], ...]
    works: tuple[TableChanges, ...]
    dropped: tuple[tuple[Drop, Table], ...]
    taken: frozenset[str]

    @property
    def rebuilt(self) -> tuple[TableChanges, ...]:
        """The tables to rebuild."""
        return tuple(work for work in self.works if work.changes and not work.in_place)

    def scratch_name(self, table: Table) -> str:
        """Return an unused name for *table* during its rebuild."""
        name = f"new_{table.name.name}"
        while name.casefold() in self.taken:
            name = f"new_{name}"
        return name


def plan(
    changes: Sequence[Change], current: Schema, desired: Schema, options: RenderOptions
) -> TablePlans:
    """Group *changes* by table.

    Raises:
        UnsupportedChange: SQLite cannot have the table, or dbwarden does not change it.
    """
    kinds = (ObjectKind.TABLE, ObjectKind.COLUMN)
    renames = tuple(c for c in changes if isinstance(c, Rename) and c.before.kind in kinds)
    base = apply_renames(current, renames)
    by_table: defaultdict[QualifiedName, list[Change]] = defaultdict(list)
    for change in changes:
        name = _table_of(change, base)
        if name is not None:
            by_table[name].append(change)
    before = {table.name: table for table in base.tables}
    after = {table.name: table for table in desired.tables}
    return TablePlans(
        current=current,
        base=base,
        desired=desired,
        options=options,
        changes=tuple(changes),
        renames=renames,
        original_names=original_names(renames),
        created=tuple(
            (change, _desired_table(after, change.obj, by_table[change.table]))
            for change in changes
            if isinstance(change, Create) and isinstance(change.obj, Table)
        ),
        works=tuple(
            _work(before[name], _desired_table(after, before[name], found), found, options)
            for name, found in by_table.items()
            if name in before and name in after
        ),
        dropped=tuple(
            (change, before[change.table])  # with the indexes that are dropped on their own
            for change in changes
            if isinstance(change, Drop) and isinstance(change.obj, Table)
        ),
        taken=frozenset(
            name.casefold() for schema in (current, base, desired) for name in schema.names_in_use()
        ),
    )


def _table_of(change: Change, base: Schema) -> QualifiedName | None:
    match change:
        case Rename(before=ref) if ref.kind is ObjectKind.CONSTRAINT:
            return ref.table
        case Rename(before=ref) if ref.kind is ObjectKind.INDEX:
            return next(
                table.name
                for table in base.tables
                for index in table.indexes
                if index.name == ref.name
            )
        case Create(obj=Table() | Part()) | Drop(obj=Part()) | Alter(after=Table() | Part()):
            return change.table
        case _:
            return None


def _desired_table(
    tables: dict[QualifiedName, Table], like: Table, changes: Iterable[Change]
) -> Table:
    """Return the desired table with the expressions of *changes*, which are those of the models."""
    table = tables.get(like.name, like)
    made: dict[Ref, Part] = {}
    for change in changes:
        match change:
            case Create(obj=Table() as new):
                parts = (*new.columns, *new.checks)
                made |= {part.ref_in(table.name): part for part in parts}
            case Create(obj=Column() | Check() | Index() as part) | Alter(after=Column() as part):
                made[change.ref] = part
    wanted = table.map_parts(lambda part: made.get(part.ref_in(table.name), part))
    require_table(wanted)
    return wanted


def _work(
    before: Table, after: Table, changes: Sequence[Change], options: RenderOptions
) -> TableChanges:
    if before.virtual is not None or after.virtual is not None:
        refuse_change(after.ref)
    of_indexes = [change for change in changes if change.ref.kind is ObjectKind.INDEX]
    own = tuple(change for change in changes if change.ref.kind is not ObjectKind.INDEX)
    return TableChanges(
        before=before,
        after=after,
        changes=own,
        index_changes=tuple(of_indexes),
        in_place=all(
            _can_alter(before, new_columns(after, own), change, options) for change in own
        ),
    )


def _can_alter(
    before: Table, added: Sequence[Column], change: Change, options: RenderOptions
) -> bool:
    """Return whether SQLite's ALTER TABLE can make *change*."""
    match change:
        case Create(obj=Column() as column):
            filled = f"{change.table.name}.{column.name}" in options.fills
            others = {it.name for it in added if it.generated and it.name != column.name}
            computed = column.generated
            reads_new = computed is not None and mentions(computed.expression, others)
            return _can_add(before, column, filled) and not reads_new
        case Drop(obj=Column() as column):
            return _can_drop(before, column)
        case Create(obj=ForeignKey() | Check() as constraint):
            return column_of(constraint, added) is not None
        case _:
            return False


def _can_add(before: Table, column: Column, filled: bool) -> bool:
    if any(column.name.casefold() == other.name.casefold() for other in before.columns):
        return False
    if column.generated is not None:
        return not column.generated.stored
    if column.default is not None and not is_constant(column.default):
        return False
    return not (column.not_null and filled)


def _can_drop(before: Table, column: Column) -> bool:
    """Return whether ALTER TABLE can drop *column* without its indexes, views and triggers."""
    keys = [constraint for constraint in before.constraints if not isinstance(constraint, Check)]
    texts = [check.expression for check in before.checks]
    texts += [
        other.generated.expression
        for other in before.columns
        if other.generated is not None and other.name != column.name
    ]
    used = any(column.name in getattr(constraint, "columns", ()) for constraint in keys)
    return not used and not any(mentions(text, {column.name}) for text in texts)


def new_columns(after: Table, changes: Iterable[Change]) -> tuple[Column, ...]:
    """Return the new columns in an order that ALTER TABLE accepts: computed ones last."""
    place = {column.name: number for number, column in enumerate(after.columns)}
    new = (change.obj for change in changes if isinstance(change, Create))
    added = (obj for obj in new if isinstance(obj, Column))
    return tuple(sorted(added, key=lambda it: (it.generated is not None, place[it.name])))


def column_of(constraint: ForeignKey | Check, added: Iterable[Column]) -> str | None:
    """Return the new column that can include *constraint*, if any: the last one it names."""
    found = None
    for column in added:
        if isinstance(constraint, ForeignKey):
            brings = constraint.columns == (column.name,) and column.default is None
        else:
            brings = mentions(constraint.expression, {column.name})
        found = column.name if brings else found
    return found
