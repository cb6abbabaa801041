"""Write the text of a migration file from its statements and the results of its proof. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest

from dbwarden.authoring.generate.plan import Plan
from dbwarden.authoring.labels import group_of
from dbwarden.dialects.authoring import TableLock, TracedStatement
from dbwarden.diff.changes import Drop
from dbwarden.diff.statements import PlannedStatement
from dbwarden.files.directives import declare
from dbwarden.schema import Part

_WIDTH = 100
_MANY = 5
"""If more tables than this are locked in the same way, one line lists them all."""

BATCH_SECONDS = 0.05
"""The time of a batch that fills a table in use: a writer may wait that long for a row of it."""

FIRST_BATCH = 100
"""The rows of its first batch, whose time is not known yet."""

_AUTOCOMMIT = "-- @dbwarden:autocommit"
_NOTHING = ["-- The upgrade changed nothing that could be undone.", "SELECT 1;"]
"""A rollback needs a statement: an empty one is a rollback that is missing."""


@dataclass(frozen=True, slots=True)
class Note:
    """A comment of the header for people, and the lines in which dbwarden reads it back."""

    text: str
    directives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The comments above the sections, one sentence per line.

    ``verdict`` is ``exact``, ``loses ...``, ``irreversible`` or ``not proven``. ``loses`` are the
    names of its directive. ``place`` is the place of the file in a set, if it belongs to one.
    """

    purpose: str
    verdict: str
    loses: tuple[str, ...] = ()
    server: str | None = None
    notes: tuple[Note, ...] = ()
    locks: tuple[TracedStatement, ...] = ()
    place: "SetPlace | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPlace:
    """The place of a file in a set: its phase, the table of a backfill, the backfills it waits for.

    ``number`` counts the files of the set from 1, ``of`` is their number. ``allows`` pairs rules of
    ``lint`` with the reason why the file breaks them.
    """

    number: int
    of: int
    what: str
    phase: str
    table: str | None = None
    after: tuple[str, ...] = ()
    allows: tuple[tuple[str, str], ...] = ()


def migration_text(header: Header, plan: Plan, default_namespace: str | None) -> str:
    """Return the text of the file."""
    is_backfill = header.place is not None and header.place.table is not None
    parts = [
        *_header_lines(header, irreversible=plan.rollback is None and not is_backfill),
        "",
        "-- upgrade",
        "",
        *section_lines(plan.upgrade, default_namespace),
    ]
    if plan.rollback is not None:
        statements = section_lines(plan.rollback, default_namespace) or _NOTHING
        parts += ["", "-- rollback", "", *statements]
    return "\n".join(parts).rstrip("\n") + "\n"


def _header_lines(header: Header, *, irreversible: bool) -> Iterable[str]:
    yield f"-- Purpose: {' '.join(header.purpose.split())}"
    if header.place is not None:
        yield from _wrap(f"File {header.place.number} of {header.place.of}: {header.place.what}")
    tried = f" (tried on {header.server})" if header.server else ""
    yield from _wrap(f"Verdict: {header.verdict}{tried}")
    yield from declare("generated")
    if header.place is not None:
        yield from _place_lines(header.place)
    if header.loses:
        yield from declare("loses", header.loses)
    for note, following in zip_longest(header.notes, header.notes[1:]):
        yield from _wrap(note.text)
        if following is None or following.directives != note.directives:
            yield from note.directives
    for lock in lock_lines(header.locks):
        yield from _wrap(lock)
    if irreversible:
        yield from declare("irreversible")


def _place_lines(place: SetPlace) -> Iterable[str]:
    yield f"-- phase: {place.phase}"
    if place.after:
        yield f"-- requires-backfill: {', '.join(place.after)}"
    if place.table is not None:
        yield from declare("backfill")
        yield f"-- table: {place.table}"
        yield f"-- batch: {FIRST_BATCH}"
        yield f"-- batch-seconds: {BATCH_SECONDS:g}"
    for rule, reason in place.allows:
        yield f"-- dbwarden: allow {rule}: {reason}"


def lock_lines(traced: Sequence[TracedStatement]) -> tuple[str, ...]:
    """Return the strongest lock and the number of rewrites for each table that existed before.

    Each table has a line. Many tables with the same lock share one.
    """
    locks_by_table: dict[str, list[TableLock]] = {}
    for statement in traced:
        for lock in statement.locks:
            locks_by_table.setdefault(lock.table, []).append(lock)
    alike: dict[tuple[str, str], list[str]] = {}
    for table, locks in sorted(locks_by_table.items()):
        alike.setdefault(_lock_words(locks), []).append(table)
    lines = []
    for (verb, rest), tables in alike.items():
        many = len(tables) > _MANY
        text = rest.replace("rewrites it", "rewrites them") if many else rest
        lines += [f"{verb} {name}{text}" for name in ([", ".join(tables)] if many else tables)]
    return tuple(sorted(lines))


def _lock_words(locks: Sequence[TableLock]) -> tuple[str, str]:
    """Return the text before and after the name of a table."""
    strongest = max(locks, key=lambda lock: lock.strength)
    rewrites = sum(lock.rewrites for lock in locks)
    often = f" {rewrites} times" if rewrites > 1 else ""
    if not strongest.mode:
        return "Rewrites", often
    rewriting = f" and rewrites it{often}" if rewrites else ""
    count = f" ({len(locks)} statements)" if len(locks) > 1 else ""
    return "Locks", f": {strongest.mode}{rewriting}{count}"


def _wrap(text: str) -> Iterable[str]:
    """Wrap *text* into comment lines."""
    line = "--"
    for word in text.split():
        if len(line) + len(word) >= _WIDTH and line != "--":
            yield line
            line = "--  "
        line += f" {word}"
    yield line


def section_lines(
    statements: Sequence[PlannedStatement], default_namespace: str | None
) -> list[str]:
    """Return the statements, grouped by object under headings. A short DROP needs no heading."""
    lines: list[str] = []
    after_drop = False
    for heading, group in groupby(statements, lambda one: group_of(one.change, default_namespace)):
        members = tuple(group)
        drop = _is_single_drop(members)
        if lines and not (drop and after_drop):
            lines.append("")
        if not drop:
            lines.append(f"-- {' '.join(heading.split())}")
        for statement in members:
            lines += statement_lines(statement)
        after_drop = drop
    return lines


def _is_single_drop(members: Sequence[PlannedStatement]) -> bool:
    """Return whether the group is one short DROP, which a heading would only repeat."""
    first = members[0]
    whole = isinstance(first.change, Drop) and not isinstance(first.change.obj, Part)
    plain = first.text.startswith("DROP ") and "\n" not in first.text
    return whole and plain and len(members) == 1 and not first.why


def statement_lines(statement: PlannedStatement) -> list[str]:
    """Return one statement with its reason, its marker and its semicolon."""
    lines = list(_wrap(statement.why)) if statement.why else []
    if not statement.transactional:
        lines.append(_AUTOCOMMIT)
    return [*lines, statement.text.rstrip().rstrip(";") + ";"]
