"""Write the next migration from the models, proven before it is written."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio.to_thread

from dbwarden.authoring.collect.current import files_source
from dbwarden.authoring.collect.hints import NO_HINTS
from dbwarden.authoring.compare.comparison import (
    SchemaComparison,
    compare_with_models,
    without_undeclared,
)
from dbwarden.authoring.compare.fills import decide_fills
from dbwarden.authoring.compare.left_out import LeftOut, unclaimed
from dbwarden.authoring.compare.normalize import confirm_hints
from dbwarden.authoring.compare.track_renames import follow_renames
from dbwarden.authoring.compare.user_choices import Answers, Asker
from dbwarden.authoring.generate.earlier_words import find_expressions
from dbwarden.authoring.generate.plan import Plan, Task, decide, plan
from dbwarden.authoring.prove.proof import Proof, prove, untried_except, verdict
from dbwarden.authoring.scratch_session import ScratchSession, open_scratch_session
from dbwarden.authoring.write.header_notes import failing, failures, find_changed_values, losses
from dbwarden.authoring.write.migration_text import Header, lock_lines, migration_text
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
from dbwarden.operations.operation import migration_files, operation
from dbwarden.schema import Schema
from dbwarden.types import DatabaseName, format_version


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeMigrationsResult:
    """What came of it.

    ``path`` is ``None`` when nothing was written: models and migrations agree, or only the SQL
    was asked for. ``verdict`` is ``exact``, ``loses users.email``, ``irreversible`` or
    ``not proven``. ``locks`` are lines about tables that were there before. ``left_out`` is what
    was not compared: objects that dbwarden does not write, with what needs them, and tables whose
    modules no ``model_paths`` name. ``refused`` are the errors of models that were left out
    (``keep_going``).
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
    refused: tuple[DBWardenError, ...] = ()


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
    keep_going: bool


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
    keep_going: bool = False,
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
        keep_going: Leave out what the server refuses of the models, and write the rest.
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
    how = {"unproven": unproven, "from_live": from_live, "keep_going": keep_going}
    order = Order(message, name, answers, write=not sql, **how)
    return await (_empty(config, order) if empty else _made(config, order))


async def _empty(config: DatabaseConfig, order: Order) -> MakeMigrationsResult:
    names = await anyio.to_thread.run_sync(read_names, config.migrations_dir, config.files_of)
    return await _finish(config, names, order, empty_migration(order.message), {"verdict": None})


async def _made(config: DatabaseConfig, order: Order) -> MakeMigrationsResult:
    files = await migration_files(config)
    try:
        async with open_scratch_session(config) as place:
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


async def _make(
    place: ScratchSession, files: Sequence[Migration], order: Order
) -> MakeMigrationsResult:
    config = place.config
    live, keep_going = order.from_live, order.keep_going
    comparison = await compare_with_models(place, files, from_live=live, keep_going=keep_going)
    comparison = replace(
        comparison, left_out=(*unclaimed(comparison.hints.unclaimed), *comparison.left_out)
    )
    if not order.answers.renames and not differ(comparison.current, comparison.desired):
        name = config.database_name
        return MakeMigrationsResult(database=name, agree=True, proven=True, **_told(comparison))
    task = Task(
        current=comparison.current,
        desired=comparison.desired,
        hints=comparison.hints,
        answers=order.answers,
    )
    if not order.from_live:
        texts = (migration.upgrade.text for migration in files)
        task = replace(task, earlier=find_expressions(texts, comparison.current.default_namespace))
    decisions = await decide(task)
    comparison = without_undeclared(config, comparison, "model", decisions.renames)
    comparison = await follow_renames(place, comparison, decisions.renames)
    task = replace(
        task, current=comparison.current, desired=comparison.desired, preserved=comparison.preserved
    )
    fills = await decide_fills(place, comparison.source, task, decisions, unproven=order.unproven)
    task = replace(task, decided=replace(decisions, fills=fills))
    planned, proof = await _proven_plan(place, files, order, comparison, task)
    text, fields = _written(order, planned, proof, comparison)
    result = await _finish(config, files, order, text, {**fields, **_told(comparison)})
    if proof is not None and result.path is not None and not order.from_live:
        # Who asks next whether models and files agree need not replay them.
        written = parse(
            text, path=result.path, database=config.files_of, dialect=config.database_type
        )
        await place.keep(files_source((*files, written)), proof.after)
    return result


