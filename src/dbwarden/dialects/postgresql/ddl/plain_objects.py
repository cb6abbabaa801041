"""Render objects of kinds without a class of their own, from their clauses. Pure.

The texts of the clauses are SQL. CREATE has them in their order, unless the row of the kind in
:data:`FORMS` has another form. The row also says how ALTER changes the clauses that can change in
place.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dbwarden.dialects.postgresql.ddl.context import Context, Statements, ref_sql
from dbwarden.diff.statements import Sql
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import OBJECT_KINDS, ObjectKind, PlainObject

Words = Mapping[str, Sequence[tuple[str, str]]]
"""The clauses by their first word: the rest of their name, and their text."""
AlterClause = Callable[[str, str | None, str | None], Sequence[str]]
"""Returns what follows ``ALTER name``, for the rest of a clause's name and its old and new text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The SQL of one kind: after ``CREATE name``, if it is not the clauses, and ``ALTER name``.

    ``alter_new`` are the words of clauses that only ALTER can add, to a new object, too. ``notes``
    explain CREATE and the ALTER of some clauses. ``remote``: DROP contacts another server, and
    loses a state that CREATE does not restore.
    """

    create: Callable[[Words], Sequence[str]] | None = None
    alter: Mapping[str, AlterClause] = field(default_factory=dict)
    alter_new: tuple[str, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)
    remote: bool = False


def _alter_mapping(token: str, old: str | None, new: str | None) -> Sequence[str]:
    if new is None:
        return (f"DROP MAPPING FOR {token}",)
    return (f"{'ADD' if old is None else 'ALTER'} MAPPING FOR {token} WITH {new}",)


def _publish(words: Words) -> Sequence[str]:
    tables = ", ".join(text for _, text in words.get("table", ()))
    schemas = ", ".join(text for _, text in words.get("schema", ()))
    objects = [f"TABLE {tables}"] * bool(tables) + [f"TABLES IN SCHEMA {schemas}"] * bool(schemas)
    return [
        *(text for _, text in words.get("all", ())),
        *([f"FOR {', '.join(objects)}"] if objects else ()),
        _with_options(words),
    ]


def _with_options(words: Words) -> str:
    return f"WITH ({', '.join(f'{name} = {value}' for name, value in words.get('option', ()))})"


def _set_option(name: str, old: str | None, new: str | None) -> Sequence[str]:
    return (f"SET ({name} = {new})",)


def _exchange(was: str, old: str | None, now: str, new: str | None) -> Sequence[str]:
    """Drop *was* if there is an *old* clause, and add *now* if there is a *new* one."""
    return [f"DROP {was}"] * (old is not None) + [f"ADD {now}"] * (new is not None)


def _serve(words: Words) -> Sequence[str]:
    options = ", ".join(f"{name} {value}" for name, value in words.get("option", ()))
    first = (text for word in ("type", "version", "wrapper") for _, text in words.get(word, ()))
    return [*first, *([f"OPTIONS ({options})"] if options else ())]


def _alter_option(name: str, old: str | None, new: str | None) -> Sequence[str]:
    if new is None:
        return (f"OPTIONS (DROP {name})",)
    return (f"OPTIONS ({'ADD' if old is None else 'SET'} {name} {new})",)


def _subscribe(words: Words) -> Sequence[str]:
    options = [it for word in ("option", "slot") for it in words.get(word, ())]
    return [
        # The server demands a password of roles that are no superusers.
        "CONNECTION 'password=unset'",
        *(f"PUBLICATION {text}" for _, text in words["publications"]),
        _with_options({"option": [("connect", "false"), ("slot_name", "NONE"), *options]}),
    ]


_DEFAULTS = {
    "binary": "false",
    "synchronous_commit": "off",
    "disable_on_error": "false",
    "password_required": "true",
    "run_as_owner": "false",
    "origin": "any",
}


FORMS: Mapping[ObjectKind, Form] = {
    ObjectKind.SERVER: Form(
        create=_serve,
        alter={
            "version": lambda name, old, new: (new or "VERSION NULL",),
            "option": _alter_option,
        },
    ),
    ObjectKind.PUBLICATION: Form(
        create=_publish,
        alter={
            "table": lambda name, old, new: _exchange(f"TABLE {name}", old, f"TABLE {new}", new),
            "schema": lambda name, old, new: _exchange(
                f"TABLES IN SCHEMA {name}", old, f"TABLES IN SCHEMA {name}", new
            ),
            "option": _set_option,
        },
    ),
    ObjectKind.SUBSCRIPTION: Form(
        create=_subscribe,
        alter={
            "publications": lambda _, old, new: (f"SET PUBLICATION {new} WITH (refresh = false)",),
            "option": lambda name, old, new: _set_option(name, old, new or _DEFAULTS[name]),
        },
        notes={
            "create": "Set its CONNECTION and slot_name on each database, ENABLE it, and REFRESH.",
            "publications": "ALTER SUBSCRIPTION ... REFRESH PUBLICATION then adds their tables.",
        },
        remote=True,
    ),
    ObjectKind.TEXT_SEARCH: Form(alter={"mapping": _alter_mapping}, alter_new=("mapping",)),
    ObjectKind.EVENT_TRIGGER: Form(
        alter={"enabled": lambda _, old, new: (new or "ENABLE",)}, alter_new=("enabled",)
    ),
}


def create_plain(ctx: Context, obj: PlainObject) -> Statements:
    """Create an object."""
    _require_written(obj)
    form = FORMS.get(obj.kind, Form())
    clauses = tuple(it for it in obj.clauses if it[0].partition(" ")[0] not in form.alter_new)
    parts = form.create(_words(obj)) if form.create else [text for _, text in clauses]
    text = " ".join([f"CREATE {ref_sql(ctx, obj.ref, OBJECT_KINDS[obj.kind].create)}", *parts])
    yield Sql(text, why=form.notes.get("create"))
    yield from alter_plain(ctx, replace(obj, clauses=clauses), obj)


def alter_plain(ctx: Context, before: PlainObject, after: PlainObject) -> Statements:
    """Alter the clauses of an object that can change in place."""
    _require_written(after)
    form, head = FORMS.get(after.kind, Form()), f"ALTER {ref_sql(ctx, after.ref)}"
    old, new = dict(before.clauses), dict(after.clauses)
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name):
            word, _, rest = name.partition(" ")
            for text in form.alter[word](rest, old.get(name), new.get(name)):
                yield Sql(f"{head} {text}", why=form.notes.get(word))


def drop_plain(ctx: Context, obj: PlainObject) -> Statements:
    """Drop an object."""
    _require_written(obj)
    text = f"DROP {ref_sql(ctx, obj.ref)}"
    if FORMS.get(obj.kind, Form()).remote:
        yield Sql(text, transactional=False, destroys=(ctx.label(obj.name),))
    else:
        yield text


def _require_written(obj: PlainObject) -> None:
    if obj.kind is ObjectKind.OTHER:
        raise UnsupportedChange(
            f"dbwarden cannot create, change or drop the {obj.ref}.",
            next_step="Write its SQL into a migration by hand (dbwarden make-migrations --empty).",
        )


def _words(obj: PlainObject) -> Words:
    found: dict[str, list[tuple[str, str]]] = {}
    for name, text in obj.clauses:
        word, _, rest = name.partition(" ")
        found.setdefault(word, []).append((rest, text))
    return found
