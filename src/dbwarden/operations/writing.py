"""Write the migration between two schemas, after proving it."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from dbwarden.authoring.collect.current import files_source
from dbwarden.authoring.collect.hints import NO_HINTS
from dbwarden.authoring.compare.comparison import SchemaComparison, without_undeclared
from dbwarden.authoring.compare.fills import decide_fills
from dbwarden.authoring.compare.left_out import LeftOut
from dbwarden.authoring.compare.normalize import confirm_hints
from dbwarden.authoring.compare.track_renames import follow_renames
from dbwarden.authoring.compare.user_choices import Answers
from dbwarden.authoring.generate.earlier_expressions import find_expressions
from dbwarden.authoring.generate.file_set import split
from dbwarden.authoring.generate.plan import Plan, PlanRequest, decide, plan
from dbwarden.authoring.labels import unique
from dbwarden.authoring.prove.rewrites import find_rewritten
from dbwarden.authoring.prove.verdict import Proof, Verdict
from dbwarden.authoring.scratch_session import ScratchSession
from dbwarden.diff import differ
from dbwarden.errors import DBWardenError, NotProven, ScratchRefused
from dbwarden.files.migration import Migration
from dbwarden.operations.made_files import MadeFile, Naming, NewFiles, prove_files, render_files
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
    result = MakeMigrationsResult(
        database=config.database_name, left_out=comparison.left_out, refused=comparison.refused
    )
    if not options.answers.renames and not differ(comparison.current, comparison.desired):
        return replace(result, agree=True, proven=True)
    task = PlanRequest(comparison=comparison, answers=options.answers)
    if not options.from_live:
        texts = (migration.upgrade.text for migration in files)
        task = replace(task, earlier=find_expressions(texts, comparison.current.default_namespace))
    task = await _decide(session, options, task)
    comparison = task.comparison
    naming = Naming(config=config, files=files, message=options.message, name=options.name)

    def files_of(planned: Plan) -> NewFiles:
        return NewFiles(naming=naming, parts=split(planned), comparison=comparison)

    planned, proofs = await _proven_plan(session, files_of, options, task)
    made = tuple(render_files(files_of(planned), proofs))
    result = replace(
        result,
        left_out=comparison.left_out,
        proven=proofs is not None,
        destroys=planned.up.to_allow,
        server=proofs[0].server if proofs else None,
    )
    result = await finish(naming, result, made, write=options.write)
    if proofs is not None and result.path is not None and not options.from_live:
        # Cache the schema, so that the next comparison need not replay the files.
        new = [parse_file(config, item.path, item.text) for item in result.files if item.path]
        await session.keep(files_source((*files, *new)), proofs[-1].after)
    return result


async def _decide(session: ScratchSession, options: MakeOptions, task: PlanRequest) -> PlanRequest:
    """Return *task* with all decisions, and the comparison after the renames."""
    decisions = await decide(task)
    comparison = without_undeclared(session.config, task.comparison, "model", decisions.in_place)
    comparison = await follow_renames(session, comparison, decisions.in_place, decisions.in_use)
    task = replace(task, comparison=comparison, decisions=decisions)
    fills = await decide_fills(session, task, unproven=options.unproven)
    task = replace(task, decisions=replace(decisions, fills=fills))
    if options.answers.online:
        task = replace(task, rewritten=await find_rewritten(session, task))
    return task


async def _proven_plan(
    session: ScratchSession,
    files_of: Callable[[Plan], NewFiles],
    options: MakeOptions,
    task: PlanRequest,
) -> tuple[Plan, tuple[Proof, ...] | None]:
    """Return a proven plan: with the expressions of the models, else of the catalog."""

    async def prove(planned: Plan) -> tuple[Proof, ...]:
        return await prove_files(session, files_of(planned), options.answers)

    planned = await plan(session.authoring_dialect, task)
    # Do not ask the same questions again.
    silent = replace(options.answers, allow_drop=planned.up.to_allow, asker=None)
    try:
        return planned, await prove(planned)
    except (NotProven, ScratchRefused) as error:
        reason = error.reason if isinstance(error, ScratchRefused) else error.message
        cause = error.cause if isinstance(error, ScratchRefused) else None
        if planned.rollback is not None and cause == "no update path":
            # Only the server knows that there is no way back.
            forward = replace(planned, rollback=None, no_way_back=f"{reason}.")
            return forward, await prove(forward)
        async for other in _alternatives(session, replace(task, answers=silent)):
            try:
                other_plan = await plan(session.authoring_dialect, other)
            except DBWardenError:
                continue
            if other_plan != planned:
                with suppress(NotProven, ScratchRefused):
                    return other_plan, await prove(other_plan)
        if options.unproven:
            return replace(planned, not_proven=reason), None
        error.message = f"the migration could not be proven and was not written: {error.message}"
        error.next_step = (
            error.next_step or "See it with --sql --unproven. --unproven alone writes it unproven."
        )
        raise


async def _alternatives(session: ScratchSession, task: PlanRequest) -> AsyncIterator[PlanRequest]:
    """Yield *task* without outdated expressions of files, then with those of the catalog only.

    First of all, with removals in the file of the other changes.
    """
    if task.answers.online:
        task = replace(task, together=True)
        yield task
    if task.earlier is not NO_HINTS:
        current = task.comparison.current
        yield replace(task, earlier=await confirm_hints(session, current, task.earlier))
    if task.comparison.hints is not NO_HINTS or task.earlier is not NO_HINTS:
        plain = replace(task.comparison, hints=NO_HINTS)
        yield replace(task, comparison=plain, earlier=NO_HINTS)


async def finish(
    naming: Naming, result: MakeMigrationsResult, made: Sequence[MadeFile], *, write: bool
) -> MakeMigrationsResult:
    """Return *result* with what *made* have in common; *write* them after the files so far."""
    files = tuple(made)
    if write:
        texts = [(item.name, item.text) for item in made]
        paths = await write_next(naming.config, naming.files, texts)
        files = tuple(replace(item, path=path) for item, path in zip(made, paths, strict=True))
    verdicts = [item.verdict for item in made]
    return replace(
        result,
        path=files[0].path,
        version=files[0].version,
        verdict=next((word for word in verdicts if word != Verdict.EXACT), verdicts[0]) or None,
        loses=unique(name for item in made for name in item.loses),
        notes=unique(note for item in made for note in item.notes),
        locks=unique(lock for item in made for lock in item.locks),
        sql="\n".join(item.text for item in made),
        files=files,
    )
