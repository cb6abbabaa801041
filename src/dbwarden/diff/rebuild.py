"""Drop and recreate the dependents of dropped or changed objects. Pure.

Examples are a view on a column that changes its type, a foreign key to a recreated primary key, and
a default that calls a function whose result type changes.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from operator import attrgetter

from dbwarden.diff.alterable import object_alters
from dbwarden.diff.changes import Alter, Change, Create, Drop, RebuildType, Rename, alters
from dbwarden.diff.effects import effects, is_retyped
from dbwarden.diff.partitions import is_default
from dbwarden.diff.preserved import detach_sequences, restore_grants, restore_replica_identities
from dbwarden.diff.structure import Links
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import (
    OBJECT_KINDS,
    AnyObject,
    Column,
    Domain,
    ForeignKey,
    Index,
    ObjectKind,
    Part,
    QualifiedName,
    Ref,
    Schema,
    Table,
    ref_of,
)


@dataclass(slots=True, kw_only=True)
class _Rebuild:
    """The changes so far, with an index of both schemas."""

    changes: list[Change]
    old: Links
    removed: set[Ref]
    separate_defaults: set[Ref]
    current: "Finder"
    desired: "Finder"
    queue: list[tuple[Ref, bool]] = field(default_factory=list)


ObjectAndTable = tuple[AnyObject | None, QualifiedName | None]
"""An object, and the table whose part it is."""


class Finder:
    """The objects and parts of a schema by identity."""

    def __init__(self, schema: Schema) -> None:
        self.tables = {table.name: table for table in schema.tables}
        self.objects: dict[Ref, ObjectAndTable] = {}
        for obj in (*schema.tables, *schema.objects):
            self.objects[obj.ref] = (obj, None)
        for relation in schema.indexed:
            for item in relation.parts:
                self.objects[item.ref_in(relation.name)] = (item, relation.name)

    def find(self, ref: Ref) -> ObjectAndTable:
        """Return the object of *ref*, ``None`` if it does not exist."""
        return self.objects.get(ref, (None, None))

    def column(self, ref: Ref) -> Column | None:
        """Return the column of *ref*, which may be its default."""
        table = self.tables.get(ref.table)
        return table.column(ref.part or "") if table is not None else None


def add_rebuilds(
    changes: Iterable[Change], current: Schema, desired: Schema, old: Links
) -> tuple[Change, ...]:
    """Return *changes* with the drops and creates of the dependents that they require.

    Raises:
        UnsupportedChange: An object in use cannot be dropped temporarily; names it.
    """
    changes = tuple(changes)
    separate = _changed_defaults(changes)
    work = _Rebuild(
        changes=list(_split_columns(changes, separate)),
        old=old,
        removed=set(),
        separate_defaults=separate,
        current=Finder(current),
        desired=Finder(desired),
    )
    for change in work.changes:
        effect = effects(change)
        work.removed |= effect.removes
        work.queue += [(ref, True) for ref in sorted(effect.removes, key=attrgetter("sort_key"))]
        work.queue += [(ref, False) for ref in sorted(effect.retypes, key=attrgetter("sort_key"))]
        if isinstance(change, RebuildType):
            work.removed |= {was.ref for was, _ in change.types}
            work.queue += [(was.ref, True) for was, _ in change.types]
    while work.queue:
        ref, gone = work.queue.pop(0)
        for user in work.old.needed_by.get(ref, ()):
            if user not in work.removed and _must_be_dropped(work, ref, user, gone):
                _rebuild(work, ref, user)
    changes = _without_duplicates(work.changes, work.separate_defaults)
    return (
        *changes,
        *detach_sequences(changes, current, desired),
        *restore_replica_identities(changes, desired),
        *restore_grants(changes, current, desired),
    )


def _changed_defaults(changes: Iterable[Change]) -> set[Ref]:
    """Return the columns of recreated types whose defaults change.

    The old default may call what is dropped, and the new one what is created after the type.
    """
    return {
        was.ref_in(table)
        for change in changes
        if isinstance(change, RebuildType)
        for table, was, now in change.columns
        if was.default != now.default
    }


def _split_columns(changes: Iterable[Change], separate_defaults: AbstractSet[Ref]) -> list[Change]:
    """Drop an old default or identity before adding the new one.

    A default and an identity use one sequence name, and *separate_defaults* are set only after
    their types are recreated.
    """
    split: list[Change] = []
    for change in changes:
        match change:
            case Alter(before=Column() as was, after=Column() as now) if (was.identity is None) != (
                now.identity is None
            ) or change.ref in separate_defaults:
                middle = replace(was, identity=None, default=None)
                split += alters((was, middle, now), on=change.table)
            case _:
                split.append(change)
    return split


def _must_be_dropped(work: _Rebuild, ref: Ref, user: Ref, gone: bool) -> bool:
    """Return whether *user* must be dropped while *ref* is dropped or changes its type."""
    if (
        user.kind is ObjectKind.TABLE
        and ref.kind is ObjectKind.ROUTINE
        and user.table in work.desired.tables
    ):
        raise UnsupportedChange(
            f"{ref} would have to be dropped and recreated, but the partition key of {user} "
            "calls it, and that key cannot change.",
            next_step="Give the new function another name, or create a new table and move the "
            "rows by hand.",
        )
    if user.kind in (ObjectKind.TABLE, ObjectKind.NAMESPACE, ObjectKind.SEQUENCE):
        return False  # a child of a parent, a sequence of a column: handled by the order
    if user.kind is ObjectKind.COLUMN:
        column = work.current.column(user)
        is_generated = column is not None and column.generated is not None
        return is_generated or (gone and ref.kind is not ObjectKind.COLUMN)
    if user.kind is ObjectKind.DEFAULT:
        return gone and ref.kind is not ObjectKind.COLUMN and not _is_converted(work, ref, user)
    if gone and OBJECT_KINDS[user.kind].lists_objects and user in work.desired.objects:
        return False
    if gone or OBJECT_KINDS[user.kind].reads_columns:
        return True
    return user.kind is ObjectKind.CONSTRAINT and _becomes_incomparable(work, user)


def _is_converted(work: _Rebuild, type_: Ref, default: Ref) -> bool:
    """Return whether the default's column is converted to the new type by the type's own change."""
    return any(
        (table, was.name) == (default.table, default.part)
        for change in work.changes
        if isinstance(change, RebuildType) and type_ in {was.ref for was, _ in change.types}
        for table, was, _ in change.columns
    )


NUMBERS = frozenset({"smallint", "integer", "bigint"})


def _becomes_incomparable(work: _Rebuild, ref: Ref) -> bool:
    """Return whether both ends of a foreign key change to types incomparable with the old ones.

    A recreated type counts as such a type, even under the same name.
    """
    key, _ = work.current.find(ref)
    if not isinstance(key, ForeignKey):
        return False
    ends = {(ref.table, name) for name in key.columns}
    others = {(key.references, name) for name in key.referred_columns}
    moved: set[tuple[QualifiedName, str]] = set()
    for change in work.changes:
        match change:
            case Alter(before=Column(type=old), after=Column(type=new) as column):
                if old != new and not {old, new} <= NUMBERS:
                    moved.add((change.table, column.name))
            case RebuildType(columns=columns):
                moved |= {(table, was.name) for table, was, _ in columns}
    return bool(ends & moved) and bool(others & moved)


def _rebuild(work: _Rebuild, ref: Ref, user: Ref) -> None:
    """Replace the changes of *user* by a drop and a create."""
    drop, create = _pair(work, ref, user)
    if isinstance(create, Create) and drop is None:
        if create not in work.changes:
            work.changes.append(create)
        work.removed.add(user)
    if drop is None or create is None:
        return
    own = user
    if user.kind is ObjectKind.DEFAULT:
        own = ref_of(ObjectKind.COLUMN, user.table, user.part)
    kept = [item for item in work.changes if not _makes_redundant(item, own)]
    changes_nothing = isinstance(create, Alter) and create.before == create.after
    work.changes = [*kept, drop, *(() if changes_nothing else (create,))]
    if user.kind is ObjectKind.DOMAIN and isinstance(drop, Alter):  # it stays in place
        work.removed.add(user)
        return
    if user.kind is ObjectKind.DEFAULT:
        work.separate_defaults.add(own)
    removed = effects(drop).removes
    work.removed |= removed | {user}
    work.queue += [(item, True) for item in sorted(removed | {user}, key=attrgetter("sort_key"))]


def _domain_pair(work: _Rebuild, user: Ref) -> tuple[Change | None, Change | None]:
    """Return the changes that remove a domain's expressions and that add the new ones."""
    (was, _), (now, _) = work.current.find(user), work.desired.find(user)
    if not (isinstance(was, Domain) and isinstance(now, Domain) and object_alters(was, now)):
        return None, None
    called = [ref.name for ref in work.old.needs.get(user, ()) if ref.kind is ObjectKind.ROUTINE]
    checks = tuple(it for it in was.checks if not any(name in it.expression for name in called))
    default = None if any(name in (was.default or "") for name in called) else was.default
    middle = replace(was, checks=checks, default=default)
    return Alter(before=was, after=middle), Alter(before=middle, after=now)


