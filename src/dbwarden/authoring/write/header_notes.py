"""Write the header notes of a migration: destroyed and changed values, and failures."""

from collections.abc import Sequence

from dbwarden.authoring.compare.fills import flag, unfilled_of
from dbwarden.authoring.compare.renames import new_labels
from dbwarden.authoring.compare.user_choices import by_new_names
from dbwarden.authoring.generate.plan import Plan
from dbwarden.authoring.labels import label, shorten
from dbwarden.authoring.prove.proof import Proof
from dbwarden.authoring.prove.row_trials import UNTRIED
from dbwarden.schema import Schema


def find_changed_values(proof: Proof, planned: Plan, current: Schema) -> tuple[str, ...]:
    """Return the columns whose values change, without those of tables that are destroyed."""
    default = current.default_namespace
    whole = {
        label(table.name, default, column.name)
        for table in current.tables
        if label(table.name, default) in planned.up.destroys
        for column in table.columns
    }
    # Dropped objects are listed under their new name, if they have one.
    now = by_new_names(proof.changed, new_labels(planned.decisions.renames, default))
    gone = planned.up.loses
    return tuple(name for name, new in now.items() if name not in whole and new not in gone)


def losses(planned: Plan, changed: Sequence[str], untried: Sequence[str]) -> list[str]:
    """Return notes on the values that each direction destroys, changes, refuses or did not try."""
    up, down = planned.up, planned.down
    notes = []
    if up.destroys:
        notes.append(f"Destroys {', '.join(up.destroys)}; a rollback brings back no values")
    if values := [*up.converts, *changed]:
        notes.append(f"Changes values of {', '.join(values)}; a rollback leaves them changed")
    if up.refuses:
        notes.append(f"Fails on rows where {shorten(up.refuses)}")
    if down.destroys:
        notes.append(f"The rollback destroys {shorten(down.destroys)}")
    if down.converts:
        notes.append(f"The rollback changes values of {shorten(down.converts)} written meanwhile")
    if down.refuses:
        notes.append(f"The rollback fails on rows where {shorten(down.refuses)}")
    if untried:
        notes.append(f"{UNTRIED} {shorten(untried)}")
    if planned.not_proven is not None:
        notes.append(f"Not proven: {planned.not_proven}")
    if planned.no_way_back is not None:
        notes.append(f"There is no way back: {planned.no_way_back}")
    return notes


def failures(planned: Plan, proof: Proof | None, desired: Schema) -> list[str]:
    """Return why each direction fails on the rows that it was tried with."""
    notes = []
    if fails := failing(planned, proof, desired):
        notes.append(f"Fails where tables have rows: {fails}")
    if proof is not None and proof.back_fails_on_rows:
        notes.append(f"The rollback fails where tables have rows: {proof.back_fails_on_rows}")
    return notes


def failing(planned: Plan, proof: Proof | None, desired: Schema) -> str | None:
    """Return why the upgrade fails on rows, and the flags that prevent it."""
    said = proof.fails_on_rows if proof is not None else None
    unfilled = unfilled_of(planned.upgrade)
    if not unfilled:
        return said
    flags = " ".join(flag(name, desired) for name in unfilled)
    why = said or f"no value for {shorten(unfilled)}"
    return f"{why}; fill them first, or make it again with {flags}"
