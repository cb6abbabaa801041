"""Write the next migration from the models, proven before it is written."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path

import anyio.to_thread

from dbwarden.authoring.answers import Answers, Asker, by_new_names
from dbwarden.authoring.bench import Bench, bench
from dbwarden.authoring.current import files_source
from dbwarden.authoring.earlier_words import words_of
from dbwarden.authoring.fills import decided_fills, flag, unfilled_of
from dbwarden.authoring.following import followed
from dbwarden.authoring.hints import NO_HINTS
from dbwarden.authoring.labels import label, shortened
from dbwarden.authoring.left_out import LeftOut, unclaimed
from dbwarden.authoring.planning import Plan, Task, decide, plan
from dbwarden.authoring.proof import Proof, prove, untried_beside, verdict
from dbwarden.authoring.renames import new_labels
from dbwarden.authoring.rows import UNTRIED
from dbwarden.authoring.settling import confirmed
from dbwarden.authoring.sides import Sides, compared, without_undeclared
from dbwarden.authoring.writing import Header, lock_lines, migration_text
from dbwarden.config.model import DatabaseConfig
from dbwarden.diff import differ
from dbwarden.errors import (
    DBWardenError,
    NotProven,
    StatementFailed,
    UsageError,
)
from dbwarden.files.folder import next_version, read_names, slug, write_migration
from dbwarden.files.migration import Migration
from dbwarden.files.naming import FileName
from dbwarden.files.parsing import parse
from dbwarden.files.template import empty_migration
from dbwarden.operations.target import migration_files, operation
from dbwarden.schema import Schema
from dbwarden.types import DatabaseName, format_version


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeMigrationsResult:
    """What came of it.

    ``path`` is ``None`` when nothing was written: models and migrations agree, or only the SQL
    was asked for. ``verdict`` is ``exact``, ``loses users.email``, ``irreversible`` or
    ``not proven``. ``locks`` are lines about tables that were there before. ``left_out`` is what
    was not compared: objects that dbwarden does not write, with what needs them, and tables whose
    modules no ``model_paths`` name.
    """

    database: DatabaseName
    path: Path | None = None
    version: str | None = None
    agree: bool = False
    verdict: str | None = None
    proven: bool = False
    loses: tuple[str, ...] = ()
    destroys: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    locks: tuple[str, ...] = ()
    server: str | None = None
    sql: str | None = field(default=None, repr=False)
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """What was ordered, beside the database."""

    message: str
    name: str | None
    answers: Answers
    _: KW_ONLY
    write: bool
    unproven: bool
    from_live: bool


@operation("make_migrations")
async def make_migrations(
    config: DatabaseConfig,
    *,
    message: str,
    name: str | None = None,
    empty: bool = False,
    sql: bool = False,
    renames: Sequence[str] = (),
    allow_drop: Sequence[str] = (),
    fills: Mapping[str, str] | None = None,
    using: Mapping[str, str] | None = None,
    rollback_using: Mapping[str, str] | None = None,
    online: bool = False,
    unproven: bool = False,
    allow_failing_on_rows: bool = False,
    from_live: bool = False,
    asker: Asker | None = None,
) -> MakeMigrationsResult:
    """Compare the models with the migration files and write what leads from one to the other.

    Args:
        config: The database, its name, or ``None`` for the default one.
        message: What the migration does; becomes the file's name.
        name: Another name for the file.
        empty: Write a file without SQL, whatever the models say.
        sql: Return the text and write nothing.
        renames: ``users.nick:nickname``, ``users:people``, ``status.old:new``.
        allow_drop: What may be destroyed, by exact name: ``users.email``.
        fills: Column and the expression for rows without a value.
        using: Column and the expression that turns old values into new ones.
        rollback_using: The same for the way back: new values into old ones.
        online: Use the forms that do not block reading and writing.
        unproven: Write the migration even if it could not be proven.
        allow_failing_on_rows: Write it even if a column has no value for existing rows.
        from_live: Compare with the live database instead of the files.
        asker: Who can be asked; ``None`` where nobody can.

    Raises:
        UsageError: A replica; nothing to compare; a rename, drop or fill that nobody decided.
        ConfigurationError: The models cannot be read.
        UnsupportedChange: A difference that cannot be expressed.
        NotProven, StatementFailed: It does not run or lead where it should; nothing was written.
    """
    _refuse_replica(config)
    answers = Answers(
        renames=renames,
        allow_drop=allow_drop,
        fills=fills or {},
        using=using or {},
        rollback_using=rollback_using or {},
        allow_failing_on_rows=allow_failing_on_rows,
        online=online,
        asker=asker,
    )
    order = Order(message, name, answers, write=not sql, unproven=unproven, from_live=from_live)
    if empty:
        names = await anyio.to_thread.run_sync(read_names, config.migrations_dir, config.files_of)
        return await _finish(config, names, order, empty_migration(message), {"verdict": None})
    return await _made(config, await migration_files(config), order)


async def _made(
    config: DatabaseConfig, files: Sequence[Migration], order: Order
) -> MakeMigrationsResult:
    try:
        async with bench(config) as place:
            return await _make(place, files, order)
    except UsageError as error:  # of several databases, which is it?
        error.database = error.database or config.database_name
        raise


def _refuse_replica(config: DatabaseConfig) -> None:
    if config.replica_of is not None:
        raise UsageError(
            f"a replica has no migrations of its own; it follows {config.replica_of}",
            database=config.database_name,
            next_step=f"Run it for {config.replica_of}.",
        )


async def _make(place: Bench, files: Sequence[Migration], order: Order) -> MakeMigrationsResult:
    config = place.config
    sides = await compared(place, files, from_live=order.from_live)
    left_out = (*unclaimed(sides.hints.unclaimed), *sides.left_out)
    sides = replace(sides, left_out=left_out)
    if not order.answers.renames and not differ(sides.current, sides.desired):
        name = config.database_name
        return MakeMigrationsResult(database=name, agree=True, proven=True, left_out=left_out)
    task = Task(
        current=sides.current, desired=sides.desired, hints=sides.hints, answers=order.answers
    )
    if not order.from_live:
        texts = (migration.upgrade.text for migration in files)
        task = replace(task, earlier=words_of(texts, sides.current.default_namespace))
    decisions = await decide(task)
    sides = without_undeclared(config, sides, "model", decisions.renames)
    sides = await followed(place, sides, decisions.renames)
    task = replace(task, current=sides.current, desired=sides.desired, kept=sides.kept)
    fills = await decided_fills(place, sides.source, task, decisions, unproven=order.unproven)
    task = replace(task, decided=replace(decisions, fills=fills))
    planned, proof = await _proven_plan(place, files, order, sides, task)
    text, fields = _written(order, planned, proof, sides)
    result = await _finish(config, files, order, text, {**fields, "left_out": sides.left_out})
    if proof is not None and result.path is not None and not order.from_live:
        # Who asks next whether models and files agree need not replay them.
        written = parse(
            text, path=result.path, database=config.files_of, dialect=config.database_type
        )
        await place.keep(files_source((*files, written)), proof.after)
    return result


async def _proven_plan(
    place: Bench, files: Sequence[Migration], order: Order, sides: Sides, task: Task
) -> tuple[Plan, Proof | None]:
    """A plan that was shown to work: in the models' words, or else in the catalog's."""
    planned = await plan(place.workshop, task)
    # What was decided is not asked again.
    silent = replace(order.answers, allow_drop=planned.up.to_allow, asker=None)
    task = replace(task, answers=silent, decided=planned.decisions)
    try:
        return planned, await _prove(place, files, order, sides, planned)
    except (NotProven, StatementFailed) as error:
        if (forward := _without_way_back(planned, error)) is not None:
            return forward, await _prove(place, files, order, sides, forward)
        async for other in _in_other_words(place, task):
            again = await _planned_again(place, other)
            if again is None or again == planned:
                continue
            try:
                return again, await _prove(place, files, order, sides, again)
            except (NotProven, StatementFailed):
                pass
        if order.unproven:
            why = error.message.removeprefix("the scratch database refused: ")
            return replace(planned, not_proven=why), None
        raise _not_written(error) from error


def _without_way_back(planned: Plan, error: NotProven | StatementFailed) -> Plan | None:
    """*planned* as irreversible, where only the server can know that there is no way back."""
    if planned.rollback is None or "has no update path from" not in error.message:
        return None
    why = error.message.removeprefix("the scratch database refused: ")
    return replace(planned, rollback=None, no_way_back=f"{why}.")


async def _in_other_words(place: Bench, task: Task) -> AsyncIterator[Task]:
    """Yield *task* without outdated words of earlier files, then with the catalog's words alone."""
    if task.earlier is not NO_HINTS:
        yield replace(task, earlier=await confirmed(place, task.current, task.earlier))
    if task.hints is not NO_HINTS or task.earlier is not NO_HINTS:
        yield replace(task, hints=NO_HINTS, earlier=NO_HINTS)


