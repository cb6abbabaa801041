"""The engine of ``--workers 4``: processes on this machine."""

import json
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field

import anyio
import anyio.abc

from dbwarden.fleet.documents import Json
from dbwarden.fleet.workers.protocol import Cluster, EngineLost, Receive, Setup, WorkerLost

LONGEST_END = 15.0
"""Seconds in which a process has to stop its work on the servers and end."""

_CHILD = (sys.executable, "-P", "-m", "dbwarden.fleet.workers.child")


class ProcessEngine:
    """Processes on this machine, as many as the address says."""

    def connect(self, address: str, setup: Setup) -> AbstractAsyncContextManager[Cluster]:
        """Start the processes; they have the version and the project of this one."""
        return _started(int(address))


@asynccontextmanager
async def _started(count: int) -> AsyncGenerator[Cluster]:
    cluster = ProcessCluster()
    try:
        for _ in range(count):
            await cluster.add()
        yield cluster
    finally:
        with anyio.move_on_after(LONGEST_END, shield=True):
            async with anyio.create_task_group() as group:
                for child in cluster.children:
                    group.start_soon(child.end)
        for child in cluster.children:
            child.kill()


@dataclass(slots=True)
class Child:
    """One process."""

    process: anyio.abc.Process
    rest: bytes = b""

    async def send(self, line: Json) -> None:
        """Write a line to the process; one that has ended is found when its answer is read."""
        assert self.process.stdin is not None
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            await self.process.stdin.send(json.dumps(line).encode() + b"\n")

    async def run(self, order: Json, receive: Receive) -> None:
        """Run a lot; see :meth:`Cluster.run`."""
        await self.send({"lot": order})
        assert self.process.stdout is not None
        async for chunk in self.process.stdout:
            *lines, self.rest = (self.rest + chunk).split(b"\n")
            for message in map(json.loads, lines):
                if "done" in message:
                    return
                receive(message)
        code = await self.process.wait()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        raise WorkerLost(f"the worker process {self.process.pid} {how}")

    async def end(self) -> None:
        """Close the standard input of the process, which stops its lot, and wait for its end."""
        assert self.process.stdin is not None and self.process.stdout is not None
        with suppress(anyio.BrokenResourceError, OSError):
            await self.process.stdin.aclose()
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            async for _ in self.process.stdout:  # or it would wait for its reader
                pass
        await self.process.wait()

    def kill(self) -> None:
        """Kill the process if it is still there."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.kill()


@dataclass(slots=True)
class ProcessCluster:
    """The processes of one run."""

    children: list[Child] = field(default_factory=list)
    idle: list[Child] = field(default_factory=list)

    @property
    def workers(self) -> int:
        """The number of processes; a new one takes the place of one that ended."""
        return len(self.children)

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
        child = Child(process)
        self.children.append(child)
        self.idle.append(child)

    async def run(self, order: Json, receive: Receive) -> None:
        """Run a lot on an idle process; see :meth:`Cluster.run`."""
        child = self.idle.pop()
        try:
            await child.run(order, receive)
        except WorkerLost:
            self.children.remove(child)
            with anyio.CancelScope(shield=True):
                await self.add()
            raise
        self.idle.append(child)

    async def stop(self, reason: str) -> None:
        """Tell all processes to stop their lots."""
        for child in tuple(self.children):
            await child.send({"stop": reason})
