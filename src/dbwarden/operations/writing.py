"""Write the migration between two schemas, after proving it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import Any

from dbwarden.authoring.collect.current import files_source
from dbwarden.authoring.collect.hints import NO_HINTS
from dbwarden.authoring.compare.comparison import (
    SchemaComparison,
    without_undeclared,
)
from dbwarden.authoring.compare.fills import decide_fills
from dbwarden.authoring.compare.left_out import LeftOut
from dbwarden.authoring.compare.normalize import confirm_hints
from dbwarden.authoring.compare.track_renames import follow_renames
from dbwarden.authoring.compare.user_choices import Answers
from dbwarden.authoring.generate.earlier_expressions import find_expressions
from dbwarden.authoring.generate.plan import Plan, Task, decide, plan
from dbwarden.authoring.prove.proof import Proof, prove, untried_without_losses, verdict
from dbwarden.authoring.scratch_session import ScratchSession
from dbwarden.authoring.write.header_notes import (
    failure_on_rows,
    find_changed_values,
    losses_before_renames,
    notes_of,
)
from dbwarden.authoring.write.migration_text import Header, lock_lines, migration_text
from dbwarden.config.model import DatabaseConfig
from dbwarden.diff import differ
from dbwarden.errors import (
    DBWardenError,
    NotProven,
    ScratchRefused,
)
from dbwarden.files.folder import next_version, slug
from dbwarden.files.migration import Migration
from dbwarden.files.naming import FileName
from dbwarden.files.parsing import parse
from dbwarden.operations.migrations_folder import write_next
from dbwarden.schema import Schema
from dbwarden.types import DatabaseName, format_version


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeMigrationsResult:
    """The migration that was written, if any.

    ``path`` is ``None`` if nothing was written: models and migrations agree, or only the SQL
    was requested. ``verdict`` is ``exact``, ``loses users.email``, ``irreversible`` or
    ``not proven``. ``locks`` describes the locks on existing tables. ``left_out`` lists objects
    that were not compared: those that dbwarden does not write, their dependents, and tables whose
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

    @property
    def clean(self) -> bool:
        """True if no model was left out."""
        return not self.refused


@dataclass(frozen=True, slots=True)
class MakeOptions:
    """The options of one run."""

    message: str
    name: str | None
    answers: Answers
    _: KW_ONLY
    write: bool
    unproven: bool
    from_live: bool
    keep_going: bool


async def write_between(
    session: ScratchSession,
    files: Sequence[Migration],
    options: MakeOptions,
    comparison: SchemaComparison,
) -> MakeMigrationsResult:
    """Write the migration after *files* from the current to the desired schema, and prove it.

    Raises:
        UsageError: An undecided rename, drop or fill.
        UnsupportedChange: A difference that cannot be expressed.
        NotProven, ScratchRefused: The proof failed; nothing was written.
    """
    config = session.config
    if not options.answers.renames and not differ(comparison.current, comparison.desired):
        name = config.database_name
        return MakeMigrationsResult(
            database=name, agree=True, proven=True, **_extra_fields(comparison)
        )
    task = Task(
        current=comparison.current,
        desired=comparison.desired,
        hints=comparison.hints,
        answers=options.answers,
    )
    if not options.from_live:
        texts = (migration.upgrade.text for migration in files)
        task = replace(task, earlier=find_expressions(texts, comparison.current.default_namespace))
    decisions = await decide(task)
    comparison = without_undeclared(config, comparison, "model", decisions.renames)
    comparison = await follow_renames(session, comparison, decisions.renames)
    task = replace(
        task, current=comparison.current, desired=comparison.desired, preserved=comparison.preserved
    )
    fills = await decide_fills(
        session, comparison.source, task, decisions, unproven=options.unproven
    )
    task = replace(task, decided=replace(decisions, fills=fills))
    planned, proof = await _proven_plan(session, files, options, comparison, task)
    text, fields = _render(options, planned, proof, comparison)
    result = await finish(config, files, options, text, {**fields, **_extra_fields(comparison)})
    if proof is not None and result.path is not None and not options.from_live:
        # Cache the schema, so that the next comparison need not replay the files.
        written = parse(
            text, path=result.path, database=config.files_of, dialect=config.database_type
        )
        await session.keep(files_source((*files, written)), proof.after)
    return result


def _extra_fields(comparison: SchemaComparison) -> dict[str, Any]:
    return {"left_out": comparison.left_out, "refused": comparison.refused}


async def _proven_plan(
    session: ScratchSession,
    files: Sequence[Migration],
    options: MakeOptions,
    comparison: SchemaComparison,
    task: Task,
) -> tuple[Plan, Proof | None]:
    """Return a proven plan: with the expressions of the models, else of the catalog."""
    planned = await plan(session.authoring_dialect, task)
    # Do not ask the same questions again.
    silent = replace(options.answers, allow_drop=planned.up.to_allow, asker=None)
    task = replace(task, answers=silent, decided=planned.decisions)
    try:
        return planned, await _prove(session, files, options, comparison, planned)
    except (NotProven, ScratchRefused) as error:
        if (forward := _as_irreversible(planned, error)) is not None:
            return forward, await _prove(session, files, options, comparison, forward)
        async for other in _alternatives(session, task):
            other_plan = await _replan(session, other)
            if other_plan is None or other_plan == planned:
                continue
            try:
                return other_plan, await _prove(session, files, options, comparison, other_plan)
            except (NotProven, ScratchRefused):
                pass
        if options.unproven:
            return replace(planned, not_proven=_reason_of(error)), None
        raise _unproven_error(error) from error