async def _planned_again(place: Bench, task: Task) -> Plan | None:
    try:
        return await plan(place.workshop, task)
    except DBWardenError:
        return None


def _not_written(error: NotProven | StatementFailed) -> DBWardenError:
    error.message = f"the migration could not be proven and was not written: {error.message}"
    error.next_step = (
        error.next_step or "See it with --sql --unproven; --unproven writes it as it is."
    )
    return error


async def _prove(
    place: Bench, files: Sequence[Migration], order: Order, sides: Sides, planned: Plan
) -> Proof:
    draft = migration_text(
        Header(purpose=order.message, verdict="exact"), planned, sides.desired.default_namespace
    )
    config = place.config
    path = config.migrations_dir / _file_name(config, files, order)
    migration = parse(draft, path=path, database=config.files_of, dialect=config.database_type)
    ends = (sides.source, sides.current, sides.desired)
    proof = await prove(place, *ends, migration, sides.left)
    _refuse_broken(proof.after, sides.current, migration)
    return proof


def _refuse_broken(after: Schema, before: Schema, migration: Migration) -> None:
    """Raise where a view or trigger that could be used cannot be used any more."""
    known = {ref for ref, _ in before.broken}
    for ref, why in after.broken:
        if ref not in known:
            raise NotProven(
                f"{ref} could not be used afterwards: {why}",
                database=migration.database,
                location=migration.at(),
                next_step=f"Correct {ref}, or what it reads, where it is made: a DDL event of the "
                "models, a file of schema_paths, a migration by hand. What is there anyway goes "
                "into a scratch_setup file.",
            )


