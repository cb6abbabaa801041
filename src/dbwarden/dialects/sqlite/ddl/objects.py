"""Views and triggers, and which of them step aside while tables are built anew. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dbwarden.dialects.sqlite.catalog.tables import KEYS
from dbwarden.dialects.sqlite.ddl.mentions import words
from dbwarden.dialects.sqlite.ddl.plan import Plan
from dbwarden.dialects.sqlite.ddl.supported import refuse_kind, require_object
from dbwarden.dialects.sqlite.sql.quoting import identifier
from dbwarden.diff.changes import Alter, Change, Create, Drop, DropColumn, Rename
from dbwarden.diff.statements import PlannedStatement
from dbwarden.schema import ObjectKind, Schema, Trigger, View

Code = View | Trigger
Key = tuple[ObjectKind, str]
Statements = Iterator[PlannedStatement]
WHY = "Made again below: SQLite lets nothing stand on a table that it renames."


@dataclass(frozen=True, slots=True, kw_only=True)
class Moving:
    """What is dropped before the tables change, and made after them, each with its change.

    The reason is there where the thing itself stays as it was.
    """

    gone: tuple[tuple[Code, Change, str | None], ...]
    back: tuple[tuple[Code, Change], ...]


def name_of(obj: Code) -> str:
    """What *thing* is called; the names of all triggers of a database differ."""
    return obj.name if isinstance(obj, Trigger) else obj.name.name


def _key(obj: Code) -> Key:
    return obj.ref.kind, name_of(obj).casefold()


def _text(obj: Code) -> str:
    on = f"{identifier(obj.table.name)} " if isinstance(obj, Trigger) else ""
    return on + obj.definition


def code(schema: Schema) -> dict[Key, Code]:
    """The views and triggers of *schema*, what is read first."""
    views = _readable([require(view) for view in schema.views])
    return {_key(obj): obj for obj in (*views, *map(require, schema.triggers))}


def require(obj: Code) -> Code:
    """*thing*, when SQLite can have it."""
    return require_object(obj)


def _readable(views: list[Code]) -> list[Code]:
    """Views behind those that they read; a circle, which cannot be read at all, as it comes."""
    done: list[Code] = []
    waiting = {name_of(view).casefold(): view for view in sorted(views, key=_key)}
    reads = {name: words(view.definition) - {name} for name, view in waiting.items()}
    while waiting:
        ready = [name for name in waiting if reads[name].isdisjoint(waiting)]
        done += [waiting.pop(name) for name in ready or list(waiting)[:1]]
    return done


def moving(plan: Plan) -> Moving:
    """Which views and triggers come, go, or step aside.

    Raises:
        UnsupportedChange: A change is about something that SQLite does not have.
    """
    changed = dict(_changed(plan))
    old, new = code(plan.current), code(plan.desired)
    aside = {*changed, *_aside(plan, old, changed)}
    gone = [obj for key, obj in reversed(old.items()) if key in aside]
    along = {c.table.name for c in plan.dropped} if not _tests_all(plan) else set()
    return Moving(
        gone=tuple(
            (obj, changed.get(_key(obj)) or Drop(obj=obj), _why(obj, changed))
            for obj in gone
            if not (isinstance(obj, Trigger) and obj.table in along)
        ),
        back=tuple(
            (obj, changed.get(key) or Create(obj=obj))
            for key, obj in new.items()
            if key in aside or key not in old
        ),
    )


def _why(obj: Code, changed: Mapping[Key, Change]) -> str | None:
    return None if _key(obj) in changed else WHY


def _changed(plan: Plan) -> Iterator[tuple[Key, Change]]:
    for change in plan.changes:
        match change:
            case Create(obj=obj) | Drop(obj=obj) | Alter(after=obj):
                yield _key(require_object(obj)), change
            case Rename(before=ref, after=new) if ref.kind in (ObjectKind.VIEW, ObjectKind.TRIGGER):
                yield (ref.kind, (ref.part or ref.name).casefold()), change
                yield (ref.kind, (new.part or new.name).casefold()), change
            case Rename(before=ref) if ref.kind not in _IN_TABLES:
                refuse_kind(ref)
            case _:
                pass


_IN_TABLES = (ObjectKind.TABLE, ObjectKind.COLUMN, ObjectKind.CONSTRAINT, ObjectKind.INDEX)


def _tests_all(plan: Plan) -> bool:
    """Whether SQLite will read all views and triggers meanwhile, and refuse what is broken."""
    drops = any(isinstance(change, DropColumn) for work in plan.works for change in work.changes)
    return bool(plan.rebuilt or plan.renames or drops)


def _aside(plan: Plan, old: Mapping[Key, Code], changed: Mapping[Key, Change]) -> set[Key]:
    if not _tests_all(plan):
        return set()
    moved = {work.name.name for work in plan.rebuilt}
    moved |= {change.table.name.name for change in plan.dropped}
    moved |= {ref.name for change in plan.renames for ref in (change.before, change.after)}
    moved |= {name for kind, name in changed if kind is ObjectKind.VIEW}
    moved = {name.casefold() for name in moved}
    broken = {ref for ref, _ in plan.current.broken}  # whatever it is, SQLite stops at it
    apart = {key for key, obj in old.items() if obj.ref in broken}
    moved |= {name for kind, name in apart if kind is ObjectKind.VIEW}
    waiting = {key: words(_text(obj)) for key, obj in old.items() if key not in apart}
    while more := {key for key, text in waiting.items() if not text.isdisjoint(moved)}:
        for key in more:
            del waiting[key]
        moved |= {name for kind, name in more if kind is ObjectKind.VIEW}
    return old.keys() - waiting.keys()


def drop_text(obj: Code) -> str:
    """DROP VIEW or DROP TRIGGER."""
    return f"DROP {obj.ref.kind.value.upper()} {identifier(name_of(obj))}"


def create_text(obj: Code) -> str:
    """CREATE VIEW or CREATE TRIGGER."""
    if isinstance(obj, Trigger):
        return obj.definition
    columns = dict(obj.parameters).get(KEYS)
    name = identifier(obj.name.name) + (f" ({columns})" if columns else "")
    return f"CREATE VIEW {name} AS\n{obj.definition}"
