"""Write the header notes of a migration: destroyed and changed values, and failures."""

from collections.abc import Iterator, Sequence

from dbwarden.authoring.compare.fills import flag, unfilled_of
from dbwarden.authoring.compare.renames import new_labels
from dbwarden.authoring.compare.user_choices import by_new_names
from dbwarden.authoring.generate.plan import Plan
from dbwarden.authoring.prove.row_trials import by_table
from dbwarden.authoring.prove.verdict import Proof
from dbwarden.authoring.write.migration_text import Note
from dbwarden.files.declarations import covers
from dbwarden.files.directives import declare
from dbwarden.printable import shorten
from dbwarden.schema import Schema


def find_changed_values(proof: Proof, planned: Plan, current: Schema) -> tuple[str, ...]:
    """Return the columns whose values change, without the losses that the plan knows."""
    moves = new_labels(planned.decisions.renames, current.default_namespace)
    new_names = by_new_names(proof.rows.loses, moves)
    known = planned.up.loses
    return tuple(
        name for name, new in new_names.items() if new not in known and not covers(known, name)
    )


def losses_before_renames(
    planned: Plan, changed: Sequence[str], current: Schema
) -> tuple[str, ...]:
    """Return the losses of the upgrade under the names that they have in *current*."""
    moves = new_labels(planned.decisions.renames, current.default_namespace)
    olds = {new: old for old, new in moves.items()}
    names = dict.fromkeys((*by_new_names(planned.up.loses, olds).values(), *changed))
    return by_table(current, names)


def notes_of(
    planned: Plan,
    proof: Proof | None,
    changed: Sequence[str],
    untried: Sequence[str],
    desired: Schema,
) -> Iterator[Note]:
    """Yield the notes on values that each direction destroys, changes, refuses or did not try."""
    up, down = planned.up, planned.down
    fails, back_fails = tuple(declare("fails-on-rows")), tuple(declare("rollback-fails-on-rows"))
    if up.destroys:
        yield Note(f"Destroys {', '.join(up.destroys)}; a rollback brings back no values")
    if values := [*up.converts, *changed]:
        yield Note(f"Changes values of {', '.join(values)}; a rollback leaves them changed")
    if up.refuses:
        yield Note(f"Fails on rows where {shorten(up.refuses)}", fails)
    if why := failure_on_rows(planned, proof, desired):
        yield Note(f"Fails where tables have rows: {why}", fails)
    if down.destroys:
        yield Note(f"The rollback destroys {shorten(down.destroys)}")
    if down.converts:
        yield Note(f"The rollback changes values of {shorten(down.converts)} written meanwhile")
    if down.refuses:
        yield Note(f"The rollback fails on rows where {shorten(down.refuses)}", back_fails)
    if proof is not None and (refused := proof.rows.back_fails):
        yield Note(f"The rollback fails where tables have rows: {refused.reason}", back_fails)
    if untried:
        names = tuple(declare("untried", untried))
        yield Note(f"No values could be generated for {shorten(untried)}", names)
    if planned.not_proven is not None:
        yield Note(f"Not proven: {planned.not_proven}")
    if planned.no_way_back is not None:
        yield Note(f"There is no way back: {planned.no_way_back}")


def failure_on_rows(planned: Plan, proof: Proof | None, desired: Schema) -> str | None:
    """Return why the upgrade fails on rows, and the flags that prevent it."""
    reason = proof.rows.fails.reason if proof is not None and proof.rows.fails else None
    unfilled = unfilled_of(planned.upgrade)
    if not unfilled:
        return reason
    flags = " ".join(flag(name, desired) for name in unfilled)
    why = reason or f"no value for {shorten(unfilled)}"
    return f"{why}; fill them first, or make it again with {flags}"
