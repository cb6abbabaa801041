"""Choose values for existing rows of columns that become NOT NULL: from flags or a prompt."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from shlex import quote

from dbwarden.authoring.compare.user_choices import Asker, ask_text
from dbwarden.authoring.generate.plan import Decisions, Task, upgrade_of
from dbwarden.authoring.labels import columns_by_label
from dbwarden.authoring.scratch_session import ScratchSession, Source
from dbwarden.diff.renames import apply_renames
from dbwarden.diff.statements import PlannedStatement
from dbwarden.errors import ScratchRefused, UsageError
from dbwarden.quoting import text_literal
from dbwarden.schema import Enum, Schema


async def decide_fills(
    scratch: ScratchSession,
    source: Source,
    task: Task,
    decisions: Decisions,
    *,
    unproven: bool = False,
) -> Mapping[str, str]:
    """Return a value for each column that needs one for existing rows.

    A value that the database refuses is reported, and asked for again if a prompt is available.

    Args:
        scratch: The session that tries values.
        source: Builds the database that the migration is for.
        task: The input of the plan.
        decisions: The renames, and the values from flags.
        unproven: Whether to skip the test of values from flags.

    Raises:
        UsageError: A column has no value and no prompt is available, or the database refused the
            value of a flag.
    """
    fills = dict(decisions.fills)
    task = replace(task, answers=replace(task.answers, online=False))  # the plain form tells
    if not unproven:
        await _refuse_wrong(scratch, source, task, decisions)
    answers = task.answers
    unfilled = unfilled_of(upgrade_of(scratch.authoring_dialect, task, decisions)[1])
    if answers.allow_failing_on_rows or not unfilled:
        return fills
    if answers.asker is None:
        raise _unfilled(unfilled, task.desired)
    known = columns_by_label(apply_renames(task.current, decisions.renames))
    for name in unfilled:
        why = (
            "becomes NOT NULL: which value for rows without one?"
            if name in known
            else "is new and NOT NULL: which value for rows that exist?"
        )
        question = (
            f"{name} {why} (an SQL expression such as {example(name, task.desired)}; "
            "empty to write none: the migration then fails where such rows exist)"
        )
        so_far = replace(decisions, fills=fills)
        if value := await _valid_answer(scratch, source, task, so_far, (name, question)):
            fills[name] = value
    return fills


async def _valid_answer(
    scratch: ScratchSession, source: Source, task: Task, so_far: Decisions, about: tuple[str, str]
) -> str:
    """Ask until the database accepts the value; return an empty text for none."""
    name, question = about
    asker: Asker | None = task.answers.asker
    assert asker is not None
    wrong = None
    while True:
        value = await ask_text(asker, question if wrong is None else f"{wrong}. {question}")
        if not value:
            return value
        wrong = await _refusal(scratch, source, task, so_far, (name, value))
        if wrong is None:
            return value


async def _refuse_wrong(
    scratch: ScratchSession, source: Source, task: Task, decisions: Decisions
) -> None:
    """Raise if the database refuses a value from a flag.

    Raises:
        UsageError: Names the column, and the error of its value.
    """
    so_far = replace(decisions, fills={})
    for name, value in decisions.fills.items():
        if wrong := await _refusal(scratch, source, task, so_far, (name, value)):
            raise UsageError(
                f"--fill {name}: {wrong}",
                option="--fill",
                next_step=f"Give an SQL expression, such as {flag(name, task.desired)}",
            )
        so_far = replace(decisions, fills={**so_far.fills, name: value})


async def _refusal(
    scratch: ScratchSession, source: Source, task: Task, so_far: Decisions, fill: tuple[str, str]
) -> str | None:
    """Return the error of a value; ``None`` if it is accepted, or the upgrade fails without it."""
    name, value = fill
    if value.casefold() == "null":
        return "NULL is not a value for a NOT NULL column"
    filled = replace(so_far, fills={**so_far.fills, name: value})
    wrong = await _try_upgrade(
        scratch, source, upgrade_of(scratch.authoring_dialect, task, filled)[1]
    )
    if wrong is None:
        return None
    without = await _try_upgrade(
        scratch, source, upgrade_of(scratch.authoring_dialect, task, so_far)[1]
    )
    return f"{value} is refused: {wrong}" if without is None else None


async def _try_upgrade(
    scratch: ScratchSession, source: Source, upgrade: Sequence[PlannedStatement]
) -> str | None:
    """Run *upgrade* in a copy without rows, and return the server's error."""
    database = await scratch.copy(source)
    try:
        await database.execute([statement.text for statement in upgrade])
    except ScratchRefused as error:
        return error.reason
    finally:
        await (await scratch.scratch_server()).discard(database)
    return None


def unfilled_of(upgrade: Sequence[PlannedStatement]) -> tuple[str, ...]:
    """Return the required columns in *upgrade* for which existing rows have no value."""
    return tuple(dict.fromkeys(name for statement in upgrade for name in statement.unfilled))


def _unfilled(names: Sequence[str], desired: Schema) -> UsageError:
    """Return the error for missing values without a prompt."""
    are = "is" if len(names) == 1 else "are"
    flags = " ".join(flag(name, desired) for name in names)
    return UsageError(
        f"{', '.join(names)} {are} NOT NULL, and rows that exist may have no value: the migration "
        "would fail on them",
        next_step=f"Give them one: {flags} (or write the migration anyway: "
        "--allow-failing-on-rows)",
    )


def flag(name: str, desired: Schema) -> str:
    """Return the flag that gives rows a value, quoted for a shell."""
    return f'--fill {quote(name)}="{example(name, desired)}"'


_EXAMPLES = {
    "0": ("int", "bigint", "smallint", "serial", "numeric", "decimal", "real", "double", "float"),
    "false": ("bool",),
    "CURRENT_TIMESTAMP": ("timestamp", "datetime", "date", "time"),
    "'0'": ("interval",),
    "'{}'": ("json",),
    "'00000000-0000-0000-0000-000000000000'": ("uuid",),
}


def example(name: str, desired: Schema) -> str:
    """Return an example value for the column *name*, as an expression."""
    ref = columns_by_label(desired)[name]
    table = desired.table(ref.table)
    column = table.column(ref.part or "") if table is not None else None
    type_ = column.type.lower() if column is not None else ""
    if type_.endswith("[]"):
        return "'{}'"
    for enum in desired.of(Enum):
        if type_.rpartition(".")[2].strip('"') == enum.name.name.lower() and enum.values:
            return text_literal(enum.values[0])
    kinds = ((word, start) for word, starts in _EXAMPLES.items() for start in starts)
    # "interval" starts with "int", so the longest prefix wins.
    fitting = [(len(start), word) for word, start in kinds if type_.startswith(start)]
    return max(fitting)[1] if fitting else "''"
