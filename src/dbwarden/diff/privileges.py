"""Account for default privileges on objects that a plan creates. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from dbwarden.diff.changes import Alter, Change, Create, RebuildType
from dbwarden.diff.graph import Graph
from dbwarden.quoting import quoted
from dbwarden.schema import (
    OBJECT_KINDS,
    ROUTINES,
    Column,
    DefaultPrivileges,
    Grant,
    ObjectKind,
    Ref,
    Schema,
    Table,
    ref_of,
)

USUAL = {("FUNCTIONS", "public"): ("EXECUTE",), ("TYPES", "public"): ("USAGE",)}
"""The privileges that the server grants to PUBLIC by default."""


def with_default_privileges(
    changes: Sequence[Change], current: Schema, desired: Schema
) -> tuple[tuple[Change, ...], Schema]:
    """Return *changes* with grants adjusted for default privileges, and *desired* likewise.

    New objects get the default privileges of *current*, because changes of these come last.
    The second value is *desired* with the grants to revoke, so that these can be ordered.
    """
    own = [it for it in current.of(DefaultPrivileges) if it.grantor is None]
    if not own:
        return tuple(changes), desired
    wanted = {(it.on, it.role): it for it in desired.of(Grant)}
    targets = {it.on: it.target for it in (*current.of(Grant), *desired.of(Grant))}
    given = {
        (grant.on, grant.role): grant
        for on in _created(changes)
        for grant in _default_grants(on, own, targets)
    }
    rest = [
        change
        for change in changes
        if not (isinstance(change, Create) and isinstance(change.obj, Grant))
        or (change.obj.on, change.obj.role) not in given
    ]
    extra = []
    for key, grant in given.items():
        now = wanted.get(key)
        if now is None:
            now = replace(grant, privileges=(), grantable=(), revoked=())
            extra.append(now)
        before = replace(grant, target=now.target)
        if before != now:
            rest.append(Alter(before=before, after=now))
    return tuple(rest), desired.with_objects((*desired.objects, *extra))


def default_privileges_last(graph: Graph, changes: Sequence[Change]) -> None:
    """Place changes of default privileges after every change that they could affect."""
    makers = [number for number, change in enumerate(changes) if [*_created([change])]]
    for number, change in enumerate(changes):
        if change.ref.kind is ObjectKind.DEFAULT_PRIVILEGES:
            for maker in makers:
                graph.before(maker, number)


def _created(changes: Iterable[Change]) -> Iterator[Ref]:
    for change in changes:
        columns: tuple[Column, ...] = ()
        match change:
            case (
                Create(obj=Column() as column)
                | Alter(before=Column(identity=None), after=Column() as column)
            ):
                columns = (column,)
            case Create(obj=obj) if OBJECT_KINDS[obj.kind].grants:
                yield change.ref
                columns = obj.columns if isinstance(obj, Table) else ()
            case RebuildType():
                yield from (after.ref for _, after in change.types)
        for column in columns:  # the server creates a sequence for an identity column
            if column.identity is not None and column.identity.sequence is not None:
                yield ref_of(ObjectKind.SEQUENCE, column.identity.sequence)


def _default_grants(
    on: Ref, defaults: Sequence[DefaultPrivileges], targets: Mapping[Ref, str]
) -> Iterator[Grant]:
    """Yield the grants that *on* gets when it is created, by role."""
    objects, word = OBJECT_KINDS[on.kind].grants or ("", "")
    found: defaultdict[str, list[DefaultPrivileges]] = defaultdict(list)
    for item in defaults:
        if item.objects == objects and item.namespace in (None, on.namespace):
            found[item.role].append(item)
    for role, items in found.items():
        usual = USUAL.get((objects, role), ())
        passes = {word for item in items for word in item.grantable}
        has = {word for item in items for word in item.privileges}
        lost = {word for item in items for word in item.revoked} - has
        has = {word for word in has if word not in usual or word in passes}
        if has or lost:
            yield Grant(
                on=on,
                target=targets.get(on, f"{word} {_sql_name(on)}"),
                role=role,
                privileges=tuple(sorted(has)),
                grantable=tuple(sorted(passes)),
                revoked=tuple(sorted(lost)),
            )


def _sql_name(on: Ref) -> str:
    parts = (on.name,) if on.namespace is None else (on.namespace, on.name)
    name = ".".join(map(quoted, parts))
    return f"{name}({on.part or ''})" if on.kind in ROUTINES else name