def _as_irreversible(planned: Plan, error: NotProven | ScratchRefused) -> Plan | None:
    """Return *planned* as irreversible, if only the server knows that there is no way back."""
    refused = isinstance(error, ScratchRefused) and error.cause == "no update path"
    if planned.rollback is None or not refused:
        return None
    return replace(planned, rollback=None, no_way_back=f"{_reason_of(error)}.")


def _reason_of(error: NotProven | ScratchRefused) -> str:
    return error.reason if isinstance(error, ScratchRefused) else error.message


async def _alternatives(session: ScratchSession, task: Task) -> AsyncIterator[Task]:
    """Yield *task* without outdated expressions of files, then with those of the catalog only."""
    if task.earlier is not NO_HINTS:
        yield replace(task, earlier=await confirm_hints(session, task.current, task.earlier))
    if task.hints is not NO_HINTS or task.earlier is not NO_HINTS:
        yield replace(task, hints=NO_HINTS, earlier=NO_HINTS)


async def _replan(session: ScratchSession, task: Task) -> Plan | None:
    try:
        return await plan(session.authoring_dialect, task)
    except DBWardenError:
        return None


def _unproven_error(error: NotProven | ScratchRefused) -> DBWardenError:
    error.message = f"the migration could not be proven and was not written: {error.message}"
    error.next_step = (
        error.next_step or "See it with --sql --unproven. --unproven alone writes it unproven."
    )
    return error


async def _prove(
    session: ScratchSession,
    files: Sequence[Migration],
    options: MakeOptions,
    comparison: SchemaComparison,
    planned: Plan,
) -> Proof:
    draft = migration_text(
        Header(purpose=options.message, verdict="exact"),
        planned,
        comparison.desired.default_namespace,
    )
    config = session.config
    path = config.migrations_dir / _file_name(config, files, options)
    migration = parse(draft, path=path, database=config.files_of, dialect=config.database_type)
    ends = (comparison.source, comparison.current, comparison.desired)
    proof = await prove(session, *ends, migration, comparison.left)
    _refuse_broken(proof.after, comparison.current, migration)
    return proof


def _refuse_broken(after: Schema, before: Schema, migration: Migration) -> None:
    """Raise if the migration breaks a view or trigger."""
    known = {ref for ref, _ in before.broken}
    for ref, why in after.broken:
        if ref not in known:
            raise NotProven(
                f"{ref} could not be used afterwards: {why}",
                database=migration.database,
                location=migration.at(),
                next_step=f"Correct {ref} or what it reads, where it is made: a DDL event of the "
                "models, a file of schema_paths, or a hand-written migration. Objects that exist "
                "anyway belong in a scratch_setup file.",
            )


def _render(
    options: MakeOptions, planned: Plan, proof: Proof | None, comparison: SchemaComparison
) -> tuple[str, dict[str, object]]:
    changed = find_changed_values(proof, planned, comparison.current) if proof else ()
    loses = tuple(dict.fromkeys((*planned.up.loses, *changed)))
    untried = untried_without_losses(proof, loses) if proof else ()
    fails = failure_on_rows(planned, proof, comparison.desired) or (proof and proof.rows.back_fails)
    word = verdict(
        proven=proof is not None,
        reversible=planned.rollback is not None,
        loses=loses,
        with_rows=not (untried or fails),
    )
    notes = tuple(notes_of(planned, proof, changed, untried, comparison.desired))
    header = Header(
        purpose=options.message,
        verdict=word,
        loses=losses_before_renames(planned, changed, comparison.current),
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
        "notes": tuple(note.text for note in notes),
        "locks": lock_lines(header.locks),
        "server": header.server,
    }


def _file_name(
    config: DatabaseConfig, files: Sequence[Migration | FileName], options: MakeOptions
) -> str:
    number = format_version(next_version(files))
    return f"{config.files_of}__{number}_{slug(options.name or options.message)}.sql"


async def finish(
    config: DatabaseConfig,
    files: Sequence[Migration | FileName],
    options: MakeOptions,
    text: str,
    fields: Mapping[str, object],
) -> MakeMigrationsResult:
    """Write *text* as the file after *files*, and return the result with *fields*."""
    name = _file_name(config, files, options)
    path = None
    if options.write:
        path = await write_next(config, files, name, text)
    return MakeMigrationsResult(
        database=config.database_name,
        path=path,
        version=format_version(next_version(files)),
        sql=text,
        **fields,  # type: ignore[arg-type]  # the fields of the result, by name
    )