def _makes_redundant(change: Change, ref: Ref) -> bool:
    """Return whether recreating *ref* makes *change* redundant."""
    if isinstance(change, Rename):
        return change.before == ref
    return isinstance(change, Alter) and change.ref == ref


def _pair(work: _Rebuild, ref: Ref, user: Ref) -> tuple[Change | None, Change | None]:
    """Return the changes that drop and create *user*; ``None`` for one that is not needed."""
    if user.kind in (ObjectKind.COLUMN, ObjectKind.DEFAULT):
        return _column_pair(work, ref, user)
    if user.kind is ObjectKind.DOMAIN and ref.kind is ObjectKind.ROUTINE:
        return _domain_pair(work, user)
    obj, table = work.current.find(user)
    renames = (item for item in work.changes if isinstance(item, Rename))
    ref_after = next((item.after for item in renames if item.before == user), user)
    again, home = work.desired.find(ref_after)
    if obj is None or again is None:
        return None, None
    match obj, again:
        case Index(inherited=True), Index() if home is not None:
            return None, _index_under_own_name(work, home, again)
        case Part(inherited=True), _:
            return None, None
        case _:
            return Drop(obj=obj, on=table), Create(obj=again, on=home)


def _index_under_own_name(work: _Rebuild, name: QualifiedName, index: Index) -> Change | None:
    """Return the change that creates a partition's custom-named index ahead of the parent's."""
    table = work.desired.tables.get(name)
    if table is None or table.partition_of is None or not index.inherited:
        return None
    if is_default(table, work.desired.tables.get(table.partition_of.parent), index):
        return None
    return Create(obj=replace(index, inherited=False), on=name)


