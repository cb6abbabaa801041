"""Render views and triggers, and drop some while tables are rebuilt. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dbwarden.dialects.sqlite.catalog.tables import KEYS
from dbwarden.dialects.sqlite.ddl.mentions import words
from dbwarden.dialects.sqlite.ddl.plan import Plan
from dbwarden.dialects.sqlite.ddl.supported import refuse_kind, require_object
from dbwarden.dialects.sqlite.sql.quoting import identifier
from dbwarden.diff.changes import Alter, Change, Create, Drop, Rename
from dbwarden.diff.statements import PlannedStatement
from dbwarden.schema import Column, ObjectKind, Part, Schema, Table, Trigger, View

Code = View | Trigger
Key = tuple[ObjectKind, str]
Statements = Iterator[PlannedStatement]
WHY = "Recreated below: SQLite cannot rename a table that others depend on."


@dataclass(frozen=True, slots=True, kw_only=True)
class CodePlan:
    """The views and triggers to drop before the tables change and to create afterwards.

    Each comes with its change, and with a reason if it does not change itself.
    """

    dropped: tuple[tuple[Code, Change, str | None], ...]
    created: tuple[tuple[Code, Change], ...]


def name_of(obj: Code) -> str:
    """Return the name of *obj*; trigger names are unique in a database."""
    return obj.name if isinstance(obj, Trigger) else obj.name.name


def _key(obj: Code) -> Key:
    return obj.ref.kind, name_of(obj).casefold()


def _text(obj: Code) -> str:
    on = f"{identifier(obj.table.name)} " if isinstance(obj, Trigger) else ""
    return on + obj.definition


def code(schema: Schema) -> dict[Key, Code]:
    """Return the views and triggers of *schema*, in order of their dependencies."""
    views = _readable([require(view) for view in schema.of(View)])
    return {_key(obj): obj for obj in (*views, *map(require, schema.of(Trigger)))}


def require(obj: Code) -> Code:
    """Return *obj* if SQLite supports it."""
    return require_object(obj)


def _readable(views: list[Code]) -> list[Code]:
    """Return views in order of their dependencies; those in a cycle keep their order."""
    done: list[Code] = []
    waiting = {name_of(view).casefold(): view for view in sorted(views, key=_key)}
    reads = {name: words(view.definition) - {name} for name, view in waiting.items()}
    while waiting:
        ready = [name for name in waiting if reads[name].isdisjoint(waiting)]
        done += [waiting.pop(name) for name in ready or list(waiting)[:1]]
    return done


def plan_code(plan: Plan) -> CodePlan:
    """Decide which views and triggers to create and drop.

    Raises:
        UnsupportedChange: A change is about an object that SQLite does not support.
    """
    changed = dict(_code_changes(plan))
    old, new = code(plan.current), code(plan.desired)
    aside = {*changed, *_dropped_temporarily(plan, old, changed)}
    gone = [obj for key, obj in reversed(old.items()) if key in aside]
    along = {table.name for _, table in plan.dropped} if not _tests_all(plan) else set()
    return CodePlan(
        dropped=tuple(
            (obj, changed.get(_key(obj)) or Drop(obj=obj), _reason(obj, changed))
            for obj in gone
            if not (isinstance(obj, Trigger) and obj.table in along)
        ),
        created=tuple(
            (obj, changed.get(key) or Create(obj=obj))
            for key, obj in new.items()
            if key in aside or key not in old
        ),
    )


def _reason(obj: Code, changed: Mapping[Key, Change]) -> str | None:
    return None if _key(obj) in changed else WHY


def _code_changes(plan: Plan) -> Iterator[tuple[Key, Change]]:
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


def _tests_all(plan: Plan) -> bool:
    """Return whether SQLite will check all views and triggers and refuse broken ones."""
    drops = any(
        isinstance(change, Drop) and isinstance(change.obj, Column)
        for work in plan.works
        for change in work.changes
    )
    return bool(plan.rebuilt or plan.renames or drops)


def _dropped_temporarily(
    plan: Plan, old: Mapping[Key, Code], changed: Mapping[Key, Change]
) -> set[Key]:
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


def drop_text(obj: Code) -> str:
    """Return DROP VIEW or DROP TRIGGER."""
    return f"DROP {obj.ref.kind.value.upper()} {identifier(name_of(obj))}"


def create_text(obj: Code) -> str:
    """Return CREATE VIEW or CREATE TRIGGER."""
    if isinstance(obj, Trigger):
        return obj.definition
    columns = dict(obj.parameters).get(KEYS)
    name = identifier(obj.name.name) + (f" ({columns})" if columns else "")
    return f"CREATE VIEW {name} AS\n{obj.definition}"
