"""Render views and triggers, and drop some while tables are rebuilt. Pure."""

from collections.abc import Iterator, Mapping

from dbwarden.dialects.sqlite.catalog.tables import KEYS
from dbwarden.dialects.sqlite.ddl.mentions import words
from dbwarden.dialects.sqlite.ddl.plan import TablePlans
from dbwarden.dialects.sqlite.ddl.supported import refuse_kind, require_object
from dbwarden.dialects.sqlite.sql.quoting import identifier
from dbwarden.diff.changes import Alter, Change, Create, Drop, Rename
from dbwarden.diff.statements import PlannedStatement, Sql, planned
from dbwarden.schema import Column, ObjectKind, Part, Schema, Table, Trigger, View

Code = View | Trigger
ObjectKey = tuple[ObjectKind, str]
Statements = Iterator[PlannedStatement]
WHY = "Recreated below: SQLite cannot rename a table that others depend on."


def name_of(obj: Code) -> str:
    """Return the name of *obj*; trigger names are unique in a database."""
    return obj.name if isinstance(obj, Trigger) else obj.name.name


def _key(obj: Code) -> ObjectKey:
    return obj.ref.kind, name_of(obj).casefold()


def _text(obj: Code) -> str:
    on = f"{identifier(obj.table.name)} " if isinstance(obj, Trigger) else ""
    return on + obj.definition


def code(schema: Schema) -> dict[ObjectKey, Code]:
    """Return the views and triggers of *schema*, in order of their dependencies."""
    views = _readable([require_object(view) for view in schema.of(View)])
    return {_key(obj): obj for obj in (*views, *map(require_object, schema.of(Trigger)))}


def _readable(views: list[Code]) -> list[Code]:
    """Return views in order of their dependencies; those in a cycle keep their order."""
    done: list[Code] = []
    waiting = {name_of(view).casefold(): view for view in sorted(views, key=_key)}
    reads = {name: words(view.definition) - {name} for name, view in waiting.items()}
    while waiting:
        ready = [name for name in waiting if reads[name].isdisjoint(waiting)]
        done += [waiting.pop(name) for name in ready or list(waiting)[:1]]
    return done


def plan_code(plan: TablePlans) -> tuple[list[PlannedStatement], list[PlannedStatement]]:
    """Return what drops views and triggers before the tables change, and creates them afterwards.

    Raises:
        UnsupportedChange: A change is about an object that SQLite does not support.
    """
    changed = dict(_code_changes(plan))
    old, new = code(plan.current), code(plan.desired)
    aside = {*changed, *_dropped_temporarily(plan, old, changed)}
    along = {table.name for _, table in plan.dropped} if not _tests_all(plan) else set()
    dropped = []
    for key, obj in reversed(old.items()):
        if key in aside and not (isinstance(obj, Trigger) and obj.table in along):
            text = f"DROP {obj.ref.kind.value.upper()} {identifier(name_of(obj))}"
            why = WHY if key not in changed else None
            dropped.append(planned(changed.get(key) or Drop(obj=obj), Sql(text, why=why)))
    created = [
        planned(changed.get(key) or Create(obj=obj), _create_text(obj))
        for key, obj in new.items()
        if key in aside or key not in old
    ]
    return dropped, created


def _code_changes(plan: TablePlans) -> Iterator[tuple[ObjectKey, Change]]:
    for change in plan.changes:
        match change:
            case Create(obj=obj) | Drop(obj=obj) | Alter(after=obj) if not isinstance(
                obj, Table | Part
            ):
                yield _key(require_object(obj)), change
            case Rename(before=ref, after=new) if ref.kind in (ObjectKind.VIEW, ObjectKind.TRIGGER):
                yield (ref.kind, (ref.part or ref.name).casefold()), change
                yield (ref.kind, (new.part or new.name).casefold()), change
            case Rename(before=ref) if ref.kind not in _IN_TABLES:
                refuse_kind(ref)


_IN_TABLES = (ObjectKind.TABLE, ObjectKind.COLUMN, ObjectKind.CONSTRAINT, ObjectKind.INDEX)


def _tests_all(plan: TablePlans) -> bool:
    """Return whether SQLite will check all views and triggers and refuse broken ones."""
    drops = any(
        isinstance(change, Drop) and isinstance(change.obj, Column)
        for work in plan.works
        for change in work.changes
    )
    return bool(plan.rebuilt or plan.renames or drops)


def _dropped_temporarily(
    plan: TablePlans, old: Mapping[ObjectKey, Code], changed: Mapping[ObjectKey, Change]
) -> set[ObjectKey]:
    if not _tests_all(plan):
        return set()
    moved = {work.name.name for work in plan.rebuilt}
    moved |= {table.name.name for _, table in plan.dropped}
    moved |= {ref.name for change in plan.renames for ref in (change.before, change.after)}
    moved |= {name for kind, name in changed if kind is ObjectKind.VIEW}
    moved = {name.casefold() for name in moved}
    broken = {ref for ref, _ in plan.current.broken}  # SQLite refuses any broken one
    apart = {key for key, obj in old.items() if obj.ref in broken}
    moved |= {name for kind, name in apart if kind is ObjectKind.VIEW}
    waiting = {key: words(_text(obj)) for key, obj in old.items() if key not in apart}
    while more := {key for key, text in waiting.items() if not text.isdisjoint(moved)}:
        for key in more:
            del waiting[key]
        moved |= {name for kind, name in more if kind is ObjectKind.VIEW}
    return old.keys() - waiting.keys()


def _create_text(obj: Code) -> str:
    if isinstance(obj, Trigger):
        return obj.definition
    columns = dict(obj.parameters).get(KEYS)
    name = identifier(obj.name.name) + (f" ({columns})" if columns else "")
    return f"CREATE VIEW {name} AS\n{obj.definition}"
