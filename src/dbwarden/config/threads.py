"""The project's own code in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import TypeVar

import anyio

T = TypeVar("T")


async def in_own_thread(work: Callable[[], T]) -> T:
    """Run *work*, which imports code of the project, in a thread that nobody waits for.

    Some packages (eventlet) keep the thread that imports them first from ever ending. A worker
    thread would then hold up the end of the process for ever.
    """
    done: Future[T] = Future()
    # From now on nobody can cancel it, whoever cancels the task that awaits it: the thread, which
    # cannot be stopped, would have nowhere to put its result.
    done.set_running_or_notify_cancel()

    def run() -> None:
        try:
            found = work()
        except BaseException as error:  # it is raised where it is awaited
            done.set_exception(error)
        else:
            done.set_result(found)

    thread = threading.Thread(
        target=copy_context().run, args=(run,), name="dbwarden imports the project", daemon=True
    )
    with anyio.CancelScope(shield=True):
        thread.start()
        await asyncio.wrap_future(done)
    return done.result()
