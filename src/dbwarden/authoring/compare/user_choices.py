"""Collect the user's choices about a migration from flags or prompts."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from shlex import quote
from types import MappingProxyType
from typing import Protocol, TypeVar

import anyio.to_thread

from dbwarden.authoring.collect.hints import Hints
from dbwarden.authoring.compare.renames import (
    Candidate,
    candidates,
    hinted_renames,
    in_old_names,
    ordered,
    parse_rename,
    question,
    refuse_unknown_renames,
    unanswered_error,
    whole_moves,
)
from dbwarden.authoring.labels import columns_by_label
from dbwarden.config.names import did_you_mean
from dbwarden.diff.changes import Rename, Renaming
from dbwarden.diff.renames import apply_renames
from dbwarden.diff.temporary_names import add_temporary_renames
from dbwarden.errors import UsageError
from dbwarden.schema import ObjectKind, Schema

A = TypeVar("A", bool, str)
NOTHING: Mapping[str, str] = MappingProxyType({})


class Asker(Protocol):
    """A prompt at a terminal. Its methods block."""

    def yes(self, question: str) -> bool:
        """Return whether the answer is yes."""
        ...

    def text(self, question: str) -> str:
        """Return the answer; an empty text if there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The choices from flags, and the prompt for the rest.

    Args:
        renames: ``users.nick:nickname``, ``users:people``, ``status.old:new``.
        allow_drop: Exact names: ``users``, ``users.email``, ``status.old``.
        fills: Column and the expression for rows without a value.
        using: Column and the expression that turns old values into new ones.
        rollback_using: The same for the way back: new values into old ones.
        allow_failing_on_rows: Whether a column may become NOT NULL without a value for rows.
        online: Whether to use the forms that do not block reading and writing.
        allow_rewrite: Columns that may be changed by a form that rewrites their table anyway.
        allow_rename: Tables and columns in use to rename in place, by their old names.
        asker: ``None`` without a terminal.
    """

    renames: Sequence[str] = ()
    allow_drop: Sequence[str] = ()
    fills: Mapping[str, str] = field(default_factory=dict)
    using: Mapping[str, str] = field(default_factory=dict)
    rollback_using: Mapping[str, str] = field(default_factory=dict)
    allow_failing_on_rows: bool = False
    online: bool = False
    allow_rewrite: Sequence[str] = ()
    allow_rename: Sequence[str] = ()
    asker: Asker | None = None


async def ask(function: Callable[[str], A], text: str) -> A:
    """Ask a question in a worker thread."""
    return await anyio.to_thread.run_sync(function, text, abandon_on_cancel=True)


async def decide_renames(
    answers: Answers, hints: Hints, current: Schema, desired: Schema
) -> tuple[Renaming, ...]:
    """Return the renames between two schemas, from flags, models or a prompt.

    Raises:
        UsageError: A possible rename is undecided, and no prompt is available.
    """
    requested = [parse_rename(text, current, desired) for text in answers.renames]
    known = ordered((*requested, *hinted_renames(hints, current, desired)))
    refuse_unknown_renames(answers.renames, requested, known, desired)
    declined = set(answers.allow_drop)
    while True:
        open_ = [item for item in _open(current, desired, known) if item.old not in declined]
        if not open_:
            return known
        if answers.asker is None:
            raise unanswered_error(open_)
        for candidate in open_:
            if await ask(answers.asker.yes, question(candidate)):
                known = ordered((*known, candidate.renaming))
            else:
                declined.add(candidate.old)


def _open(current: Schema, desired: Schema, known: Sequence[Renaming]) -> Sequence[Candidate]:
    """Return possible renames other than the *known* ones and their temporary names."""
    moves = add_temporary_renames(current, known)
    ends = {move.after for move in known if isinstance(move, Rename)}
    temporary = {move.after for move in moves if isinstance(move, Rename)} - ends
    olds = {new: old for old, new in whole_moves(known).items()}
    return [
        in_old_names(candidate, olds, current.default_namespace)
        for candidate in candidates(apply_renames(current, moves), desired)
        if not (isinstance(candidate.renaming, Rename) and candidate.renaming.before in temporary)
    ]


def refuse_unknown_names(answers: Answers, current: Schema, desired: Schema) -> None:
    """Raise if a flag names something that does not exist, or belongs to ``--online``.

    Raises:
        UsageError: Names the flag, and a similar name.
    """
    online = {"--allow-rewrite": answers.allow_rewrite, "--allow-rename": answers.allow_rename}
    for flag, names in online.items():
        if names and not answers.online:
            raise UsageError(
                f"{flag} is only for --online",
                option=flag,
                next_step=f"Add --online, or leave {flag} out: without it, nothing is refused.",
            )
    now, then = columns_by_label(current), columns_by_label(desired)
    both = {**now, **then}
    tables = {*both, *(name.rpartition(".")[0] for name in both)}
    table = "Name a table, or table and column: {flag} users.age."
    column = "Name table and column: {flag} users.email=EXPRESSION."
    files = "column in the migrations so far"
    for flag, given, known, what, advice in (
        ("--fill", answers.fills, both, "column in the models", column),
        ("--using", answers.using, then, "column in the models", column),
        ("--rollback-using", answers.rollback_using, now, files, column),
        *((flag, names, tables, "table or column", table) for flag, names in online.items()),
    ):
        if unknown := [name for name in given if name not in known]:
            raise UsageError(
                f"{flag} {unknown[0]}: there is no such {what}{did_you_mean(unknown[0], known)}",
                option=flag,
                next_step=advice.format(flag=flag),
            )


def renames_in_use(
    answers: Answers, renames: Sequence[Renaming], current: Schema
) -> tuple[Rename, ...]:
    """Return the renames of tables and columns that may not be in place."""
    default = current.default_namespace
    return tuple(
        item
        for item in renames
        if isinstance(item, Rename)
        and item.before.kind in (ObjectKind.TABLE, ObjectKind.COLUMN)
        and item.before.table.label(default, item.before.part) not in answers.allow_rename
    )


def by_new_names(names: Sequence[str], moves: Mapping[str, str]) -> dict[str, str]:
    """Return the names after *moves*: ``people.nick`` if users became people."""
    new_names = {}
    for name in names:
        whole, _, part = name.rpartition(".")
        new_names[name] = moves.get(name, f"{moves[whole]}.{part}" if whole in moves else name)
    return new_names


async def allow_drops(
    answers: Answers,
    destroys: Sequence[str],
    why: Mapping[str, str] = NOTHING,
    *,
    retyped: Collection[str] = (),
    moves: Mapping[str, str] = NOTHING,
    added: Sequence[str] = (),
) -> None:
    """Return if the user allows the loss of everything in *destroys*.

    Args:
        answers: The allowed names, and the prompt.
        destroys: The names of destroyed objects.
        why: Explanations for some names: the new type, the module that defines a table.
        retyped: Columns that change their type and are not dropped.
        moves: The new names of renamed objects, by their old ones. Flags may use both.
        added: New tables, which may be renamed old ones.

    Raises:
        UsageError: A loss is not allowed; names each.
    """
    also = by_new_names(answers.allow_drop, moves)
    allowed = {*also, *also.values()}
    names = [name for name in dict.fromkeys(destroys) if name not in allowed]
    if not names:
        return
    listed = ", ".join(f"{name} ({why[name]})" if name in why else name for name in names)
    unknown = [old for old, new in also.items() if not {old, new} & {*destroys}]
    if unknown:
        listed += f"; it destroys nothing called {' or '.join(unknown)} (--allow-drop)"
    if answers.asker is not None and await ask(
        answers.asker.yes, f"This destroys data: {listed}. Write it anyway?"
    ):
        return
    flags = " ".join(
        f"{'--allow-loss' if name in retyped else '--allow-drop'} {quote(name)}" for name in names
    )
    raise UsageError(
        f"the migration would destroy data: {listed}",
        next_step=f"If that is intended, allow it: {flags}" + _perhaps_renamed(names, added),
    )


def _perhaps_renamed(names: Sequence[str], added: Sequence[str]) -> str:
    """Return advice for a dropped and an added table that do not look alike."""
    dropped = next((name for name in names if "." not in name), None)
    if dropped is None or not added:
        return ""
    flag = f"--rename {quote(f'{dropped}:{added[0]}')}"
    return f" (or, where it only has another name now: {flag})"


def pairs_of(texts: Sequence[str], flag: str) -> dict[str, str]:
    """Parse texts such as ``users.age=age::int`` into columns and expressions.

    Raises:
        UsageError: One has another form.
    """
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise UsageError(
                f"{flag} {text!r} does not name a column and an expression",
                next_step=f"Write it as {flag} "
                + ("users.email=\"''\"." if flag == "--fill" else "users.age='age::int'."),
            )
        pairs[name.strip()] = value.strip()
    return pairs
