"""Run blocking calls in worker threads; a cancellation stops them and waits for their end."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

T = TypeVar("T")

THREADS = 128
"""The number of databases that a fleet opens at once, so that none waits for a thread."""

GRACE = 5.0
"""Seconds to wait for a cancelled call. SQLite stops at once; a dead network mount does not."""

_limiters: anyio.lowlevel.RunVar[anyio.CapacityLimiter] = anyio.lowlevel.RunVar("dbwarden_sqlite")


def limiter() -> anyio.CapacityLimiter:
    """Return the limiter of this event loop, separate from the application's own threads."""
    try:
        return _limiters.get()
    except LookupError:
        created = anyio.CapacityLimiter(THREADS)
        _limiters.set(created)
        return created


class Halting(Protocol):
    """The object that a blocking call uses, and that can stop the call."""

    def halt(self) -> None:
        """Interrupt the call; called in the event loop until the call has ended."""

    def abandon(self) -> None:
        """Give up on a call that does not end; called in the event loop."""

    def close_abandoned(self) -> None:
        """Clean up if an abandoned call ends after all; called in its thread."""


async def run_interruptible(function: Callable[[], T], on: Halting, *, grace: float = GRACE) -> T:
    """Call the blocking *function* in a thread; on cancellation halt it and wait for its end.

    Args:
        function: The blocking function.
        on: The object that it uses.
        grace: Seconds to wait for its end; a call that is stuck in the kernel is abandoned.
    """
    progress = Future[None]()

    def call() -> T:
        if not progress.set_running_or_notify_cancel():
            raise RuntimeError("withdrawn before it began")
        try:
            return function()
        finally:
            progress.set_result(None)

    try:
        return await anyio.to_thread.run_sync(call, abandon_on_cancel=True, limiter=limiter())
    finally:
        if not (progress.cancel() or progress.done()):  # it neither never begins nor has ended
            with anyio.move_on_after(grace, shield=True):
                while not progress.done():
                    on.halt()
                    await anyio.sleep(0.002)
            if not progress.done():
                progress.add_done_callback(lambda _: on.close_abandoned())
                on.abandon()


async def run_uninterrupted(function: Callable[[], T]) -> T:
    """Call the short, blocking *function* in a thread; a cancellation waits for its end."""
    return await anyio.to_thread.run_sync(function, limiter=limiter())


async def run_cleanup(function: Callable[[], None], *, grace: float = GRACE) -> None:
    """Call the blocking *function* even in a cancelled task, and wait *grace* seconds for it."""
    with anyio.move_on_after(grace, shield=True):
        await anyio.to_thread.run_sync(function, abandon_on_cancel=True, limiter=limiter())