def _follows_parent(work: _Rebuild, table: Table, column: Column) -> bool:
    """Return whether a change of a parent's default also applies to *column*."""
    above = (work.current.tables.get(name) for name in table.parents)
    found = (parent.column(column.name) for parent in above if parent is not None)
    return any(own is not None and own.default == column.default for own in found)


def _column_pair(work: _Rebuild, ref: Ref, user: Ref) -> tuple[Change | None, Change | None]:
    old = work.current.tables.get(user.table)
    was, now = work.current.column(user), work.desired.column(user)
    if was is None or now is None or old is None:
        return None, None
    if was.inherited and (user.kind is not ObjectKind.DEFAULT or _follows_parent(work, old, was)):
        return None, None
    if user.kind is ObjectKind.DEFAULT:
        middle = replace(was, default=None)
        again = Alter(before=middle, after=now, on=user.table) if middle != now else None
        return Alter(before=was, after=middle, on=user.table), again
    if was.generated is not None:
        return Drop(obj=was, on=user.table), Create(obj=now, on=user.table)
    if is_retyped(was, now) or _is_converted(work, ref, user):
        return None, None  # the column changes its type itself
    raise UnsupportedChange(
        f"{ref} would have to be dropped and recreated, but {user} uses it.",
        next_step="Change the column to another type in one migration, and back in the next.",
    )


def _without_duplicates(changes: list[Change], separate_defaults: set[Ref]) -> list[Change]:
    """Leave out column changes that a RebuildType already makes.

    *separate_defaults* are columns whose defaults are dropped and set separately.
    """
    changes = [_without_defaults(change, separate_defaults) for change in changes]
    moved = {
        (table, now.name): now
        for change in changes
        if isinstance(change, RebuildType)
        for table, _, now in change.columns
    }
    kept: list[Change] = []
    for change in changes:
        match change:
            case Alter(before=Column() as was, after=Column() as now) if (
                change.table,
                now.name,
            ) in moved:
                made = moved[change.table, now.name]
                was, now = (replace(item, type=made.type) for item in (was, now))
                if change.ref not in separate_defaults:
                    was, now = (replace(item, default=made.default) for item in (was, now))
                kept += alters((was, now), on=change.table)
            case _:
                kept.append(change)
    return kept


def _without_defaults(change: Change, separate_defaults: set[Ref]) -> Change:
    if not isinstance(change, RebuildType):
        return change
    columns = tuple(
        (table, replace(was, default=None), replace(now, default=None))
        if was.ref_in(table) in separate_defaults
        else (table, was, now)
        for table, was, now in change.columns
    )
    return replace(change, columns=columns)
