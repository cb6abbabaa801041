"""Blocking calls in worker threads that stop, and are waited for, when their task is cancelled."""

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

T = TypeVar("T")

THREADS = 128
"""As many as a fleet opens databases at a time, so that none waits for another's thread."""

GRACE = 5.0
"""Seconds that a cancelled call has to end. SQLite needs microseconds; a dead network mount not."""

_limiters: anyio.lowlevel.RunVar[anyio.CapacityLimiter] = anyio.lowlevel.RunVar("dbwarden_sqlite")


def limiter() -> anyio.CapacityLimiter:
    """The threads of this event loop; the application's own calls don't compete for them."""
    try:
        return _limiters.get()
    except LookupError:
        made = anyio.CapacityLimiter(THREADS)
        _limiters.set(made)
        return made


class Halting(Protocol):
    """What a blocking call works on."""

    def halt(self) -> None:
        """Make the call end soon; called in the event loop, until it has ended."""

    def abandon(self) -> None:
        """Do without the call, which does not end; called in the event loop."""

    def close_abandoned(self) -> None:
        """Clear up after such a call, should it end after all; called in its thread."""


class Call(Generic[T]):
    """One call that a thread makes once, unless it is withdrawn before."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._turn = threading.Lock()
        self._begun = self._withdrawn = False
        self._afterwards: Callable[[], None] | None = None
        self.ended = False

    def __call__(self) -> T:
        """Make the call."""
        with self._turn:
            self._begun = not self._withdrawn
        if not self._begun:
            raise RuntimeError("withdrawn before it began")
        try:
            return self._function()
        finally:
            with self._turn:
                self.ended = True
            if self._afterwards is not None:
                self._afterwards()

    def withdraw(self) -> bool:
        """Whether nothing of it goes on: it has ended, or will now never begin."""
        with self._turn:
            self._withdrawn = True
            return self.ended or not self._begun

    def abandon(self, afterwards: Callable[[], None]) -> bool:
        """Whether it goes on; it will then do *afterwards* when it ends."""
        with self._turn:
            if not self.ended:
                self._afterwards = afterwards
            return not self.ended


async def run_interruptible(function: Callable[[], T], on: Halting, *, grace: float = GRACE) -> T:
    """Call the blocking *function* in a thread; on cancellation halt it and wait for its end.

    Args:
        function: The call.
        on: What it works on.
        grace: Seconds to wait for its end; a call that is stuck in the kernel is left behind.
    """
    call = Call(function)
    try:
        return await anyio.to_thread.run_sync(call, abandon_on_cancel=True, limiter=limiter())
    finally:
        if not call.withdraw():
            with anyio.move_on_after(grace, shield=True):
                while not call.ended:
                    on.halt()
                    await anyio.sleep(0.002)
            if call.abandon(on.close_abandoned):
                on.abandon()


async def run_uninterrupted(function: Callable[[], T]) -> T:
    """Call the short, blocking *function* in a thread; a cancellation waits for its end."""
    return await anyio.to_thread.run_sync(function, limiter=limiter())


async def run_cleanup(function: Callable[[], None], *, grace: float = GRACE) -> None:
    """Call the blocking *function* even in a cancelled task, and wait *grace* seconds for it."""
    with anyio.move_on_after(grace, shield=True):
        await anyio.to_thread.run_sync(function, abandon_on_cancel=True, limiter=limiter())
