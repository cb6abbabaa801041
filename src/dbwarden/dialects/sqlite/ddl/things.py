"""Views and triggers, and which of them step aside while tables are built anew. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dbwarden.dialects.sqlite.catalog.tables import KEYS
from dbwarden.dialects.sqlite.ddl.mentions import words
from dbwarden.dialects.sqlite.ddl.plan import Plan
from dbwarden.dialects.sqlite.ddl.supported import refuse_kind, require_thing
from dbwarden.dialects.sqlite.quoting import identifier
from dbwarden.diff.changes import Alter, Change, Create, Drop, DropColumn, Rename
from dbwarden.diff.statements import PlannedStatement
from dbwarden.schema import Kind, Schema, Trigger, View

Code = View | Trigger
Key = tuple[Kind, str]
Statements = Iterator[PlannedStatement]
WHY = "Made again below: SQLite lets nothing stand on a table that it renames."


@dataclass(frozen=True, slots=True, kw_only=True)
class Moving:
    """What is dropped before the tables change, and made after them, each with its change.

    The reason is there where the thing itself stays as it was.
    """

    gone: tuple[tuple[Code, Change, str | None], ...]
    back: tuple[tuple[Code, Change], ...]


def name_of(thing: Code) -> str:
    """What *thing* is called; the names of all triggers of a database differ."""
    return thing.name if isinstance(thing, Trigger) else thing.name.name


def _key(thing: Code) -> Key:
    return thing.ref.kind, name_of(thing).casefold()


def _text(thing: Code) -> str:
    on = f"{identifier(thing.table.name)} " if isinstance(thing, Trigger) else ""
    return on + thing.definition


def code(schema: Schema) -> dict[Key, Code]:
    """The views and triggers of *schema*, what is read first."""
    views = _readable([require(view) for view in schema.views])
    return {_key(thing): thing for thing in (*views, *map(require, schema.triggers))}


def require(thing: Code) -> Code:
    """*thing*, when SQLite can have it."""
    return require_thing(thing)


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
    gone = [thing for key, thing in reversed(old.items()) if key in aside]
    along = {c.table.name for c in plan.dropped} if not _tests_all(plan) else set()
    return Moving(
        gone=tuple(
            (thing, changed.get(_key(thing)) or Drop(thing=thing), _why(thing, changed))
            for thing in gone
            if not (isinstance(thing, Trigger) and thing.table in along)
        ),
        back=tuple(
            (thing, changed.get(key) or Create(thing=thing))
            for key, thing in new.items()
            if key in aside or key not in old
        ),
    )


def _why(thing: Code, changed: Mapping[Key, Change]) -> str | None:
    return None if _key(thing) in changed else WHY


def _changed(plan: Plan) -> Iterator[tuple[Key, Change]]:
    for change in plan.changes:
        match change:
            case Create(thing=thing) | Drop(thing=thing) | Alter(after=thing):
                yield _key(require_thing(thing)), change
            case Rename(before=ref, after=new) if ref.kind in (Kind.VIEW, Kind.TRIGGER):
                yield (ref.kind, (ref.part or ref.name).casefold()), change
                yield (ref.kind, (new.part or new.name).casefold()), change
            case Rename(before=ref) if ref.kind not in _IN_TABLES:
                refuse_kind(ref)
            case _:
                pass


_IN_TABLES = (Kind.TABLE, Kind.COLUMN, Kind.CONSTRAINT, Kind.INDEX)


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
    moved |= {name for kind, name in changed if kind is Kind.VIEW}
    moved = {name.casefold() for name in moved}
    broken = {ref for ref, _ in plan.current.broken}  # whatever it is, SQLite stops at it
    apart = {key for key, thing in old.items() if thing.ref in broken}
    moved |= {name for kind, name in apart if kind is Kind.VIEW}
    waiting = {key: words(_text(thing)) for key, thing in old.items() if key not in apart}
    while more := {key for key, text in waiting.items() if not text.isdisjoint(moved)}:
        for key in more:
            del waiting[key]
        moved |= {name for kind, name in more if kind is Kind.VIEW}
    return old.keys() - waiting.keys()


def drop_text(thing: Code) -> str:
    """DROP VIEW or DROP TRIGGER."""
    return f"DROP {thing.ref.kind.value.upper()} {identifier(name_of(thing))}"


def create_text(thing: Code) -> str:
    """CREATE VIEW or CREATE TRIGGER."""
    if isinstance(thing, Trigger):
        return thing.definition
    columns = dict(thing.parameters).get(KEYS)
    name = identifier(thing.name.name) + (f" ({columns})" if columns else "")
    return f"CREATE VIEW {name} AS\n{thing.definition}"
