"""Where a live database is not what its files, or its models, say."""

from collections import defaultdict
from collections.abc import Iterator
from collections.abc import Sequence as Many
from dataclasses import dataclass, field, replace

from dbwarden.authoring.collect.current import files_source
from dbwarden.authoring.compare.comparison import (
    SchemaComparison,
    build_live,
    compare_with_models,
    floor_of,
    keep_unmanaged_tables,
    read_live_schema,
    without_undeclared,
)
from dbwarden.authoring.compare.left_out import LeftOut, comparable, names_of
from dbwarden.authoring.compare.normalize import normalize_schema
from dbwarden.authoring.generate.plan import Task, render
from dbwarden.authoring.labels import display_name
from dbwarden.authoring.scratch_session import ScratchSession, open_scratch_session
from dbwarden.authoring.write.migration_text import statement_lines
from dbwarden.config.model import DatabaseConfig
from dbwarden.diff import diff
from dbwarden.diff.changes import (
    Alter,
    AlterColumn,
    Change,
    Create,
    CreateTable,
    Drop,
    DropTable,
    subject,
)
from dbwarden.diff.statements import DEFAULT_OPTIONS
from dbwarden.errors import DBWardenError, UnsupportedChange
from dbwarden.files.migration import Migration
from dbwarden.operations.operation import migration_files, operation
from dbwarden.schema import Column, Schema, Sequence
from dbwarden.types import DatabaseName


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference: ``change`` is the kind of change (``AddColumn``), ``what`` the object.

    Columns whose defaults change in the same way, and in nothing else, are one difference.
    """

    change: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffResult:
    """What would have to change; ``clean`` when nothing would.

    ``compared`` says what with what; ``sql`` leads from the first to the second, empty where
    that cannot be written (``problem`` says why). ``left_out`` is what was not compared: objects
    that dbwarden does not write, and what needs them. ``refused`` are the errors of models that
    were left out (``keep_going``).
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
        """Whether the two are the same, and all models were compared."""
        return not self.differences and not self.refused


@operation("diff")
async def drift(
    config: DatabaseConfig, *, models: bool = False, keep_going: bool = False
) -> DiffResult:
    """Compare a live database with its migration files; reads only.

    Args:
        config: The database, its name, or ``None`` for the default one.
        models: Compare it with the models instead.
        keep_going: Leave out what the server refuses of the models, and compare the rest.

    Raises:
        ConnectError: The database cannot be reached.
        UsageError: There is no place for a scratch database.
    """
    files = await migration_files(config)
    async with open_scratch_session(config) as place:
        if models:
            comparison = await compare_with_models(
                place, files, from_live=True, keep_going=keep_going
            )
            return _result(place, "live with models", comparison)
        return _result(place, "live with files", await _live_with_files(place, files))


@operation("check_models")
async def check_models(config: DatabaseConfig, *, keep_going: bool = False) -> DiffResult:
    """Compare the migration files with the models; connects to no configured database.

    Args:
        config: The database, its name, or ``None`` for the default one.
        keep_going: Leave out what the server refuses of the models, and compare the rest.

    Raises:
        ConfigurationError: The models cannot be read.
        StatementFailed: The server refuses a statement of the models.
        UsageError: There is no place for a scratch database.
    """
    files = await migration_files(config)
    async with open_scratch_session(config) as place:
        comparison = await compare_with_models(place, files, keep_going=keep_going)
        return _result(place, "files with models", comparison)


async def _live_with_files(place: ScratchSession, files: Many[Migration]) -> SchemaComparison:
    """Return the live database and its files, without what cannot be compared."""
    found = await read_live_schema(place, await floor_of(place, files))
    source, current, unbuilt = await build_live(place, found)
    desired = await place.schema(files_source(files))
    both = (current, desired)
    current, desired, left = comparable(current, desired, unbuilt)
    desired = await normalize_schema(
        place, current, keep_unmanaged_tables(place.config, current, desired)
    )
    left_out = names_of(left, *both, found.read)
    comparison = SchemaComparison(
        source=source, current=current, desired=desired, left=left, left_out=left_out
    )
    return without_undeclared(place.config, comparison, "migration")


def _result(place: ScratchSession, what: str, comparison: SchemaComparison) -> DiffResult:
    current, desired = comparison.current, comparison.desired
    changes, default = diff(current, desired), desired.default_namespace
    sql, problem = "", None
    try:
        sql = _sql(place, changes, current, desired)
    except UnsupportedChange as error:
        problem = error.message
    return DiffResult(
        database=place.config.database_name,
        compared=what,
        differences=tuple(listed(without_serials(changes), default)),
        sql=sql,
        problem=problem,
        left_out=comparison.left_out,
        refused=comparison.refused,
    )


def listed(changes: Many[Change], default_namespace: str | None) -> Iterator[Difference]:
    """Yield one difference for each change; columns with the same change of default share one."""
    alike: defaultdict[tuple[str, str] | None, list[Change]] = defaultdict(list)
    for change in changes:
        alike[_new_default(change)].append(change)
    for change in changes:
        what = display_name(subject(change), default_namespace)
        texts = _new_default(change)
        run_concurrently = alike[texts]
        if texts is None or len(run_concurrently) == 1:
            yield Difference(change=type(change).__name__, what=what)
        elif change is run_concurrently[0]:
            columns = [display_name(subject(item), default_namespace) for item in run_concurrently]
            names = ", ".join(name.removeprefix("column ") for name in columns)
            what = f"default of {len(columns)} columns from {texts[0]} to {texts[1]}: {names}"
            yield Difference(change=type(change).__name__, what=what)


def _new_default(change: Change) -> tuple[str, str] | None:
    """Return the old and the new default, if *change* alters nothing else."""
    match change:
        case AlterColumn(before=Column(default=str(old)) as before, after=Column(default=str(new))):
            return (old, new) if replace(before, default=new) == change.after else None
        case _:
            return None


def without_serials(changes: Many[Change]) -> list[Change]:
    """*changes* without the sequences that come and go with a table that does, as SQL has it."""
    tables = {c.table.name for c in changes if isinstance(c, CreateTable | DropTable)}
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


def _sql(place: ScratchSession, changes: Many[Change], current: Schema, desired: Schema) -> str:
    task = Task(current=current, desired=desired)
    found = render(place.authoring_dialect, task, changes, DEFAULT_OPTIONS)
    return "\n".join(line for item in found for line in statement_lines(item))