def _told(comparison: SchemaComparison) -> dict[str, Any]:
    return {"left_out": comparison.left_out, "refused": comparison.refused}


async def _proven_plan(
    place: ScratchSession,
    files: Sequence[Migration],
    order: Order,
    comparison: SchemaComparison,
    task: Task,
) -> tuple[Plan, Proof | None]:
    """A plan that was shown to work: in the models' words, or else in the catalog's."""
    planned = await plan(place.authoring_dialect, task)
    # What was decided is not asked again.
    silent = replace(order.answers, allow_drop=planned.up.to_allow, asker=None)
    task = replace(task, answers=silent, decided=planned.decisions)
    try:
        return planned, await _prove(place, files, order, comparison, planned)
    except (NotProven, StatementFailed) as error:
        if (forward := _without_way_back(planned, error)) is not None:
            return forward, await _prove(place, files, order, comparison, forward)
        async for other in _in_other_words(place, task):
            again = await _planned_again(place, other)
            if again is None or again == planned:
                continue
            try:
                return again, await _prove(place, files, order, comparison, again)
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


async def _in_other_words(place: ScratchSession, task: Task) -> AsyncIterator[Task]:
    """Yield *task* without outdated words of earlier files, then with the catalog's words alone."""
    if task.earlier is not NO_HINTS:
        yield replace(task, earlier=await confirm_hints(place, task.current, task.earlier))
    if task.hints is not NO_HINTS or task.earlier is not NO_HINTS:
        yield replace(task, hints=NO_HINTS, earlier=NO_HINTS)


async def _planned_again(place: ScratchSession, task: Task) -> Plan | None:
    try:
        return await plan(place.authoring_dialect, task)
    except DBWardenError:
        return None


def _not_written(error: NotProven | StatementFailed) -> DBWardenError:
    error.message = f"the migration could not be proven and was not written: {error.message}"
    error.next_step = (
        error.next_step or "See it with --sql --unproven; --unproven writes it as it is."
    )
    return error


async def _prove(
    place: ScratchSession,
    files: Sequence[Migration],
    order: Order,
    comparison: SchemaComparison,
    planned: Plan,
) -> Proof:
    draft = migration_text(
        Header(purpose=order.message, verdict="exact"),
        planned,
        comparison.desired.default_namespace,
    )
    config = place.config
    path = config.migrations_dir / _file_name(config, files, order)
    migration = parse(draft, path=path, database=config.files_of, dialect=config.database_type)
    ends = (comparison.source, comparison.current, comparison.desired)
    proof = await prove(place, *ends, migration, comparison.left)
    _refuse_broken(proof.after, comparison.current, migration)
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
    order: Order, planned: Plan, proof: Proof | None, comparison: SchemaComparison
) -> tuple[str, dict[str, object]]:
    changed = find_changed_values(proof, planned, comparison.current) if proof else ()
    loses = tuple(dict.fromkeys((*planned.up.loses, *changed)))
    untried = untried_except(proof, loses) if proof else ()
    fails = failing(planned, proof, comparison.desired) or (proof and proof.back_fails_on_rows)
    word = verdict(
        proven=proof is not None,
        reversible=planned.rollback is not None,
        loses=loses,
        with_rows=not (untried or fails),
    )
    notes = tuple(losses(planned, changed, untried))
    notes += tuple(failures(planned, proof, comparison.desired))
    header = Header(
        purpose=order.message,
        verdict=word,
        server=proof.server if proof else None,
        notes=notes,
        locks=proof.locks if proof else (),
    )
    text = migration_text(header, planned, comparison.desired.default_namespace)
    return text, {
        "verdict": word,
        "proven": proof is not None,
        "loses": loses,
        "destroys": planned.up.to_allow,
        "notes": notes,
        "locks": lock_lines(header.locks),
        "server": header.server,
    }


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
