"""Check or migrate the databases when an application starts, and close connections at its end."""

import math
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, TypedDict, Unpack, assert_never

import anyio

from dbwarden import telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.engines import MAX_OPEN_ENGINES
from dbwarden.errors import DBWardenError, StartupFailed, UsageError
from dbwarden.fastapi.sessions import check_declared
from dbwarden.fastapi.state import Serving, forget, serving
from dbwarden.fastapi.tracing import span
from dbwarden.fleet import Limits, Outcome, OutcomeState, migrate_all, run
from dbwarden.operations.check import findings_of
from dbwarden.planning.status_result import ProblemSeverity, StatusProblem, StatusResult
from dbwarden.types import DatabaseName

Mode = Literal["check", "migrate", "none"]
OnPending = Literal["fail", "warn"]


class StartupOptions(TypedDict, total=False):
    """The keyword arguments of :func:`migration_context`; :class:`Startup` has their defaults."""

    database: str | Sequence[str] | None
    all_databases: bool
    fail_fast: bool
    dev: bool
    only_dev: bool
    allow_in_production: bool
    timeout: float | None
    on_pending: OnPending
    warm: int
    max_open_engines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Startup:
    """The options of :func:`migration_context`."""

    mode: Mode = "check"
    database: str | Sequence[str] | None = None
    all_databases: bool = False
    fail_fast: bool = True
    dev: bool = False
    only_dev: bool = False
    allow_in_production: bool = False
    timeout: float | None = None
    on_pending: OnPending = "fail"
    warm: int = 0
    max_open_engines: int = MAX_OPEN_ENGINES

    def check(self) -> None:
        """Validate the options.

        Raises:
            UsageError: An option is invalid, or ``migrate`` is used in production.
        """
        if self.mode not in ("check", "migrate", "none"):
            raise UsageError(f"mode={self.mode!r}: it is 'check', 'migrate' or 'none'")
        if self.on_pending not in ("fail", "warn"):
            raise UsageError(f"on_pending={self.on_pending!r}: it is 'fail' or 'warn'")
        if self.max_open_engines < 1:
            raise UsageError("max_open_engines is 1 or more")
        in_production = os.environ.get("ENVIRONMENT", "").strip().lower() in ("production", "prod")
        if self.mode == "migrate" and in_production and not self.allow_in_production:
            raise UsageError(
                "mode='migrate' would migrate the production databases at the start of the "
                "application",
                next_step="Migrate with 'dbwarden migrate --all' when you deploy and start with "
                "mode='check', or say allow_in_production=True.",
            )

    async def select(self, state: Serving) -> tuple[DatabaseConfig, ...]:
        """Return the selected databases, including tenants, with their current URLs."""
        names = (self.database,) if isinstance(self.database, str) else tuple(self.database or ())
        await state.project.expand(names, all_databases=self.all_databases)
        chosen = state.project.select(names, all_databases=self.all_databases)
        if self.only_dev:
            chosen = tuple(config for config in chosen if config.dev_database_url is not None)
        return tuple(state.locate(config) for config in chosen)


@asynccontextmanager
async def migration_context(
    mode: Mode = "check", **options: Unpack[StartupOptions]
) -> AsyncGenerator[None]:
    """Check or migrate the databases when entered, and close all connections when left.

    Args:
        mode: ``check`` compares each database with its migration files (a database may be ahead of
            them); ``migrate`` first applies pending migrations, one process at a time; ``none``
            does neither.
        **options: Any of these:

            - ``database``: A name, a pattern or several; by default the project's default database.
            - ``all_databases``: Select every database.
            - ``fail_fast``: The first failure cancels the rest and the start. Otherwise failures
              are logged, the application starts, and its health reports them.
            - ``dev``: Use the development databases for startup, sessions, health and page.
            - ``only_dev``: Like *dev*, with only the databases that have a development database.
            - ``allow_in_production``: Allow ``migrate`` with ``ENVIRONMENT=production``.
            - ``timeout``: Seconds for each database; by default its ``timeout`` option.
            - ``on_pending``: ``warn`` logs pending migrations and starts.
            - ``warm``: Number of connections to each database to open before the first request.
            - ``max_open_engines``: Maximum number of databases with open connections; the least
              recently used are closed first, but never one in use.

    Raises:
        StartupFailed: A database is not ready. The error lists every database, failures first.
        ConfigurationError: The configuration has problems, or routes use unknown databases.
        UsageError: The arguments are invalid.
    """
    startup = Startup(mode=mode, **options)
    startup.check()
    async with _open(startup) as state:
        try:
            await _start(state, startup)
        except DBWardenError as error:
            # The application's server prints the traceback, in which our frames hide the error.
            raise error.with_traceback(None) from None
        yield


