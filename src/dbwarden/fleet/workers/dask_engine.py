"""The engine of ``--workers dask://scheduler:8786``.

Each lot is a task on a chosen worker, and its messages are events of a topic. Nobody waits for the
result of a task: Dask would repeat it on another worker, but only the run knows which databases of
a lot have an outcome.
"""

import importlib
import json
import logging
import warnings
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import anyio
import anyio.to_thread

from dbwarden import telemetry
from dbwarden.errors import DBWardenError, UsageError
from dbwarden.fleet.documents import Json
from dbwarden.fleet.workers import dask_worker
from dbwarden.fleet.workers.projects import fingerprint
from dbwarden.fleet.workers.protocol import (
    Cluster,
    EngineLost,
    Receive,
    RunningLot,
    Setup,
    WorkerLost,
)
from dbwarden.fleet.workers.wire import read_error
from dbwarden.secrets import describe_error

CONNECT = 10.0
"""Seconds in which the scheduler has to answer, and to have a worker."""

ANSWER = 30.0
"""Seconds in which a worker has to load the project."""

LOOK = 0.2
"""Seconds between two looks at the workers."""

KEEP = 10.0
"""Seconds between two signs of the run to its workers; see ``dask_worker.LEASE``."""

NO_WORKER = 60.0
"""Seconds without any worker, after which the run ends."""

LONGEST_END = 15.0
"""Seconds in which the lots have to end with a run that is cancelled."""


class DaskEngine:
    """The workers of a Dask scheduler."""

    def connect(self, address: str, setup: Setup) -> AbstractAsyncContextManager[Cluster]:
        """Connect to the scheduler and compare its workers with this process."""
        return _connected(address, setup)


@asynccontextmanager
async def _connected(address: str, setup: Setup) -> AsyncGenerator[Cluster]:
    dask = await _import_dask()
    with _quiet():
        client = await _connect(dask, address)
        try:
            cluster = DaskCluster(client=client, address=address, setup=setup)
            cluster.fingerprint = await anyio.to_thread.run_sync(fingerprint, setup.project)
            client.subscribe_topic(dask_worker.TOPIC, cluster.hear)
            await cluster.find_workers()
            async with anyio.create_task_group() as group:
                group.start_soon(cluster.watch)
                group.start_soon(cluster.keep)
                try:
                    yield cluster
                finally:
                    with anyio.CancelScope(shield=True):
                        await cluster.end()
                    group.cancel_scope.cancel()
        finally:
            with anyio.move_on_after(LONGEST_END, shield=True):
                await client.close()


async def _import_dask() -> Any:
    try:
        # In a thread, because it takes most of a second.
        return await anyio.to_thread.run_sync(importlib.import_module, "distributed")
    except ImportError as error:
        raise UsageError(
            "Dask is not installed", next_step="Install it: pip install 'dbwarden[dask]'."
        ) from error


