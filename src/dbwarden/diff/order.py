"""Sort changes into an executable and readable order. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from dbwarden.diff.alterable import differing
from dbwarden.diff.changes import Alter, Change, Create, Drop, Rename
from dbwarden.diff.effects import Effects, effects, names
from dbwarden.diff.fold import fold_constraints
from dbwarden.diff.graph import Graph
from dbwarden.diff.inheritance_order import (
    COLUMNS,
    DROPPED,
    by_table,
    order_families,
    order_inherited_columns,
    order_parents_and_children,
    order_partition_parts,
)
from dbwarden.diff.privileges import default_privileges_last
from dbwarden.diff.structure import Links
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import (
    OBJECT_KINDS,
    ON_TABLES,
    RELATIONS,
    ROUTINES,
    Column,
    DefaultPrivileges,
    ForeignKey,
    ObjectKind,
    Part,
    PrimaryKey,
    QualifiedName,
    Ref,
    Routine,
    Table,
    ref_of,
)
from dbwarden.schema import Sequence as SchemaSequence
from dbwarden.schema.closure import reachable

# Where nothing else decides, changes are sorted by stages. ``OBJECT_KINDS`` has those of creating
# and altering each kind, 10 to 69. These are the others.
DROPPED_FOREIGN_KEYS, DROPPED_CODE = 0, 1
FOREIGN_KEYS, SEQUENCE_OWNERS = 30, 31
"""After the tables that they refer to."""
DROPPED_TABLES, DROPPED_OBJECTS = 70, 80
"""Objects are dropped in the opposite order of their creation."""
LOOSE = frozenset({ObjectKind.TABLE, ObjectKind.NAMESPACE, ObjectKind.SEQUENCE})
IN_TABLE: tuple[tuple[type[Change], ObjectKind], ...] = (
    (Drop, ObjectKind.INDEX),
    (Drop, ObjectKind.CONSTRAINT),
    (Drop, ObjectKind.COLUMN),
    (Alter, ObjectKind.TABLE),
    (Create, ObjectKind.COLUMN),
    (Alter, ObjectKind.COLUMN),
)
"""The order of the changes of one table; others follow."""
UNNAMED = ON_TABLES | {ObjectKind.CONSTRAINT, ObjectKind.INDEX}
"""The kinds that no function body names."""


def order(changes: Sequence[Change], old: Links, new: Links) -> tuple[Change, ...]:
    """Return *changes* in an order in which each finds the objects that it needs.

    *old* and *new* are the dependencies before and afterwards.

    Raises:
        UnsupportedChange: Objects depend on each other in a cycle; names them.
    """
    nodes = _Nodes(changes, old)
    graph = Graph(len(changes))
    for number in range(len(changes)):
        _after_dependencies(graph, nodes, number, new)
        _before_removals(graph, nodes, number, old, new)
    _order_by_names(graph, changes)
    _order_by_columns(graph, nodes, changes)
    order_families(graph, changes)
    order_parents_and_children(graph, changes, old, new)
    order_inherited_columns(graph, changes, old, nodes.removers)
    order_partition_parts(graph, changes, new)
    default_privileges_last(graph, changes)
    _preferences(graph, changes)
    _logged_before_referrers(graph, nodes, changes, old)
    _toast_parameters_in_time(graph, changes)
    _dropped_with_parts(graph, changes)
    sorted_, circle = graph.sort([_priority(change) for change in changes])
    if circle:
        named = ", ".join(sorted({str(changes[number].ref) for number in circle}))
        raise UnsupportedChange(
            f"These objects depend on each other in a cycle: {named}.",
            next_step="Break the cycle by hand: move one of them to a migration of its own.",
        )
    return fold_constraints(changes, sorted_, graph)


@dataclass(slots=True, init=False)
class _Nodes:
    """The changes that create, remove, touch or move each object."""

    effects: list[Effects]
    makers: Mapping[Ref, list[int]]
    removers: Mapping[Ref, list[int]]
    touchers: Mapping[Ref, list[int]]
    retypers: Mapping[Ref, list[int]]
    settings: frozenset[int]
    """The changes of storage parameters only: no other change waits for them."""

    def __init__(self, changes: Sequence[Change], old: Links) -> None:
        self.effects = [_with_parts(change, effects(change), old) for change in changes]
        self.makers = _index(effect.makes for effect in self.effects)
        self.removers = _index(effect.removes for effect in self.effects)
        self.touchers = _index(effect.touches for effect in self.effects)
        self.retypers = _index(effect.retypes for effect in self.effects)
        self.settings = frozenset(
            number
            for number, change in enumerate(changes)
            if isinstance(change, Alter) and isinstance(change.after, Table)
            if differing(change.before, change.after) == {"parameters"}
        )


def _with_parts(change: Change, effect: Effects, old: Links) -> Effects:
    """Let a dropped table or view remove its triggers, rules, policies and sequences."""
    if not isinstance(change, Drop) or change.ref.kind not in RELATIONS:
        return effect
    return replace(effect, removes=effect.removes | frozenset(old.parts.get(change.table, ())))


def _index(sets: Iterable[frozenset[Ref]]) -> Mapping[Ref, list[int]]:
    found: defaultdict[Ref, list[int]] = defaultdict(list)
    for number, refs in enumerate(sets):
        for ref in refs:
            found[ref].append(number)
    return found


def _after_dependencies(graph: Graph, nodes: _Nodes, number: int, new: Links) -> None:
    effect = nodes.effects[number]
    for ref in effect.makes | effect.touches:
        for needed in new.needs.get(ref, ()):
            for found in (nodes.makers, nodes.touchers, nodes.retypers):
                for other in found.get(needed, ()):
                    if other not in nodes.settings:
                        graph.before(other, number)
    for ref in effect.makes:  # a rebuild: the old object first
        graph.before_each(nodes.removers.get(ref, ()), [number])


def _before_removals(graph: Graph, nodes: _Nodes, number: int, old: Links, new: Links) -> None:
    effect = nodes.effects[number]
    for ref in effect.removes:
        for needed in old.needs.get(ref, ()):
            if needed in effect.removes:
                continue
            # Dependents of an altered table may be dropped later, but not those of a column.
            altered = () if needed.kind in LOOSE else nodes.touchers.get(needed, ())
            for other in (
                *nodes.removers.get(needed, ()),
                *nodes.retypers.get(needed, ()),
                *altered,
            ):
                graph.before(number, other)
    for ref in effect.touches | effect.retypes:
        for needed in old.needs.get(ref, ()):
            again = needed in nodes.makers and needed in new.needs.get(ref, ())
            for other in nodes.removers.get(needed, ()):
                if not again:  # a recreated object is waited for
                    graph.before(number, other)
            for other in nodes.retypers.get(needed, ()):
                if needed not in new.needs.get(ref, ()):  # the column changes its type before
                    graph.before(number, other)


def _order_by_names(graph: Graph, changes: Sequence[Change]) -> None:
    """Make changes that take a name wait for those that release it."""
    freed: defaultdict[tuple[str, str, str], list[int]] = defaultdict(list)
    takes = []
    for number, change in enumerate(changes):
        taken, free = names(change)
        takes.append(taken)
        for name in free:
            freed[name].append(number)
    for number, (change, taken) in enumerate(zip(changes, takes, strict=True)):
        for name in taken:
            for other in freed.get(name, ()):
                if isinstance(change, Rename) and change.aside:
                    graph.before(number, other)  # a temporary name, released later
                else:
                    graph.before(other, number)


def _order_by_columns(graph: Graph, nodes: _Nodes, changes: Sequence[Change]) -> None:
    """Keep the order of changes of one column or table; a table has one primary key at a time."""
    last: dict[Ref, int] = {}
    dropped: dict[QualifiedName, int] = {}
    created: dict[QualifiedName, int] = {}
    for number, change in enumerate(changes):
        match change:
            case Alter(after=Column() | Table()) if number not in nodes.settings:
                if change.ref in last:
                    graph.before(last[change.ref], number)
                last[change.ref] = number
            case Drop(obj=PrimaryKey()):
                dropped[change.table] = number
            case Create(obj=PrimaryKey()):
                created[change.table] = number
    for table in dropped.keys() & created.keys():
        graph.before(dropped[table], created[table])


def _dropped_with_parts(graph: Graph, changes: Sequence[Change]) -> None:
    """Drop a table, with its indexes and constraints, before the objects that these need."""
    gone = by_table(changes, frozenset({(Drop, ObjectKind.TABLE)}))
    for table, numbers in by_table(changes, DROPPED).items():
        later = set[int]().union(*(graph.hard[number] for number in numbers))
        graph.prefer_each(gone.get(table, ()), later)


def _preferences(graph: Graph, changes: Sequence[Change]) -> None:
    """Prefer tables in the order of foreign keys, and functions after the names in their bodies."""
    gone = by_table(changes, frozenset((Drop, kind) for kind in ROUTINES))
    for name, numbers in by_table(changes, frozenset((Create, kind) for kind in ROUTINES)).items():
        graph.prefer_each(gone.get(name, ()), numbers)  # calls would be ambiguous
    _after_mentioned_functions(graph, changes)
    made = by_table(changes, frozenset({(Create, ObjectKind.TABLE)}))
    gone = by_table(changes, frozenset({(Drop, ObjectKind.TABLE)}))
    for change in changes:
        match change:
            case Create(obj=ForeignKey(references=other)):
                graph.prefer_each(made.get(other, ()), made.get(change.table, ()))
            case Drop(obj=ForeignKey(references=other)):
                graph.prefer_each(gone.get(change.table, ()), gone.get(other, ()))


def _after_mentioned_functions(graph: Graph, changes: Sequence[Change]) -> None:
    """Place functions, defaults and indexes after the functions whose names they contain."""
    named: defaultdict[str, list[int]] = defaultdict(list)
    for number, change in enumerate(changes):
        if isinstance(change, Create) and change.ref.kind not in UNNAMED:
            named[change.ref.name].append(number)
    mentioned: dict[int, list[int]] = {}
    for number, change in enumerate(changes):
        match change:
            case Create(obj=Routine() as routine) | Alter(after=Routine() as routine):
                words = set(re.findall(r"\w+", routine.definition))
                mentioned[number] = [other for word in words for other in named.get(word, ())]
    for number in mentioned:
        graph.prefer_each(mentioned[number], [number])
        reached = reachable([number], lambda at: mentioned.get(at, ()))
        graph.prefer_each(reached, graph.hard[number])


def _logged_before_referrers(
    graph: Graph, nodes: _Nodes, changes: Sequence[Change], old: Links
) -> None:
    """Never let a logged table refer to an unlogged one."""
    switched: dict[QualifiedName, tuple[int, bool]] = {}
    for number, change in enumerate(changes):
        match change:
            case Alter(before=Table(unlogged=was), after=Table(unlogged=now)) if was != now:
                switched[change.table] = (number, now)
    for table, (number, unlogged) in switched.items():
        for user in old.needed_by.get(ref_of(ObjectKind.TABLE, table), ()):
            if user.kind is not ObjectKind.CONSTRAINT:
                continue
            graph.before_each(nodes.removers.get(user, ()), [number])
            other = switched.get(user.table)
            if other is not None and unlogged == other[1]:
                first, second = (other[0], number) if unlogged else (number, other[0])
                graph.prefer(first, second)


def _toast_parameters_in_time(graph: Graph, changes: Sequence[Change]) -> None:
    """Set TOAST parameters while the table has a TOAST table, that is, a long enough column."""
    columns = by_table(changes, COLUMNS)
    for number, change in enumerate(changes):
        match change:
            case Alter(before=Table(parameters=was), after=Table(parameters=now)) if was != now:
                long = any(name.startswith("toast.") for name, _ in now)
                graph.prefer_each(columns.get(change.table, ()) if long else (), [number])


def _priority(change: Change) -> tuple[int, str, str, int, str]:
    ref, group = change.ref, change.table
    own, in_table = OBJECT_KINDS[ref.kind].stage, OBJECT_KINDS[ObjectKind.TABLE].stage
    step = (type(change), ref.kind)
    rank = IN_TABLE.index(step) if step in IN_TABLE else len(IN_TABLE)
    match change:
        case Drop(obj=ForeignKey()):
            stage = DROPPED_FOREIGN_KEYS
        case Drop(obj=SchemaSequence(owned_by=Ref() as owner)):
            stage, group = in_table, owner.table
        case Drop(obj=Table()):
            stage = DROPPED_TABLES
        case Drop(obj=Part() | DefaultPrivileges()):
            stage = own
        case Drop() if own >= OBJECT_KINDS[ObjectKind.VIEW].stage:
            stage = DROPPED_CODE
        case Drop():
            stage = DROPPED_OBJECTS + 20 - own // 2
        case Create(obj=ForeignKey()) | Alter(after=ForeignKey()):
            stage = FOREIGN_KEYS
        case Alter(after=SchemaSequence()):
            stage = SEQUENCE_OWNERS
        case Rename():
            stage = in_table
        case _:
            stage = own
    return stage, group.namespace or "", group.name, rank, ref.part or ref.name
