"""Run one operation on many databases: in this process, or spread over workers."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import anyio

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.fleet.running import (
    CONCURRENCY,
    PER_SERVER,
    Limits,
    Operation,
    Outcome,
    Stop,
    Task,
    run_tasks,
)

if TYPE_CHECKING:
    from dbwarden.fleet.workers.protocol import Workers

T = TypeVar("T")


async def run(
    operation: Operation[T],
    databases: Sequence[DatabaseConfig],
    *,
    timeout: float | None = math.nan,  # noqa: ASYNC109  # a limit per database, not of this call
    concurrency: int = CONCURRENCY,
    per_server: int = PER_SERVER,
    fail_fast: bool = False,
    max_failures: int | None = None,
    canary: str | None = None,
    stop: anyio.Event | None = None,
    workers: "Workers | str | int | None" = None,
) -> tuple[Outcome[T], ...]:
    """Run *operation* on all *databases* concurrently and return the outcome of each.

    Args:
        operation: A coroutine function of one database, such as ``dbwarden.migrate``.
        databases: The databases; outcomes are returned in this order.
        timeout: Seconds for each database from its start, ``None`` for no limit; default: the
            database's own ``timeout``.
        concurrency: Databases at the same time, overall.
        per_server: Databases at the same time on one host and port.
        fail_fast: Stop at the first failure. Nothing new starts, and running operations are
            cancelled on their servers before this returns.
        max_failures: Stop in the same way when this many databases have failed.
        canary: The database that runs first; the others start only if it succeeds.
        stop: Stops the run in the same way when set (Ctrl-C).
        workers: A number of processes on this machine, or the address of an engine such as
            ``dask://scheduler:8786``; ``None`` runs everything in this process. *operation* is then
            a function that the workers can import, with options that JSON can hold.

    Returns:
        One outcome per database. A failure on a database is an outcome, not an exception.

    Raises:
        UsageError: The workers cannot be used; nothing ran.
    """
    limits = Limits(
        concurrency=concurrency,
        per_server=per_server,
        max_failures=1 if fail_fast else max_failures,
    )
    first = frozenset({canary}) if canary is not None else frozenset[str]()
    keeps_timeout = timeout is not None and math.isnan(timeout)
    tasks = [
        Task(
            key=config.database_name,
            config=config if keeps_timeout else replace(config, timeout=timeout),
            operation=operation,
            after=first - {config.database_name},
        )
        for config in databases
    ]
    return await dispatch(tasks, limits, stop=stop, workers=workers)


async def dispatch(
    tasks: Sequence[Task[T]],
    limits: Limits,
    *,
    stop: anyio.Event | None = None,
    workers: "Workers | str | int | None" = None,
) -> tuple[Outcome[T], ...]:
    """Run *tasks* in this process or on *workers*, and return their outcomes in this order."""
    request = Stop(stop) if stop is not None else None
    if workers is None or not tasks:
        return await run_tasks(tasks, limits, stop=request)
    # Imported lazily, because most runs have no workers.
    from dbwarden.fleet.workers.coordinating import run_on_workers

    return await run_on_workers(tasks, limits, workers=workers, stop=request)
