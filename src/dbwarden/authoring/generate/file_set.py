"""Split a plan into the files that change tables in use, in their order. Pure.

Without stages there is one file. With them there are up to four kinds: one that adds what is new,
one backfill per table, one that switches to it, and one that removes the rest after the deployment.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from dbwarden.authoring.generate.plan import Plan
from dbwarden.diff.statements import PlannedStatement, Stage

PartName = Literal["expand", "backfill", "switch", "contract"]
Statements = tuple[PlannedStatement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFile:
    """One file of a set: its statements in both directions.

    ``name`` is ``None`` for the only file of a plan without stages. ``table`` is that of a
    backfill. ``after`` are the places of the backfills that must have ended before.
    """

    plan: Plan
    name: PartName | None = None
    table: str | None = None
    after: tuple[int, ...] = ()


def split(plan: Plan) -> tuple[SetFile, ...]:
    """Return the files of *plan*, in the order of the upgrade."""
    if not any(item.stage for item in (*plan.upgrade, *(plan.rollback or ()))):
        return (SetFile(plan=plan),)
    tables = list(dict.fromkeys(item.batched for item in plan.upgrade if item.batched is not None))
    parts: list[SetFile] = []
    if tables:
        parts.append(_part("expand", plan, {Stage.EXPAND}))
        for table in tables:
            batches = tuple(item for item in plan.upgrade if item.batched == table)
            part = replace(plan, upgrade=batches, rollback=None, no_way_back=None)
            parts.append(SetFile(name="backfill", plan=part, table=table))
        switch = _part("switch", plan, {Stage.PREPARE, Stage.SWITCH, Stage.TIDY})
        parts.append(replace(switch, after=tuple(range(1, len(parts)))))
    else:
        before = {Stage.EXPAND, Stage.PREPARE, Stage.SWITCH, Stage.TIDY}
        parts.append(_part("expand", plan, before, ordered=False))
    parts.append(_part("contract", plan, {Stage.CONTRACT}))
    return tuple(part for part in parts if part.plan.upgrade or part.plan.rollback)


def _part(name: PartName, plan: Plan, stages: set[Stage], *, ordered: bool = True) -> SetFile:
    upgrade = _in_stages(plan.upgrade, stages, ordered=ordered)
    rollback = None
    if plan.rollback is not None:
        rollback = _in_stages(plan.rollback, stages, ordered=ordered)
    return SetFile(name=name, plan=replace(plan, upgrade=upgrade, rollback=rollback))


def _in_stages(
    statements: Iterable[PlannedStatement], stages: set[Stage], *, ordered: bool
) -> Statements:
    found = [item for item in statements if item.stage in stages]
    return tuple(sorted(found, key=lambda item: item.stage or 0) if ordered else found)
