"""Plan the statements of upgrade and rollback from two schemas and the user's choices."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dbwarden.authoring.collect.hints import NO_HINTS, Hints
from dbwarden.authoring.compare.renames import new_labels
from dbwarden.authoring.compare.user_choices import (
    Answers,
    allow_drops,
    decide_renames,
    refuse_unknown_columns,
    refuse_unknown_permissions,
    renames_in_use,
)
from dbwarden.authoring.generate.apply_hints import restore_types, use_model_expressions
from dbwarden.authoring.labels import label
from dbwarden.dialects.authoring import AuthoringDialect
from dbwarden.diff import diff
from dbwarden.diff.changes import Alter, Change, Create, Rename, Renaming, invert
from dbwarden.diff.renames import renamed_ref
from dbwarden.diff.statements import (
    PlannedStatement,
    RenderOptions,
    merge_statements,
    stages_of,
)
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import Column, ObjectKind, Ref, Schema, Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """Renames, and values for existing rows, chosen by flags, models or a prompt.

    ``in_use`` are the renames of tables and columns that keep both names until no application uses
    the old one.
    """

    renames: tuple[Renaming, ...] = ()
    in_use: tuple[Rename, ...] = ()
    fills: Mapping[str, str] = field(default_factory=dict)

    @property
    def in_place(self) -> tuple[Renaming, ...]:
        """The renames without those of columns in use, which are added and dropped instead."""
        return tuple(
            item
            for item in self.renames
            if not (item in self.in_use and item.ref.kind is ObjectKind.COLUMN)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The statements to write.

    ``rollback`` is ``None`` if the migration is irreversible; ``no_way_back`` is the reason.
    ``not_proven`` is the reason to write it without a proof. ``decisions`` are the choices
    behind it.
    """

    upgrade: tuple[PlannedStatement, ...]
    rollback: tuple[PlannedStatement, ...] | None
    no_way_back: str | None = None
    not_proven: str | None = None
    decisions: Decisions = field(default_factory=Decisions)

    @property
    def up(self) -> "RowEffects":
        """The effects of the upgrade on rows."""
        return row_effects(self.upgrade)

    @property
    def down(self) -> "RowEffects":
        """The effects of the rollback on rows."""
        return row_effects(self.rollback or ())


@dataclass(frozen=True, slots=True, kw_only=True)
class RowEffects:
    """The effects of statements on rows; see :class:`PlannedStatement`. Names are unique."""

    destroys: tuple[str, ...]
    converts: tuple[str, ...]
    removes: tuple[str, ...]
    refuses: tuple[str, ...]

    @property
    def loses(self) -> tuple[str, ...]:
        """Tables and columns whose values a rollback cannot bring back."""
        return tuple(dict.fromkeys((*self.destroys, *self.converts)))

    @property
    def to_allow(self) -> tuple[str, ...]:
        """Names that the user must allow before the migration is written."""
        return (*self.loses, *self.removes)


