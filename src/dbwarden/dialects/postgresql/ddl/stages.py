"""Assign the statements of a plan to the stages of a set of files. Pure.

What the running application needs is removed last, after the deployment of its successor.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dbwarden.diff.changes import Alter, Change, Create, Drop, Rename, RenameValue
from dbwarden.diff.effects import names
from dbwarden.diff.statements import PlannedStatement, RenderOptions, Stage
from dbwarden.schema import (
    Column,
    CompositeType,
    Domain,
    Enum,
    Extension,
    Index,
    MaterializedView,
    Namespace,
    ObjectKind,
    Part,
    Ref,
    Routine,
    Table,
    View,
)
from dbwarden.schema import (
    Sequence as SequenceObject,
)

READ = (
    *(View, MaterializedView, Routine, Enum, Domain, CompositeType),
    *(SequenceObject, Namespace, Extension),
)
"""What applications use by name, besides tables and columns; and what holds such objects."""


@dataclass(frozen=True, slots=True)
class _Reuse:
    """The objects that are dropped, and their successors of the same name.

    ``by_others`` are those whose successor is another object, as when a table replaces a view.
    """

    by_others: frozenset[Ref]
    any: frozenset[Ref]


def with_stages(
    statements: Sequence[PlannedStatement], options: RenderOptions
) -> tuple[PlannedStatement, ...]:
    """Return *statements* with a stage each, if they have to be in several files."""
    staged = [place for place, item in enumerate(statements) if item.stage is not None]
    reuse = _reuse([item.change for item in statements])
    if not staged and (options.together or not _mixes(statements, reuse, options)):
        return tuple(statements)
    first = staged[0] if staged else len(statements)
    created: dict[Ref, Stage] = {}
    found: list[PlannedStatement] = []
    for place, item in enumerate(statements):
        if item.stage is None:
            stage = created.get(item.change.ref)
            if stage is None or not isinstance(item.change, Alter):
                stage = _stage(item.change, place < first, reuse, options)
            item = replace(item, stage=stage, joins=None)
            if isinstance(item.change, Create):
                created[item.change.ref] = stage
        found.append(item)
    return tuple(found)


def _stage(change: Change, early: bool, reuse: _Reuse, options: RenderOptions) -> Stage:
    """Return the stage of a change whose statements may be in any."""
    match change:
        case Drop(obj=Index()) if change.ref in reuse.by_others:
            return Stage.SWITCH
        case Create(obj=Part() as part) | Drop(obj=Index() as part) if not isinstance(part, Column):
            return Stage.TIDY  # built or validated while the new names are in use
        case Alter(after=Table(replica_index=str())):
            return Stage.TIDY  # after the index
        case Rename() | RenameValue():
            return Stage.EXPAND
        case _ if options.back:
            of_object = options.stages.get((change.ref, None), Stage.SWITCH)
            return options.stages.get((change.ref, type(change)), of_object)
        case _ if change.ref in reuse.any:
            return Stage.SWITCH
        case _ if _is_removal(change):
            return Stage.CONTRACT
        case Create(obj=obj) if early or isinstance(obj, Column):
            return Stage.EXPAND
        case Alter(after=Enum()) if early:
            return Stage.EXPAND
        case _:
            return Stage.SWITCH


def _is_removal(change: Change) -> bool:
    """Return whether *change* removes something that a running application may use."""
    match change:
        case Drop(obj=Table() as table):
            return table.partition_of is None
        case Drop(obj=Column()):
            return True
        case Drop(obj=obj):
            return isinstance(obj, READ)
        case _:
            return False


def _mixes(statements: Sequence[PlannedStatement], reuse: _Reuse, options: RenderOptions) -> bool:
    """Return whether some statements remove what a running application may use, and some do not."""
    if options.back:
        return bool(options.stages)
    kinds = {_is_removal(item.change) and item.change.ref not in reuse.any for item in statements}
    return kinds == {True, False}


def _reuse(changes: Sequence[Change]) -> _Reuse:
    gone = {it.ref for it in changes if isinstance(it, Drop)}
    made = {_without_arguments(it.ref) for it in changes if isinstance(it, Create)}
    by_others = frozenset(ref for pair in _successions(changes) for ref in pair)
    again = {ref for ref in gone if _without_arguments(ref) in made}
    return _Reuse(by_others=by_others, any=by_others | again)


def _successions(changes: Sequence[Change]) -> Iterator[tuple[Ref, Ref]]:
    """Yield each object that loses a name with the other one that takes it."""
    named = [(it, *names(it)) for it in changes if not isinstance(it, RenameValue)]
    owners = {
        name: it.ref
        for it, _, frees in named
        if not isinstance(it, Rename)
        for name in sorted(frees)
    }
    for heir, takes, _ in named:
        yield from (
            (owners[name], heir.ref) for name in takes if owners.get(name, heir.ref) != heir.ref
        )


def _without_arguments(ref: Ref) -> Ref:
    """Return a function by its name only, because calls of several with one name are ambiguous."""
    return replace(ref, part=None) if ref.kind is ObjectKind.ROUTINE else ref
