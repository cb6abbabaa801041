"""Choose values for existing rows of columns that become NOT NULL: from flags or a prompt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from shlex import quote

from dbwarden.authoring.compare.user_choices import Asker, ask
from dbwarden.authoring.generate.plan import PlanRequest, render
from dbwarden.authoring.labels import columns_by_label, unique
from dbwarden.authoring.scratch_session import ScratchSession
from dbwarden.diff.renames import apply_renames
from dbwarden.diff.statements import PlannedStatement
from dbwarden.errors import ScratchRefused, UsageError
from dbwarden.quoting import text_literal
from dbwarden.schema import Enum, Schema


async def decide_fills(
    session: ScratchSession, task: PlanRequest, *, unproven: bool = False
) -> Mapping[str, str]:
    """Return a value for each column that needs one for existing rows.

    A value that the database refuses is reported, and asked for again if a prompt is available.

    Args:
        session: The session that tries values.
        task: The input of the plan, with the renames, and the values from flags.
        unproven: Whether to skip the test of values from flags.

    Raises:
        UsageError: A column has no value and no prompt is available, or the database refused the
            value of a flag.
    """
    task = replace(task, answers=replace(task.answers, online=False))  # the plain form tells
    desired = task.comparison.desired
    trial = _Trial(session=session, task=task)
    fills: dict[str, str] = {}
    for name, value in task.decisions.fills.items():
        if not unproven and (wrong := await trial.refusal(fills, name, value)):
            raise UsageError(
                f"--fill {name}: {wrong}",
                option="--fill",
                next_step=f"Give an SQL expression, such as {flag(name, desired)}",
            )
        fills[name] = value
    unfilled = unfilled_of(trial.upgrade(fills))
    if task.answers.allow_failing_on_rows or not unfilled:
        return fills
    if task.answers.asker is None:
        raise _unfilled(unfilled, desired)
    known = columns_by_label(apply_renames(task.comparison.current, task.decisions.renames))
    for name in unfilled:
        why = (
            "becomes NOT NULL: which value for rows without one?"
            if name in known
            else "is new and NOT NULL: which value for rows that exist?"
        )
        question = (
            f"{name} {why} (an SQL expression such as {example(name, desired)}; "
            "empty to write none: the migration then fails where such rows exist)"
        )
        if value := await trial.ask(task.answers.asker, question, fills, name):
            fills[name] = value
    return fills


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """The upgrade of a task with values for existing rows, in copies without rows."""

    session: ScratchSession
    task: PlanRequest

    def upgrade(self, fills: Mapping[str, str]) -> Sequence[PlannedStatement]:
        """Return the statements of the upgrade with *fills*."""
        task = replace(self.task, decisions=replace(self.task.decisions, fills=fills))
        return render(self.session.authoring_dialect, task, task.changes, task.options)

    async def error(self, fills: Mapping[str, str]) -> str | None:
        """Run the upgrade with *fills*, and return the server's error."""
        statements = [statement.text for statement in self.upgrade(fills)]
        try:
            async with self.session.borrow_copy(self.task.comparison.source) as database:
                await database.execute(statements)
        except ScratchRefused as error:
            return error.reason
        return None

    async def refusal(self, fills: Mapping[str, str], name: str, value: str) -> str | None:
        """Return the error of a value; ``None`` for none, or if the upgrade fails without it."""
        if value.casefold() == "null":
            return "NULL is not a value for a NOT NULL column"
        wrong = await self.error({**fills, name: value})
        if wrong is None or await self.error(fills) is not None:
            return None
        return f"{value} is refused: {wrong}"

    async def ask(self, asker: Asker, question: str, fills: Mapping[str, str], name: str) -> str:
        """Ask until the database accepts the value; return an empty text for none."""
        wrong: str | None = None
        while True:
            text = question if wrong is None else f"{wrong}. {question}"
            value = (await ask(asker.text, text)).strip()
            wrong = await self.refusal(fills, name, value) if value else None
            if wrong is None:
                return value


def unfilled_of(upgrade: Sequence[PlannedStatement]) -> tuple[str, ...]:
    """Return the required columns in *upgrade* for which existing rows have no value."""
    return unique(name for statement in upgrade for name in statement.unfilled)


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