def dbwarden_lifespan(app: Any, **options: Any) -> Any:
    """Return :func:`migration_context` for ``FastAPI(lifespan=...)``.

    For example: ``FastAPI(lifespan=partial(dbwarden_lifespan, mode="check", all_databases=True))``.

    Args:
        app: The application.
        **options: The arguments of :func:`migration_context`.
    """
    return migration_context(**options)


@asynccontextmanager
async def _open(startup: Startup) -> AsyncGenerator[Serving]:
    """Yield the state of the event loop; the last lifespan closes every connection."""
    state = await serving()
    state.users += 1
    state.dev, state.only_dev = startup.dev or startup.only_dev, startup.only_dev
    state.engines.limit = startup.max_open_engines
    try:
        check_declared(state)
        yield state
    finally:
        state.users -= 1
        if state.users == 0:
            forget()
            with anyio.CancelScope(shield=True):
                await state.engines.close()


async def _start(state: Serving, startup: Startup) -> None:
    """Prepare the databases and log one event.

    The event of a failed start is not an error and has no text, because the exception reports it.
    """
    started = time.perf_counter()
    fields: dict[str, Any] = {"outcome": "failed"}
    named = telemetry.bound(mode=startup.mode, operation="startup")
    with telemetry.run(), named, span("startup", mode=startup.mode):
        telemetry.emit("started")
        try:
            databases = await _prepare(state, startup)
            fields = {"databases": databases, "outcome": "succeeded"}
        finally:
            duration_ms = round((time.perf_counter() - started) * 1000, 3)
            telemetry.emit("startup", **fields, duration_ms=duration_ms)


async def _prepare(state: Serving, startup: Startup) -> int:
    """Migrate, check and warm the selected databases; return their number."""
    chosen = await startup.select(state)
    failed: FailedDatabases = frozenset()  # reported, and not tried again
    if startup.mode == "migrate":
        failed |= await _migrate(state, startup, [c for c in chosen if c.replica_of is None])
    if startup.mode != "none":
        rest = [config for config in chosen if config.database_name not in failed]
        failed |= await _check(state, startup, rest)
    if startup.warm:
        rest = [config for config in chosen if config.database_name not in failed]
        await _on_each(state, startup, "warm", rest, lambda c: state.engines.warm(c, startup.warm))
    return len(chosen)


FailedDatabases = frozenset[DatabaseName]
"""The databases that failed without preventing the application's start."""


async def _migrate(
    state: Serving, startup: Startup, chosen: Sequence[DatabaseConfig]
) -> FailedDatabases:
    limited = [replace(c, timeout=startup.timeout) for c in chosen] if startup.timeout else chosen
    limits = Limits(max_failures=1 if startup.fail_fast else None)
    with telemetry.at_most("info"):  # _judge reports what failed
        outcomes = await migrate_all(limited, known=_others(state, limited), limits=limits)
    return _judge(startup, outcomes)


def _others(state: Serving, chosen: Sequence[DatabaseConfig]) -> tuple[DatabaseConfig, ...]:
    """Return the other single databases, which migrations may require."""
    names = {config.database_name for config in chosen}
    others = (config for config in state.project.single if config.database_name not in names)
    return tuple(
        state.locate(config) if not state.dev or config.dev_database_url is not None else config
        for config in others
    )


