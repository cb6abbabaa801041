"""Statements and what was found out about them -> the text of a migration file. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from dbwarden.authoring.collect.unmanaged_objects import MARK
from dbwarden.authoring.generate.plan import Plan
from dbwarden.authoring.labels import group_of
from dbwarden.dialects.authoring import TableLock, TracedStatement
from dbwarden.diff.changes import Drop, DropTable
from dbwarden.diff.statements import PlannedStatement

_WIDTH = 100
_MANY = 5
"""More tables than that, to which the same happens, are told in one line."""

_AUTOCOMMIT = "-- @dbwarden:autocommit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What stands above the sections, one sentence a line.

    ``verdict`` is ``exact``, ``loses ...``, ``irreversible`` or ``not proven``.
    """

    purpose: str
    verdict: str
    server: str | None = None
    notes: tuple[str, ...] = ()
    locks: tuple[TracedStatement, ...] = ()


def migration_text(header: Header, plan: Plan, default_namespace: str | None) -> str:
    """The whole file."""
    parts = [
        *_header_lines(header, irreversible=plan.rollback is None),
        "",
        "-- upgrade",
        "",
        *section_lines(plan.upgrade, default_namespace),
    ]
    if plan.rollback is not None:
        parts += ["", "-- rollback", "", *section_lines(plan.rollback, default_namespace)]
    return "\n".join(parts).rstrip("\n") + "\n"


def _header_lines(header: Header, *, irreversible: bool) -> Iterable[str]:
    yield f"-- Purpose: {' '.join(header.purpose.split())}"
    tried = f" (tried on {header.server})" if header.server else ""
    yield from _wrapped(f"{MARK.removeprefix('-- ')}{header.verdict}{tried}")
    for note in header.notes:
        yield from _wrapped(note)
    for lock in lock_lines(header.locks):
        yield from _wrapped(lock)
    if irreversible:
        yield "-- dbwarden: irreversible"


def lock_lines(traced: Sequence[TracedStatement]) -> tuple[str, ...]:
    """For each table that was there before, the strongest lock, and how often it is rewritten.

    A line a table; of many to which the same happens, one for all.
    """
    met: dict[str, list[TableLock]] = {}
    for statement in traced:
        for lock in statement.locks:
            met.setdefault(lock.table, []).append(lock)
    alike: dict[tuple[str, str], list[str]] = {}
    for table, locks in sorted(met.items()):
        alike.setdefault(_lock_words(locks), []).append(table)
    lines = []
    for (verb, rest), tables in alike.items():
        many = len(tables) > _MANY
        text = rest.replace("rewrites it", "rewrites them") if many else rest
        lines += [f"{verb} {name}{text}" for name in ([", ".join(tables)] if many else tables)]
    return tuple(sorted(lines))


def _lock_words(locks: Sequence[TableLock]) -> tuple[str, str]:
    """What stands before the name of a table, and what after it."""
    strongest = max(locks, key=lambda lock: lock.strength)
    rewrites = sum(lock.rewrites for lock in locks)
    often = f" {rewrites} times" if rewrites > 1 else ""
    if not strongest.mode:
        return "Rewrites", often
    rewriting = f" and rewrites it{often}" if rewrites else ""
    count = f" ({len(locks)} statements)" if len(locks) > 1 else ""
    return "Locks", f": {strongest.mode}{rewriting}{count}"


def _wrapped(text: str) -> Iterable[str]:
    """*text* as comment lines of a readable width."""
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
    """The statements, each object under a heading of its own; what only goes says it by itself."""
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
    """Whether all of it is one short DROP, whose own words are what a heading would say."""
    first = members[0]
    whole = isinstance(first.change, DropTable | Drop) and first.text.startswith("DROP ")
    return whole and len(members) == 1 and not first.why and "\n" not in first.text


def statement_lines(statement: PlannedStatement) -> list[str]:
    """One statement with its reason, its marker and its semicolon."""
    lines = list(_wrapped(statement.why)) if statement.why else []
    if not statement.transactional:
        lines.append(_AUTOCOMMIT)
    return [*lines, statement.text.rstrip().rstrip(";") + ";"]