@contextmanager
def _quiet() -> Generator[None]:
    """Silence what Dask logs about lost connections, because the run reports them."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about versions that differ a little
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


async def _connect(dask: Any, address: str) -> Any:
    scheme, _, place = address.partition("://")
    protocol = "tls" if scheme.endswith("+tls") else "tcp"
    client = None
    try:
        client = dask.Client(
            f"{protocol}://{place}", asynchronous=True, set_as_default=False, timeout=CONNECT
        )
        return await client
    except (OSError, ValueError, TypeError, ImportError) as error:
        if client is not None:
            with suppress(Exception):
                await client.close()
        raise EngineLost(
            f"the Dask scheduler at {address} does not answer: {describe_error(error)}",
            next_step="Start it with 'dask scheduler', or correct --workers.",
        ) from error


@dataclass(slots=True, kw_only=True, eq=False)
class _Running(RunningLot):
    """A lot on a Dask worker."""

    address: str
    future: Any


@dataclass(slots=True, kw_only=True)
class DaskCluster:
    """The workers of a Dask scheduler that take part in one run; ``tokens`` has their processes."""

    client: Any
    address: str
    setup: Setup
    fingerprint: str = ""
    session: str = field(default_factory=lambda: uuid4().hex)
    tokens: dict[str, str] = field(default_factory=dict)
    refused: dict[str, DBWardenError] = field(default_factory=dict)
    lots: dict[str, _Running] = field(default_factory=dict)
    count: int = 0
    lost: EngineLost | None = None

    @property
    def workers(self) -> int:
        """The number of workers that take part."""
        return len(self.tokens)

    # -- lots ---------------------------------------------------------------------------------

    async def run(self, order: Json, receive: Receive) -> None:
        """Run a lot on a worker without one; see :meth:`Cluster.run`."""
        if self.lost is not None:
            raise self.lost
        busy = {running.address for running in self.lots.values()}
        address = next((each for each in self.tokens if each not in busy), None)
        if address is None:
            raise WorkerLost("the Dask worker ended before its lot began")
        self.count += 1
        lot = f"dbwarden-{self.session}-{self.count}"
        future = self.client.submit(
            dask_worker.run_order,
            order,
            self.session,
            lot,
            self.tokens[address],
            key=lot,
            workers=[address],
            pure=False,
        )
        running = self.lots[lot] = _Running(address=address, receive=receive, future=future)
        await running.ended.wait()
        del self.lots[lot]
        if running.error is not None:
            raise running.error

    def hear(self, event: tuple[float, Mapping[str, Any]]) -> None:
        """Pass the messages of a lot on."""
        message = event[1]
        running = self.lots.get(message["lot"]) if message["session"] == self.session else None
        if running is None or running.ended.is_set():
            return
        try:
            for each in json.loads(message["messages"]):
                running.receive(each)
        except Exception as error:  # Dask would only log it
            running.end(error)
        match message["end"]:
            case "done":
                running.end(None)
            case "lost":
                running.end(_worker_lost(running.address))

    async def stop(self, reason: str) -> None:
        """Tell all workers to stop the lots of this run."""
        await self._tell(reason)

    async def end(self) -> None:
        """Stop what still runs, and wait for its end."""
        with anyio.move_on_after(LONGEST_END):
            if self.lots and self.lost is None:
                await self._tell("the run ended")
                for running in tuple(self.lots.values()):
                    await running.ended.wait()

    async def _tell(self, reason: str | None) -> None:
        if self.tokens and self.lost is None:
            with anyio.move_on_after(KEEP), suppress(OSError):  # watch() notices a lost scheduler
                await self.client.run(
                    dask_worker.keep,
                    self.session,
                    reason,
                    workers=[*self.tokens],
                    on_error="ignore",
                )

    # -- workers ------------------------------------------------------------------------------

    async def find_workers(self) -> None:
        """Let the present workers take part.

        Raises:
            UsageError: One of them cannot.
            EngineLost: There is none.
        """
        try:
            await self.client.wait_for_workers(1, timeout=CONNECT)
        except TimeoutError as error:
            raise EngineLost(
                f"the Dask scheduler at {self.address} has no worker",
                next_step="Start some with 'dask worker'.",
            ) from error
        await self._join(await self._addresses())
        if self.refused:
            raise next(iter(self.refused.values()))

    async def watch(self) -> None:
        """Notice workers that come and go, and a scheduler that is gone."""
        alone_since: float | None = None
        while self.lost is None:
            await anyio.sleep(LOOK)
            try:
                with anyio.fail_after(CONNECT):
                    present = await self._addresses()
            except (OSError, TimeoutError):
                break
            if self.client.status != "running":  # its futures are cancelled by then
                break
            self._drop(present)
            await self._join(present - self.tokens.keys() - self.refused.keys())
            now = anyio.current_time()
            alone_since = None if self.tokens else alone_since or now
            if alone_since is not None and now - alone_since > NO_WORKER:
                self._lose(f"the Dask scheduler at {self.address} has no worker any more")
        self._lose(f"the Dask scheduler at {self.address} does not answer any more")

    async def keep(self) -> None:
        """Give the workers a sign of the run, without which they stop its lots."""
        while True:
            await anyio.sleep(KEEP)
            await self._tell(None)

    async def _addresses(self) -> set[str]:
        return {*await self.client.nthreads()}

    def _drop(self, present: set[str]) -> None:
        for address in self.tokens.keys() - present:
            del self.tokens[address]
        for running in tuple(self.lots.values()):
            if running.address not in present or running.future.status in ("error", "cancelled"):
                running.end(_worker_lost(running.address))

    def _lose(self, message: str) -> None:
        if self.lost is None:
            self.lost = EngineLost(message)
            for running in tuple(self.lots.values()):
                running.end(self.lost)

    async def _join(self, addresses: set[str]) -> None:
        """Compare new workers with this process; those that differ take no part."""
        if not addresses:
            return
        answers: dict[str, Any] = {}
        with anyio.move_on_after(ANSWER):
            answers = await self.client.run(
                dask_worker.join,
                self.session,
                str(self.setup.project.path),
                workers=[*addresses],
                on_error="return",
            )
        for address in sorted(addresses):
            answer = answers.get(address, TimeoutError(f"no answer within {ANSWER:g} s"))
            problem = self.problem_of(address, answer)
            if problem is None:
                self.tokens[address] = answer["token"]
            else:
                self.refused[address] = problem
                telemetry.emit("worker_refused", level="warning", error=problem.message)

    def problem_of(self, address: str, answer: Any) -> DBWardenError | None:
        """Return why the worker at *address* cannot take part in the run, if so."""
        version, where = self.setup.version, f"the Dask worker {address}"
        install = f"Install dbwarden=={version} with pip where the Dask workers run."
        match answer:
            case Exception():
                what = f"{where} cannot run dbwarden {version}: {describe_error(answer)}"
                return UsageError(what, next_step=install)
            case {"version": other} if other != version:
                what = f"{where} has dbwarden {other}, but this command is {version}"
                return UsageError(what, next_step=install)
            case {"guarded": False}:
                what = f"{where} lacks dbwarden's import guard, so a dbwarden.py would hide it"
                return UsageError(what, next_step=install)
            case {"error": dict(document)}:
                error = read_error(document)
                what = f"{where} cannot load the project: {error}"
                next_step = error.next_step or "Copy the project to the same path there."
                return UsageError(what, next_step=next_step)
            case {"fingerprint": other} if other != self.fingerprint:
                what = f"{where} has another version of {self.setup.project.path} or its migrations"
                return UsageError(what, next_step="Deploy the same version of the project there.")
        return None


def _worker_lost(address: str) -> WorkerLost:
    return WorkerLost(f"the Dask worker {address} ended")
