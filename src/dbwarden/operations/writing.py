"""Write the migration between two schemas, after proving it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dbwarden.authoring.collect.current import files_source
from dbwarden.authoring.collect.hints import NO_HINTS
from dbwarden.authoring.compare.comparison import SchemaComparison, without_undeclared
from dbwarden.authoring.compare.fills import decide_fills
from dbwarden.authoring.compare.left_out import LeftOut
from dbwarden.authoring.compare.normalize import confirm_hints
from dbwarden.authoring.compare.track_renames import follow_renames
from dbwarden.authoring.compare.user_choices import Answers
from dbwarden.authoring.generate.earlier_expressions import find_expressions
from dbwarden.authoring.generate.plan import Plan, Task, decide, plan
from dbwarden.authoring.prove.proof import Proof
from dbwarden.authoring.prove.rewrites import find_rewritten
from dbwarden.authoring.scratch_session import ScratchSession
from dbwarden.diff import differ
from dbwarden.errors import DBWardenError, NotProven, ScratchRefused
from dbwarden.files.migration import Migration
from dbwarden.operations.made_files import (
    Files,
    MadeFile,
    Naming,
    prove_files,
    render_files,
    written,
)
from dbwarden.operations.migrations_folder import write_next
from dbwarden.operations.operation import parse_file
from dbwarden.types import DatabaseName


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeMigrationsResult:
    """The migration that was written, if any.

    ``path`` is ``None`` if nothing was written: models and migrations agree, or only the SQL
    was requested. ``files`` has each file of a set, ``path`` is that of the first. ``verdict`` is
    ``exact``, ``loses users.email``, ``irreversible`` or ``not proven``. ``locks`` describes the
    locks on existing tables. ``left_out`` lists objects that were not compared: those that dbwarden
    does not write, their dependents, and tables whose modules no ``model_paths`` name. ``refused``
    are the errors of models that were left out (``keep_going``).
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
    files: tuple[MadeFile, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    refused: tuple[DBWardenError, ...] = ()

    @property
    def clean(self) -> bool:
        """True if no model was left out."""
        return not self.refused


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeOptions:
    """The options of one run."""

    message: str
    answers: Answers
    name: str | None = None
    write: bool = True
    unproven: bool = False
    from_live: bool = False
    keep_going: bool = False


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
    comparison = without_undeclared(config, comparison, "model", decisions.in_place)
    in_use = decisions.in_use
    comparison = await follow_renames(session, comparison, decisions.in_place, in_use)
    task = replace(
        task, current=comparison.current, desired=comparison.desired, preserved=comparison.preserved
    )
    fills = await decide_fills(
        session, comparison.source, task, decisions, unproven=options.unproven
    )
    task = replace(task, decided=replace(decisions, fills=fills))
    if options.answers.online:
        heavy = await find_rewritten(session, comparison.source, task, decisions)
        task = replace(task, rewritten=heavy)
    naming = Naming(config=config, files=files, message=options.message, name=options.name)
    planned, proofs = await _proven_plan(session, naming, options, comparison, task)
    made = tuple(render_files(Files.of(naming, planned), proofs, comparison))
    fields = {**_fields(made, planned, proofs), **_extra_fields(comparison)}
    result = await finish(naming, options, made, fields)
    if proofs is not None and result.path is not None and not options.from_live:
        # Cache the schema, so that the next comparison need not replay the files.
        new = [
            parse_file(config, item.path, item.text)
            for item in result.files
            if item.path is not None
        ]
        await session.keep(files_source((*files, *new)), proofs[-1].after)
    return result


def _extra_fields(comparison: SchemaComparison) -> dict[str, Any]:
    return {"left_out": comparison.left_out, "refused": comparison.refused}


async def _proven_plan(
    session: ScratchSession,
    naming: Naming,
    options: MakeOptions,
    comparison: SchemaComparison,
    task: Task,
) -> tuple[Plan, tuple[Proof, ...] | None]:
    """Return a proven plan: with the expressions of the models, else of the catalog."""

    async def prove(planned: Plan) -> tuple[Proof, ...]:
        files = Files.of(naming, planned)
        return await prove_files(session, comparison, files, options.answers)

    planned = await plan(session.authoring_dialect, task)
    # Do not ask the same questions again.
    silent = replace(options.answers, allow_drop=planned.up.to_allow, asker=None)
    task = replace(task, answers=silent, decided=planned.decisions)
    try:
        return planned, await prove(planned)
    except (NotProven, ScratchRefused) as error:
        if (forward := _as_irreversible(planned, error)) is not None:
            return forward, await prove(forward)
        async for other in _alternatives(session, task):
            other_plan = await _replan(session, other)
            if other_plan is None or other_plan == planned:
                continue
            try:
                return other_plan, await prove(other_plan)
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
    """Yield *task* without outdated expressions of files, then with those of the catalog only.

    First of all, with removals in the file of the other changes.
    """
    if task.answers.online:
        task = replace(task, together=True)
        yield task
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


def _fields(
    made: Sequence[MadeFile], planned: Plan, proofs: Sequence[Proof] | None
) -> dict[str, object]:
    """Return the fields of the result: of all files together."""
    verdicts = [item.verdict for item in made]
    return {
        "verdict": next((word for word in verdicts if word != "exact"), verdicts[0]),
        "proven": proofs is not None,
        "loses": tuple(dict.fromkeys(name for item in made for name in item.loses)),
        "destroys": planned.up.to_allow,
        "notes": tuple(dict.fromkeys(note for item in made for note in item.notes)),
        "locks": tuple(dict.fromkeys(lock for item in made for lock in item.locks)),
        "server": proofs[0].server if proofs else None,
    }


async def finish(
    naming: Naming,
    options: MakeOptions,
    made: Sequence[MadeFile],
    fields: Mapping[str, object],
) -> MakeMigrationsResult:
    """Write *made* after the files so far, and return the result with *fields*."""
    files = tuple(made)
    if options.write:
        texts = [(item.name, item.text) for item in made]
        files = written(made, await write_next(naming.config, naming.files, texts))
    return MakeMigrationsResult(
        database=naming.config.database_name,
        path=files[0].path,
        version=files[0].version,
        sql="\n".join(item.text for item in made),
        files=files,
        **fields,  # type: ignore[arg-type]  # the fields of the result, by name
    )