async def _check(
    state: Serving, startup: Startup, chosen: Sequence[DatabaseConfig]
) -> FailedDatabases:
    async def check(config: DatabaseConfig) -> StatusResult:
        with telemetry.at_most("info"):  # _judge reports what failed
            probe = await state.probes.probe(
                config, state.engines, ttl=0.0, limit=None, primary=state.primary_of(config)
            )
        if probe.status is None:
            assert probe.error is not None
            raise probe.error
        status = probe.status
        serious = [each for each in status.problems if not is_harmless(startup, config, each)]
        harmless = [each for each in status.problems if each not in serious]
        for finding in findings_of(status, harmless):
            telemetry.emit("startup_finding", level="warning", finding=finding.message)
        if serious:
            findings = findings_of(status, serious)
            raise StartupFailed(
                "; ".join(finding.message for finding in findings),
                database=config.database_name,
                next_step=findings[0].next_step,
            )
        return status

    return await _on_each(state, startup, "check", chosen, check)


def is_harmless(startup: Startup, config: DatabaseConfig, problem: StatusProblem) -> bool:
    """Return whether the application starts in spite of *problem*."""
    match problem.severity:
        case ProblemSeverity.NOTE | ProblemSeverity.WARNING:
            return True
        case ProblemSeverity.LATE:
            # A replica receives migrations later than its primary.
            replicates = startup.mode == "migrate" and config.replica_of is not None
            return replicates or startup.on_pending == "warn"
        case ProblemSeverity.FAULT:
            return False
        case _:
            assert_never(problem.severity)


async def _on_each(
    state: Serving,
    startup: Startup,
    name: str,
    chosen: Sequence[DatabaseConfig],
    operation: Callable[[DatabaseConfig], Awaitable[Any]],
) -> FailedDatabases:
    """Run *operation*, logged as *name*, on all databases concurrently, and judge the outcomes.

    The startup reports failures as errors, so that failures of single databases are logged as info.
    """
    # The fleet changes the timeout in the configuration, but engines have the original one.
    by_name = {config.database_name: config for config in chosen}

    async def on_one(config: DatabaseConfig) -> Any:
        with telemetry.operation(name, failed="info", database=config.database_name):
            return await operation(by_name[config.database_name])

    limit = math.nan if startup.timeout is None else startup.timeout
    return _judge(startup, await run(on_one, chosen, timeout=limit, fail_fast=startup.fail_fast))


def _judge(startup: Startup, outcomes: Sequence[Outcome[Any]]) -> FailedDatabases:
    """Log the failures, and return the names of the failed databases.

    Raises:
        StartupFailed: A database failed and ``fail_fast`` is set.
    """
    failed = [outcome for outcome in outcomes if not outcome.succeeded]
    if failed and startup.fail_fast:
        states = [*OutcomeState]
        failures_first = sorted(outcomes, key=lambda o: (o.succeeded, states.index(o.state)))
        raise StartupFailed(
            known=[_describe_outcome(outcome) for outcome in failures_first],
            next_step=next(
                (o.error.next_step for o in failed if o.error and o.error.next_step), None
            ),
        )
    for outcome in failed:
        telemetry.emit(
            "startup_failed",
            level="error",
            database=outcome.database,
            state=outcome.state,
            error=outcome.error.message if outcome.error else None,
            next_step=outcome.error.next_step if outcome.error else None,
        )
    return frozenset(outcome.database for outcome in failed)


def _describe_outcome(outcome: Outcome[Any]) -> str:
    """Describe the outcome of one database in a line."""
    match outcome:
        case Outcome(state=OutcomeState.SUCCEEDED, result=StatusResult(version=version)):
            what = f"ok, at {version}" if version else "ok, nothing applied yet"
        case Outcome(state=OutcomeState.SUCCEEDED):
            what = "ok"
        case Outcome(error=DBWardenError() as error):
            what = ". ".join(part for part in (error.message, error.next_step) if part)
        case _:
            what = str(outcome.state)
    return f"{outcome.database}: {what}"