def _written(
    order: Order, planned: Plan, proof: Proof | None, sides: Sides
) -> tuple[str, dict[str, object]]:
    changed = _changed(proof, planned, sides.current) if proof else ()
    loses = tuple(dict.fromkeys((*planned.up.loses, *changed)))
    untried = untried_beside(proof, loses) if proof else ()
    fails = _failing(planned, proof, sides.desired) or (proof and proof.back_fails_on_rows)
    word = verdict(
        proven=proof is not None,
        reversible=planned.rollback is not None,
        loses=loses,
        with_rows=not (untried or fails),
    )
    notes = tuple(_notes(planned, changed, untried))
    notes += tuple(_failures(planned, proof, sides.desired))
    header = Header(
        purpose=order.message,
        verdict=word,
        server=proof.server if proof else None,
        notes=notes,
        locks=proof.locks if proof else (),
    )
    text = migration_text(header, planned, sides.desired.default_namespace)
    return text, {
        "verdict": word,
        "proven": proof is not None,
        "loses": loses,
        "destroys": planned.up.to_allow,
        "notes": notes,
        "locks": lock_lines(header.locks),
        "server": header.server,
    }


def _changed(proof: Proof, planned: Plan, current: Schema) -> tuple[str, ...]:
    """The columns whose values change, but for those of tables that are destroyed as a whole."""
    default = current.default_namespace
    whole = {
        label(table.name, default, column.name)
        for table in current.tables
        if label(table.name, default) in planned.up.destroys
        for column in table.columns
    }
    # What goes is told by its new name, where it has one.
    now = by_new_names(proof.changed, new_labels(planned.decisions.renames, default))
    gone = planned.up.loses
    return tuple(name for name, new in now.items() if name not in whole and new not in gone)


def _notes(planned: Plan, changed: Sequence[str], untried: Sequence[str]) -> list[str]:
    up, down = planned.up, planned.down
    notes = []
    if up.destroys:
        notes.append(f"Destroys {', '.join(up.destroys)}; a rollback brings back no values")
    if values := [*up.converts, *changed]:
        notes.append(f"Changes values of {', '.join(values)}; a rollback leaves them changed")
    if up.refuses:
        notes.append(f"Fails on rows where {shortened(up.refuses)}")
    if down.destroys:
        notes.append(f"The rollback destroys {shortened(down.destroys)}")
    if down.converts:
        notes.append(f"The rollback changes values of {shortened(down.converts)} written meanwhile")
    if down.refuses:
        notes.append(f"The rollback fails on rows where {shortened(down.refuses)}")
    if untried:
        notes.append(f"{UNTRIED} {shortened(untried)}")
    if planned.not_proven is not None:
        notes.append(f"Not proven: {planned.not_proven}")
    if planned.no_way_back is not None:
        notes.append(f"There is no way back: {planned.no_way_back}")
    return notes


def _failures(planned: Plan, proof: Proof | None, desired: Schema) -> list[str]:
    """Return why each direction fails on the rows that it was tried with."""
    notes = []
    if fails := _failing(planned, proof, desired):
        notes.append(f"Fails where tables have rows: {fails}")
    if proof is not None and proof.back_fails_on_rows:
        notes.append(f"The rollback fails where tables have rows: {proof.back_fails_on_rows}")
    return notes


def _failing(planned: Plan, proof: Proof | None, desired: Schema) -> str | None:
    """Return why the upgrade fails on rows, and the flags that prevent it."""
    said = proof.fails_on_rows if proof is not None else None
    unfilled = unfilled_of(planned.upgrade)
    if not unfilled:
        return said
    flags = " ".join(flag(name, desired) for name in unfilled)
    why = said or f"no value for {shortened(unfilled)}"
    return f"{why}; fill them first, or make it again with {flags}"


def _file_name(config: DatabaseConfig, files: Sequence[Migration | FileName], order: Order) -> str:
    number = format_version(next_version(files))
    return f"{config.files_of}__{number}_{slug(order.name or order.message)}.sql"


async def _finish(
    config: DatabaseConfig,
    files: Sequence[Migration | FileName],
    order: Order,
    text: str,
    fields: Mapping[str, object],
) -> MakeMigrationsResult:
    name = _file_name(config, files, order)
    path = None
    if order.write:
        path = await anyio.to_thread.run_sync(write_migration, config.migrations_dir, name, text)
    return MakeMigrationsResult(
        database=config.database_name,
        path=path,
        version=format_version(next_version(files)),
        sql=text,
        **fields,  # type: ignore[arg-type]  # the fields of the result, by name
    )
