"""Plan the statements of upgrade and rollback from two schemas and the user's choices."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dbwarden.authoring.collect.hints import NO_HINTS, Hints
from dbwarden.authoring.compare.comparison import SchemaComparison
from dbwarden.authoring.compare.renames import new_labels
from dbwarden.authoring.compare.user_choices import (
    Answers,
    allow_drops,
    decide_renames,
    refuse_unknown_names,
    renames_in_use,
)
from dbwarden.authoring.generate.apply_hints import restore_types, use_model_expressions
from dbwarden.authoring.labels import unique
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
from dbwarden.schema import Column, ObjectKind, Table


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
    ``not_proven`` is the reason to write it without a proof. ``decisions`` are those of its task.
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
        return unique((*self.destroys, *self.converts))

    @property
    def to_allow(self) -> tuple[str, ...]:
        """Names that the user must allow before the migration is written."""
        return (*self.loses, *self.removes)


def row_effects(statements: Sequence[PlannedStatement]) -> RowEffects:
    """Return the effects of *statements* on rows."""
    return RowEffects(
        destroys=unique(name for item in statements for name in item.destroys),
        converts=unique(name for item in statements for name in item.converts),
        removes=unique(name for item in statements for name in item.removes),
        refuses=unique(text for item in statements for text in item.refuses),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """The input of a plan.

    The preserved objects of the *comparison* follow renames by themselves; they have their old
    names here. ``earlier`` holds the expressions in the files that build the current schema.
    ``decisions`` are those of :func:`decide`. ``rewritten`` are columns whose plain change rewrites
    their table, ``together`` keeps removals in the file of the other changes; see
    ``RenderOptions``.
    """

    comparison: SchemaComparison
    earlier: Hints = NO_HINTS
    answers: Answers = field(default_factory=Answers)
    decisions: Decisions = field(default_factory=Decisions)
    rewritten: Collection[str] = ()
    together: bool = False

    @property
    def renames(self) -> tuple[Renaming, ...]:
        """The renames in place."""
        return self.decisions.in_place if self.answers.online else self.decisions.renames

    @property
    def options(self) -> RenderOptions:
        """How the changes are written."""
        return RenderOptions(
            online=self.answers.online,
            using=self.answers.using,
            using_back=self.answers.rollback_using,
            fills=self.decisions.fills,
            rewritten=self.rewritten,
            allow_rewrite=self.answers.allow_rewrite,
            together=self.together,
            renames_in_use=self.decisions.in_use if self.answers.online else (),
        )

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes of the upgrade."""
        between = self.comparison
        follows = {renamed_ref(ref, self.renames) for ref in between.preserved}
        return diff(between.current, between.desired, self.renames, follows)


async def plan(authoring_dialect: AuthoringDialect, task: PlanRequest) -> Plan:
    """Render both directions.

    Raises:
        UsageError: A drop needs an answer, and no prompt is available.
        UnsupportedChange: A difference cannot be expressed; names it.
    """
    changes = task.changes
    upgrade = render(authoring_dialect, task, changes, task.options)
    default = task.comparison.desired.default_namespace
    converted = _type_changes(changes, default)
    elsewhere = {
        table: f"{module} defines it, but model_paths does not name that module"
        for table, module in task.comparison.hints.unclaimed.items()
    }
    tables = (c for c in changes if isinstance(c, Create) and isinstance(c.obj, Table))
    await allow_drops(
        task.answers,
        row_effects(upgrade).to_allow,
        {**converted, **elsewhere},
        retyped=converted,
        moves=new_labels(task.decisions.renames, default),
        added=[change.table.label(default) for change in tables],
    )
    planned = Plan(upgrade=upgrade, rollback=None, decisions=task.decisions)
    options = replace(
        task.options,
        back=True,
        stages=stages_of(upgrade),
        # The USING expressions of the upgrade do not apply to the rollback.
        using=task.answers.rollback_using,
        using_back=task.answers.using,
    )
    ends = (task.comparison.desired, task.comparison.current)
    back = replace(task.comparison, current=ends[0], desired=ends[1], hints=task.earlier)
    try:
        changes = diff(*ends, invert(task.renames), task.comparison.preserved)
        rollback = render(authoring_dialect, replace(task, comparison=back), changes, options)
        return replace(planned, rollback=rollback)
    except UnsupportedChange as error:
        why = error.message
        if error.unconverted is not None:
            option = f"--rollback-using {error.unconverted}='<expression>'"
            why = f"{why} Pass the conversion: {option}."
        return replace(planned, no_way_back=why)


async def decide(task: PlanRequest) -> Decisions:
    """Ask the open questions about renames; take the fills from flags.

    Raises:
        UsageError: A question has no answer and no prompt is available, or an answer names
            an unknown object.
    """
    answers, between = task.answers, task.comparison
    refuse_unknown_names(answers, between.current, between.desired)
    renames = await decide_renames(answers, between.hints, between.current, between.desired)
    in_use = renames_in_use(answers, renames, between.current) if answers.online else ()
    return Decisions(renames=renames, in_use=in_use, fills=answers.fills)


def _type_changes(changes: Sequence[Change], default_namespace: str | None) -> dict[str, str]:
    """Return the type changes of columns, by column name."""
    found = {}
    for change in changes:
        match change:
            case Alter(before=Column(type=was), after=Column(type=now) as column) if was != now:
                own = change.table.label(default_namespace, column.name)
                found[own] = f"{was} becomes {now}"
            case _:
                pass
    return found


def render(
    authoring_dialect: AuthoringDialect,
    task: PlanRequest,
    changes: Sequence[Change],
    options: RenderOptions,
) -> tuple[PlannedStatement, ...]:
    """Return the statements for *changes*, with the models' expressions where they have some."""
    between = task.comparison
    words = (between.hints, between.desired.default_namespace)
    worded = use_model_expressions(changes, *words)
    statements = authoring_dialect.render(
        worded, current=between.current, desired=between.desired, options=options
    )
    if options.back or between.hints is NO_HINTS:
        return merge_statements(statements)
    return merge_statements(
        replace(item, text=restore_types(item.text, item.change, *words)) for item in statements
    )
