"""Compare a live database, migration files and models."""

from collections import defaultdict
from collections.abc import Iterator
from collections.abc import Sequence as Many
from dataclasses import dataclass, field, replace

from dbwarden.authoring.collect.current import files_source
from dbwarden.authoring.collect.hints import NO_HINTS
from dbwarden.authoring.compare.comparison import (
    SchemaComparison,
    build_live,
    compare_with_models,
    keep_unmanaged_tables,
    read_live_schema,
    without_undeclared,
)
from dbwarden.authoring.compare.ignoring import without_ignored
from dbwarden.authoring.compare.left_out import LeftOut, comparable, names_of
from dbwarden.authoring.compare.normalize import normalize_schema
from dbwarden.authoring.generate.plan import PlanRequest, render
from dbwarden.authoring.labels import display_name
from dbwarden.authoring.scratch_session import ScratchSession, open_scratch_session
from dbwarden.authoring.write.migration_text import statement_lines
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.diff import diff
from dbwarden.diff.changes import Alter, Change, Create, Drop
from dbwarden.diff.statements import DEFAULT_OPTIONS
from dbwarden.errors import DBWardenError, UnsupportedChange
from dbwarden.files.migration import Migration
from dbwarden.operations.operation import migration_files, operation
from dbwarden.schema import Column, Ref, Sequence, Table
from dbwarden.types import DatabaseName


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference: ``change`` is add, drop, change or rename, ``what`` the object.

    Columns that differ only in the same change of default are one difference.
    """

    change: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffResult:
    """The differences of two schemas; ``clean`` if there are none.

    ``compared`` names the two; ``sql`` turns the first into the second, and is empty if that
    cannot be written (``problem`` says why). ``left_out`` lists objects that were not compared
    because dbwarden does not write them, and their dependents. ``refused`` are the errors of
    models that were left out (``keep_going``).
    """

    database: DatabaseName
    compared: str
    differences: tuple[Difference, ...]
    sql: str = field(default="", repr=False)
    problem: str | None = None
    left_out: tuple[LeftOut, ...] = ()
    refused: tuple[DBWardenError, ...] = ()

    @property
    def clean(self) -> bool:
        """True if there are no differences and all models were compared."""
        return not self.differences and not self.refused


@operation("diff")
async def drift(
    config: DatabaseConfig,
    *,
    models: bool = False,
    keep_going: bool = False,
    ignore: Many[str] = (),
) -> DiffResult:
    """Compare a live database with its migration files; reads only.

    Args:
        config: The database, its name, or ``None`` for the default one.
        models: Compare it with the models instead.
        keep_going: Leave out models that the server refuses, and compare the rest.
        ignore: More patterns of ``ignore_drift``.

    Raises:
        ConnectError: The database cannot be reached.
        UsageError: There is no place for a scratch database.
    """
    config = replace(config, ignore_drift=(*config.ignore_drift, *ignore))
    files = await migration_files(config)
    async with open_scratch_session(config) as session:
        if models:
            comparison = await compare_with_models(
                session, files, from_live=True, keep_going=keep_going
            )
            comparison = without_ignored(comparison, config.ignore_drift)
            return _result(session, "live with models", comparison)
        return _result(session, "live with files", await compare_live(session, files))


@operation("check_models")
async def check_models(config: DatabaseConfig, *, keep_going: bool = False) -> DiffResult:
    """Compare the migration files with the models; connects to no configured database.

    Args:
        config: The database, its name, or ``None`` for the default one.
        keep_going: Leave out models that the server refuses, and compare the rest.

    Raises:
        ConfigurationError: The models cannot be read.
        StatementFailed: The server refuses a statement of the models.
        UsageError: There is no place for a scratch database.
    """
    files = await migration_files(config)
    async with open_scratch_session(config) as session:
        comparison = await compare_with_models(session, files, keep_going=keep_going)
        return _result(session, "files with models", comparison)


async def compare_live(session: ScratchSession, files: Many[Migration]) -> SchemaComparison:
    """Compare the live database with *files*.

    Objects that cannot be compared, or that ``ignore_drift`` names, are in neither schema.
    """
    live = await read_live_schema(session, files)
    source, current, unbuilt = await build_live(session, live)
    desired = await session.schema(files_source(files))
    both = (current, desired)
    current, desired, left = comparable(current, desired, unbuilt)
    desired = await normalize_schema(
        session, current, keep_unmanaged_tables(session.config, current, desired)
    )
    left_out = names_of(left, *both, live.read)
    comparison = SchemaComparison(
        source=source, current=current, desired=desired, left=left, left_out=left_out
    )
    comparison = without_undeclared(session.config, comparison, "migration")
    return without_ignored(comparison, session.config.ignore_drift)


def _result(session: ScratchSession, what: str, comparison: SchemaComparison) -> DiffResult:
    current, desired = comparison.current, comparison.desired
    changes = diff(current, desired)
    sql, problem = "", None
    try:
        task = PlanRequest(comparison=replace(comparison, hints=NO_HINTS))
        rendered = render(session.authoring_dialect, task, changes, DEFAULT_OPTIONS)
        sql = "\n".join(line for item in rendered for line in statement_lines(item))
    except UnsupportedChange as error:
        problem = error.message
    return DiffResult(
        database=session.config.database_name,
        compared=what,
        differences=differences_of(comparison),
        sql=sql,
        problem=problem,
        left_out=comparison.left_out,
        refused=comparison.refused,
    )


def differences_of(
    comparison: SchemaComparison, skipped: frozenset[Ref] = frozenset()
) -> tuple[Difference, ...]:
    """Return the differences of a comparison, without those of *skipped* objects."""
    changes = [c for c in diff(comparison.current, comparison.desired) if c.ref not in skipped]
    default = comparison.desired.default_namespace
    return tuple(group_differences(without_owned_sequences(changes), default))


def group_differences(changes: Many[Change], default_namespace: str | None) -> Iterator[Difference]:
    """Yield the differences of *changes*; columns with the same change of default share one."""
    groups: defaultdict[tuple[str, str] | None, list[Change]] = defaultdict(list)
    for change in changes:
        groups[_new_default(change)].append(change)
    for change in changes:
        what = display_name(change.ref, default_namespace)
        texts = _new_default(change)
        group = groups[texts]
        if texts is None or len(group) == 1:
            yield Difference(change=change.verb, what=what)
        elif change is group[0]:
            columns = [display_name(item.ref, default_namespace) for item in group]
            names = ", ".join(name.removeprefix("column ") for name in columns)
            what = f"default of {len(columns)} columns from {texts[0]} to {texts[1]}: {names}"
            yield Difference(change=change.verb, what=what)


def _new_default(change: Change) -> tuple[str, str] | None:
    """Return the old and the new default, if *change* alters nothing else."""
    match change:
        case Alter(before=Column(default=str(old)) as before, after=Column(default=str(new))):
            return (old, new) if replace(before, default=new) == change.after else None
        case _:
            return None


def without_owned_sequences(changes: Many[Change]) -> list[Change]:
    """Return *changes* without the sequences of created and dropped tables."""
    tables = {
        change.table
        for change in changes
        if isinstance(change, Create | Drop) and isinstance(change.obj, Table)
    }
    inside = {
        obj.name
        for change in changes
        for obj in _sequences(change)
        if obj.owned_by is not None and obj.owned_by.table in tables
    }
    return [c for c in changes if not any(obj.name in inside for obj in _sequences(c))]


def _sequences(change: Change) -> list[Sequence]:
    match change:
        case Create(obj=Sequence() as obj) | Drop(obj=Sequence() as obj):
            return [obj]
        case Alter(before=Sequence() as before, after=Sequence() as after):
            return [before, after]
        case _:
            return []