def row_effects(statements: Sequence[PlannedStatement]) -> RowEffects:
    """Return the effects of *statements* on rows."""
    return RowEffects(
        destroys=tuple(dict.fromkeys(name for item in statements for name in item.destroys)),
        converts=tuple(dict.fromkeys(name for item in statements for name in item.converts)),
        removes=tuple(dict.fromkeys(name for item in statements for name in item.removes)),
        refuses=tuple(dict.fromkeys(text for item in statements for text in item.refuses)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The input of a plan.

    ``preserved`` objects follow renames by themselves; they have their old names here. ``earlier``
    holds the expressions in the files that build *current*. ``decided`` skips the questions.
    ``rewritten`` are columns whose plain change rewrites their table, ``together`` keeps removals
    in the file of the other changes; see ``RenderOptions``.
    """

    current: Schema
    desired: Schema
    preserved: Collection[Ref] = ()
    hints: Hints = NO_HINTS
    earlier: Hints = NO_HINTS
    answers: Answers = field(default_factory=Answers)
    decided: Decisions | None = None
    rewritten: Collection[str] = ()
    together: bool = False


async def plan(authoring_dialect: AuthoringDialect, task: Task) -> Plan:
    """Ask the open questions, and render both directions.

    Raises:
        UsageError: A rename or a drop needs an answer, and no prompt is available.
        UnsupportedChange: A difference cannot be expressed; names it.
    """
    decisions = task.decided or await decide(task)
    renames = decisions.renames
    changes, upgrade = upgrade_of(authoring_dialect, task, decisions)
    converted = _type_changes(task, changes)
    reasons = {**converted, **_defined_elsewhere(task.hints)}
    default = task.desired.default_namespace
    moves = new_labels(renames, default)
    tables = (c for c in changes if isinstance(c, Create) and isinstance(c.obj, Table))
    added = [label(change.table, default) for change in tables]
    await allow_drops(
        task.answers,
        row_effects(upgrade).to_allow,
        reasons,
        retyped=converted,
        moves=moves,
        added=added,
    )
    options = replace(_options(task, decisions), stages=stages_of(upgrade))
    try:
        rollback = _rollback(authoring_dialect, task, _renames(task, decisions), options)
    except UnsupportedChange as error:
        why = _why(error)
        return Plan(upgrade=upgrade, rollback=None, no_way_back=why, decisions=decisions)
    return Plan(upgrade=upgrade, rollback=rollback, decisions=decisions)


def upgrade_of(
    authoring_dialect: AuthoringDialect, task: Task, decisions: Decisions
) -> tuple[Sequence[Change], tuple[PlannedStatement, ...]]:
    """Return the changes of the upgrade, and their statements.

    Raises:
        UnsupportedChange: A difference cannot be expressed; names it.
    """
    changes = changes_of(task, decisions)
    return changes, render(authoring_dialect, task, changes, _options(task, decisions))


def changes_of(task: Task, decisions: Decisions) -> tuple[Change, ...]:
    """Return the changes of the upgrade."""
    renames = _renames(task, decisions)
    follows = {renamed_ref(ref, renames) for ref in task.preserved}
    return diff(task.current, task.desired, renames, follows)


def _renames(task: Task, decisions: Decisions) -> tuple[Renaming, ...]:
    return decisions.in_place if task.answers.online else decisions.renames


def statements_of(
    authoring_dialect: AuthoringDialect,
    task: Task,
    changes: Sequence[Change],
    decisions: Decisions,
) -> tuple[PlannedStatement, ...]:
    """Return the plain statements of *changes*, one by one, without the forms for tables in use."""
    options = replace(_options(task, decisions), online=False, renames_in_use=())
    return authoring_dialect.render(
        changes, current=task.current, desired=task.desired, options=options
    )


def _options(task: Task, decisions: Decisions) -> RenderOptions:
    return RenderOptions(
        online=task.answers.online,
        using=task.answers.using,
        using_back=task.answers.rollback_using,
        fills=decisions.fills,
        rewritten=task.rewritten,
        allow_rewrite=task.answers.allow_rewrite,
        together=task.together,
        renames_in_use=decisions.in_use if task.answers.online else (),
    )


async def decide(task: Task) -> Decisions:
    """Ask the open questions about renames; take the fills from flags.

    Raises:
        UsageError: A question has no answer and no prompt is available, or an answer names
            an unknown object.
    """
    refuse_unknown_columns(task.answers, task.current, task.desired)
    refuse_unknown_permissions(task.answers, task.current, task.desired)
    renames = await decide_renames(task.answers, task.hints, task.current, task.desired)
    in_use = renames_in_use(task.answers, renames, task.current) if task.answers.online else ()
    return Decisions(renames=renames, in_use=in_use, fills=task.answers.fills)


def _type_changes(task: Task, changes: Sequence[Change]) -> dict[str, str]:
    """Return the type changes of columns, by column name."""
    found = {}
    for change in changes:
        match change:
            case Alter(before=Column(type=was), after=Column(type=now) as column) if was != now:
                own = label(change.table, task.desired.default_namespace, column.name)
                found[own] = f"{was} becomes {now}"
            case _:
                pass
    return found


def _defined_elsewhere(hints: Hints) -> dict[str, str]:
    """Return a reason for each table whose module exists but is missing in ``model_paths``."""
    return {
        table: f"{module} defines it, but model_paths does not name that module"
        for table, module in hints.unclaimed.items()
    }


def _why(error: UnsupportedChange) -> str:
    """Return the reason why there is no rollback, and the flag that would add one."""
    if error.unconverted is None:
        return error.message
    option = f"--rollback-using {error.unconverted}='<expression>'"
    return f"{error.message} Pass the conversion: {option}."


def render(
    authoring_dialect: AuthoringDialect,
    task: Task,
    changes: Sequence[Change],
    options: RenderOptions,
) -> tuple[PlannedStatement, ...]:
    """Return the statements for *changes*, with the models' expressions where they have some."""
    words = (task.hints, task.desired.default_namespace)
    worded = use_model_expressions(changes, *words)
    statements = authoring_dialect.render(
        worded, current=task.current, desired=task.desired, options=options
    )
    if task.hints is NO_HINTS:
        return merge_statements(statements)
    return merge_statements(
        replace(item, text=restore_types(item.text, item.change, *words)) for item in statements
    )


def _rollback(
    authoring_dialect: AuthoringDialect,
    task: Task,
    renames: Sequence[Renaming],
    options: RenderOptions,
) -> tuple[PlannedStatement, ...]:
    changes = diff(task.desired, task.current, invert(renames), task.preserved)
    # The USING expressions of the upgrade do not apply to the rollback.
    options = replace(options, back=True, using=options.using_back, using_back=options.using)
    worded = use_model_expressions(changes, task.earlier, task.current.default_namespace)
    statements = authoring_dialect.render(
        worded, current=task.desired, desired=task.current, options=options
    )
    return merge_statements(statements)
