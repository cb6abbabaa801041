"""Check a database: connection, migrations that differ from their files, replica and lock."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from typing import assert_never, get_args

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.files.backfills import advise_on_edited_backfill
from dbwarden.migration_history import BackfillState
from dbwarden.operations.foreign import Tool, read_foreign_state
from dbwarden.operations.operation import dialect_of, migration_files, operation
from dbwarden.operations.status import status_of
from dbwarden.planning.backfill_progress import BackfillProgress
from dbwarden.planning.foreign import ForeignState
from dbwarden.planning.status_result import ProblemCode, StatusProblem, StatusResult
from dbwarden.printable import shorten
from dbwarden.types import DatabaseName


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFinding:
    """One finding of a check: a stable ``code``, a message and the next step."""

    code: str
    message: str
    next_step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The findings of a check; ``clean`` without any. ``status`` has the details."""

    database: DatabaseName
    findings: tuple[CheckFinding, ...]
    status: StatusResult

    @property
    def clean(self) -> bool:
        """True if there are no findings."""
        return not self.findings


@operation("check")
async def check(config: DatabaseConfig) -> CheckResult:
    """Check one database. Reads only.

    Raises:
        ConnectError: It cannot be reached.
    """
    status = await status_of(config)
    foreign = await _foreign_states(config)
    applied = {each.key for state in foreign.values() for each in state.applied}
    unmarked = applied & {*status.pending}
    # What runs after the deployment is no disagreement: the database suits this version.
    problems = [problem for problem in status.problems if problem.code != "post"]
    findings = (
        *(
            each
            for tool, state in foreign.items()
            for each in _describe_foreign(status, tool, state)
        ),
        *findings_of(status, tuple(_without(problems, unmarked))),
    )
    return CheckResult(database=config.database_name, findings=findings, status=status)


async def _foreign_states(config: DatabaseConfig) -> dict[Tool, ForeignState]:
    """Return what other tools have applied here, if files were imported from them."""
    files = await migration_files(config)
    tools = {each.origin.tool for each in files if each.origin is not None}
    known: list[Tool] = [tool for tool in get_args(Tool) if tool in tools]
    if not known or config.replica_of is not None:
        return {}
    async with dialect_of(config).connect(config, read_only=True) as connection:
        states = {tool: await read_foreign_state(connection, files, tool) for tool in known}
    return {tool: state for tool, state in states.items() if state is not None}


def _without(problems: Sequence[StatusProblem], unmarked: Set[str]) -> Iterator[StatusProblem]:
    """Yield *problems* without the pending migrations that are to be marked, not to be applied."""
    for problem in problems:
        if problem.code != "pending" or not unmarked:
            yield problem
        elif keys := tuple(key for key in problem.keys if key not in unmarked):
            yield replace(problem, keys=keys)


def _describe_foreign(
    status: StatusResult, tool: str, state: ForeignState
) -> Iterator[CheckFinding]:
    if state.unknown:
        yield CheckFinding(
            code="not_imported",
            message=f"{tool} has applied {', '.join(state.unknown)}, which has no file here",
            next_step=f"Import it: dbwarden import {tool} -d {status.database}",
        )
    keys = [each.key for each in state.applied if each.key in status.pending]
    if keys:
        yield CheckFinding(
            code="not_marked",
            message=f"{tool} has applied {', '.join(keys)}, which would run again",
            next_step=f"Mark them: dbwarden baseline --from {tool} -d {status.database}",
        )


def findings_of(
    status: StatusResult, problems: Sequence[StatusProblem]
) -> tuple[CheckFinding, ...]:
    """Return the findings that describe *problems* of *status*."""
    return tuple(
        CheckFinding(
            code=problem.code,
            message=_message(status, problem),
            next_step=_next_step(status, problem),
        )
        for problem in problems
    )


_OF_MIGRATIONS: dict[ProblemCode, str] = {
    "pending": "pending",
    "changed": "changed after it was applied",
    "missing": "applied, but its file is missing",
    "partial": "stopped between steps",
    "out_of_order": "older than what is applied already",
    "replica_behind": "not here yet",
    "waiting": "waiting for a backfill",
    "post": "to run after the deployment",
    "contracted": "applied after a newer version was deployed (what this one uses may be gone)",
}
"""The state of the migrations that a problem concerns."""


def _message(status: StatusResult, problem: StatusProblem) -> str:
    match problem.code:
        case "backfill":
            return "; ".join(_describe_backfill(item) for item in _stuck(status))
        case "replica_writable":
            return f"it accepts writes, so it is not (or no longer) a replica of {_source(status)}"
        case "locked":
            return f"a migrator holds this database: {status.lock_holder}"
    words = _OF_MIGRATIONS[problem.code]
    message = f"{len(problem.keys)} {words}: {shorten(problem.keys, 5)}"
    if problem.code != "replica_behind":
        return message
    lag = status.replica.lag_seconds if status.replica is not None else None
    return f"{message} (behind {_source(status)}{f', {lag:.1f} s late' if lag else ''})"


def _next_step(status: StatusResult, problem: StatusProblem) -> str:
    source = _source(status)
    match problem.code:
        case "pending":
            return f"Apply with: dbwarden migrate -d {source}"
        case "changed":
            for item in status.backfills:
                if item.key in problem.keys and item.state != BackfillState.DONE:
                    return advise_on_edited_backfill(item.key, source)
            return (
                f"Undo the edit and write a new migration: dbwarden new -d {source} -m '...'. Or "
                "accept it, and the edited SQL will not run: "
                + _repair(source, "--accept", status.changed)
            )
        case "missing":
            repair = _repair(source, "--forget", status.missing)
            return f"Restore the file, or forget it with: {repair}"
        case "partial":
            return (
                f"Resume with: dbwarden migrate -d {source} (or rollback, where a rollback stopped)"
            )
        case "out_of_order":
            return f"Apply with: dbwarden migrate -d {source} --out-of-order"
        case "replica_writable":
            return (
                "Set database_url to a standby. If it was promoted, make it the database "
                f"{source}, or remove replica_of=."
            )
        case "replica_behind":
            return (
                "Wait until it has caught up. If it stays behind, query pg_stat_replication on "
                f"the server of {source}."
            )
        case "post":
            return (
                f"When no older version serves any more: dbwarden migrate --phase post -d {source}"
            )
        case "contracted":
            last = status.contracted[0]
            return (
                "Deploy the newer version; or, with that version's files, go back to before "
                f"{last}: dbwarden rollback -d {source}"
            )
        case "waiting":
            return f"Run: dbwarden backfill run -d {source}; then: dbwarden migrate -d {source}"
        case "backfill":
            item = _stuck(status)[0]
            return f"Go on with: dbwarden backfill {item.verb} {item.key} -d {source}"
        case "locked":
            return "Wait for it to end, or inspect it with: dbwarden lock-status"
        case _:
            assert_never(problem.code)


def _stuck(status: StatusResult) -> list[BackfillProgress]:
    return [item for item in status.backfills if item.needs_attention]


def _describe_backfill(item: BackfillProgress) -> str:
    state = "not run by any process" if item.stalled else item.state
    why = f": {item.error}" if item.error else ""
    return f"the backfill {item.key} is {state} ({item}){why}"


def _source(status: StatusResult) -> DatabaseName:
    """Return the database where migrations run: a replica gets them from its primary."""
    return status.replica.primary if status.replica is not None else status.database


def _repair(database: DatabaseName, option: str, keys: Sequence[str]) -> str:
    return " ".join(["dbwarden repair -d", database, *(f"{option} {key}" for key in keys)])
