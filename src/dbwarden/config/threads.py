"""Run the project's code in a separate thread."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import TypeVar

import anyio

T = TypeVar("T")


async def in_own_thread(work: Callable[[], T]) -> T:
    """Run *work*, which imports code of the project, in a daemon thread.

    Some packages (eventlet) block the end of the thread that first imports them. In a worker
    thread they would keep the process from exiting.
    """
    done: Future[T] = Future()
    # Make the future uncancellable: the thread cannot be stopped and has to store its result.
    done.set_running_or_notify_cancel()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # raised where the future is awaited
            done.set_exception(error)
        else:
            done.set_result(result)

    thread = threading.Thread(
        target=copy_context().run, args=(run,), name="dbwarden imports the project", daemon=True
    )
    with anyio.CancelScope(shield=True):
        thread.start()
        await asyncio.wrap_future(done)
    return done.result()
