"""The engine of ``--workers 4``: processes on this machine."""

import json
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field

import anyio
import anyio.abc

from dbwarden.errors import DBWardenError
from dbwarden.fleet.documents import Json
from dbwarden.fleet.workers.protocol import (
    Cluster,
    EngineLost,
    Receive,
    RunningLot,
    Setup,
    WorkerLost,
)

LONGEST_END = 15.0
"""Seconds in which a process has to stop its work on the servers and end."""

LOTS_AT_ONCE = 2
"""The number of lots of a process, so that it has work while the last databases of one end."""

_CHILD = (sys.executable, "-P", "-m", "dbwarden.fleet.workers.child")


class ProcessEngine:
    """Processes on this machine, as many as the address says."""

    def connect(self, address: str, setup: Setup) -> AbstractAsyncContextManager[Cluster]:
        """Start the processes; they have the version and the project of this one."""
        return _started(int(address))


@asynccontextmanager
async def _started(count: int) -> AsyncGenerator[Cluster]:
    async with anyio.create_task_group() as readers:
        cluster = ProcessCluster(readers=readers)
        try:
            for _ in range(count):
                await cluster.add()
            yield cluster
        finally:
            cluster.is_ending = True
            with anyio.move_on_after(LONGEST_END, shield=True):
                for child in cluster.children:
                    await child.close()
                for child in cluster.children:
                    await child.process.wait()
            for child in cluster.children:
                child.kill()


@dataclass(slots=True, eq=False)
class WorkerProcess:
    """One process, and its lots by number."""

    process: anyio.abc.Process
    lots: dict[int, RunningLot] = field(default_factory=dict)
    count: int = 0
    reading: anyio.CancelScope = field(default_factory=lambda: anyio.CancelScope(shield=True))

    async def send(self, line: Json) -> None:
        """Write a line to the process; one that has ended is found when its answers are read."""
        assert self.process.stdin is not None
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            await self.process.stdin.send(json.dumps(line).encode() + b"\n")

    async def run(self, order: Json, receive: Receive) -> None:
        """Run a lot; see :meth:`Cluster.run`."""
        self.count += 1
        number = self.count
        running = self.lots[number] = RunningLot(receive=receive)
        await self.send({"lot": order, "number": number})
        await running.ended.wait()
        del self.lots[number]
        if running.error is not None:
            raise running.error

    async def read(self) -> WorkerLost:
        """Pass the messages of the lots on until the process ends, and return how it ended."""
        assert self.process.stdout is not None
        rest = b""
        async for chunk in self.process.stdout:
            *lines, rest = (rest + chunk).split(b"\n")
            for message in map(json.loads, lines):
                running = self.lots[message["number"]]
                if "done" in message:
                    running.end(None)
                else:
                    running.receive(message)
        code = await self.process.wait()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return WorkerLost(f"the worker process {self.process.pid} {how}")

    async def close(self) -> None:
        """Close the standard input of the process, which stops its lots and ends it."""
        assert self.process.stdin is not None
        with suppress(anyio.BrokenResourceError, OSError):
            await self.process.stdin.aclose()

    def kill(self) -> None:
        """Kill the process if it is still there."""
        self.reading.cancel()
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.kill()


@dataclass(slots=True, kw_only=True)
class ProcessCluster:
    """The processes of one run."""

    readers: anyio.abc.TaskGroup
    children: list[WorkerProcess] = field(default_factory=list)
    is_ending: bool = False

    @property
    def workers(self) -> int:
        """The number of lots; a new process takes the place of one that ended."""
        return LOTS_AT_ONCE * len(self.children)

    async def add(self) -> None:
        """Start a process.

        Raises:
            EngineLost: This machine starts no more.
        """
        try:
            process = await anyio.open_process(
                (*_CHILD, sys.argv[0] if sys.argv else ""),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=None,
            )
        except OSError as error:
            raise EngineLost(f"no worker process can be started: {error.strerror}") from error
        child = WorkerProcess(process)
        self.children.append(child)
        if self.is_ending:
            child.kill()
        self.readers.start_soon(self._read, child)

    async def _read(self, child: WorkerProcess) -> None:
        lost: DBWardenError | None = None
        with child.reading:
            lost = await child.read()
            if not self.is_ending:
                self.children.remove(child)
                try:
                    await self.add()
                except EngineLost as error:
                    lost = error
        for running in child.lots.values():
            running.end(lost)

    async def run(self, order: Json, receive: Receive) -> None:
        """Run a lot on the process that has the fewest; see :meth:`Cluster.run`."""
        if not self.children:
            raise EngineLost("no worker process is left")
        await min(self.children, key=lambda child: len(child.lots)).run(order, receive)

    async def stop(self, reason: str) -> None:
        """Tell all processes to stop their lots."""
        for child in tuple(self.children):
            await child.send({"stop": reason})
