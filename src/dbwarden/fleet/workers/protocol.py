"""The protocol between a run and the engine that has its workers."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

import anyio

from dbwarden.config.project import Project
from dbwarden.errors import DBWardenError
from dbwarden.fleet.documents import Json

Receive = Callable[[Json], None]
"""Takes a message of a lot; see ``running_lots``."""


class WorkerLost(DBWardenError):
    """A worker ended in the middle of a lot."""


class EngineLost(DBWardenError):
    """The engine does not answer any more."""


@dataclass(slots=True, kw_only=True, eq=False)
class RunningLot:
    """A lot on a worker."""

    receive: Receive
    ended: anyio.Event = field(default_factory=anyio.Event)
    error: Exception | None = None

    def end(self, error: Exception | None) -> None:
        """Note the end of the lot, and the *error* of its worker, if any."""
        self.error = self.error or error
        self.ended.set()


class Cluster(Protocol):
    """The workers of one run."""

    @property
    def workers(self) -> int:
        """The number of lots that can run at the same time now."""
        ...

    async def run(self, order: Json, receive: Receive) -> None:
        """Run the lot of *order* on a free worker; *receive* gets its messages until it returns.

        Raises:
            WorkerLost: The worker ended before the lot did.
            EngineLost: The engine does not answer any more.
        """
        ...

    async def stop(self, reason: str) -> None:
        """Stop all lots of this run: each cancels its work on the servers and ends."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What every worker of a run must have: the version of dbwarden, and the project."""

    version: str
    project: Project


class Engine(Protocol):
    """A source of workers."""

    def connect(self, address: str, setup: Setup) -> AbstractAsyncContextManager[Cluster]:
        """Return the workers at *address* for one run, which stop their lots at its end.

        Raises:
            UsageError: There are none, or one cannot take part in the run; nothing ran.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """The workers of a run.

    Args:
        address: A number of processes on this machine, or the address of an engine.
        lot_size: The number of databases in a lot; default: 50 to 250.
    """

    address: str
    lot_size: int | None = None
