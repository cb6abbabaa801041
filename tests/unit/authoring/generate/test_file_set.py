"""Plans are split into files by the stages of their statements."""

from dbwarden.authoring.generate.file_set import split
from dbwarden.authoring.generate.plan import Plan
from dbwarden.diff.changes import Create
from dbwarden.diff.statements import PlannedStatement, Stage
from dbwarden.schema import Namespace

CHANGE = Create(obj=Namespace(name="s"))


def at(text: str, stage: Stage | None, batched: str | None = None) -> PlannedStatement:
    return PlannedStatement(text=text, change=CHANGE, stage=stage, batched=batched)


def texts(statements: tuple[PlannedStatement, ...] | None) -> list[str]:
    return [item.text for item in statements or ()]


def test_a_plan_without_stages_is_one_file() -> None:
    plan = Plan(upgrade=(at("a", None),), rollback=(at("b", None),))
    (part,) = split(plan)
    assert (part.plan, part.name, part.table) == (plan, None, None)


def test_statements_are_in_the_files_of_their_stages() -> None:
    upgrade = (
        at("swap", Stage.SWITCH),
        at("add", Stage.EXPAND),
        at("fill t", Stage.BACKFILL, "t"),
        at("fill u", Stage.BACKFILL, "u"),
        at("drop", Stage.CONTRACT),
        at("tidy", Stage.TIDY),
        at("index", Stage.PREPARE),
    )
    rollback = (at("add again", Stage.CONTRACT), at("back", Stage.SWITCH), at("un", Stage.EXPAND))
    expand, first, second, switch, contract = split(Plan(upgrade=upgrade, rollback=rollback))
    assert [it.name for it in (expand, first, switch)] == ["expand", "backfill", "switch"]
    assert texts(expand.plan.upgrade) == ["add"]
    assert texts(expand.plan.rollback) == ["un"]
    assert (first.table, second.table) == ("t", "u")
    assert first.plan.rollback is None
    assert texts(switch.plan.upgrade) == ["index", "swap", "tidy"]
    assert switch.after == (1, 2)
    assert texts(contract.plan.upgrade) == ["drop"]
    assert texts(contract.plan.rollback) == ["add again"]


def test_without_a_backfill_removals_alone_are_apart() -> None:
    upgrade = (at("alter", Stage.SWITCH), at("add", Stage.EXPAND), at("drop", Stage.CONTRACT))
    first, last = split(Plan(upgrade=upgrade, rollback=None))
    assert texts(first.plan.upgrade) == ["alter", "add"]
    assert texts(last.plan.upgrade) == ["drop"]
    assert first.plan.rollback is None
