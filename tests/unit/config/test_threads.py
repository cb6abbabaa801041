"""Code of the project runs in a thread that holds up nothing."""

import contextvars
import threading

import anyio
import anyio.lowlevel
import pytest

from dbwarden.config.threads import in_own_thread

pytestmark = pytest.mark.anyio

WORD = contextvars.ContextVar("WORD", default="nothing")


async def test_nobody_waits_for_its_thread_when_the_process_ends() -> None:
    thread = await in_own_thread(threading.current_thread)

    assert thread.daemon
    assert thread is not threading.current_thread()


async def test_what_is_known_in_the_task_is_known_there() -> None:
    WORD.set("something")

    assert await in_own_thread(WORD.get) == "something"


async def test_what_it_raises_is_raised_where_it_is_awaited() -> None:
    def fail() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await in_own_thread(fail)


async def test_a_cancellation_waits_for_its_end() -> None:
    go = threading.Event()
    ended = False

    def work() -> None:
        nonlocal ended
        go.wait()
        ended = True

    async with anyio.create_task_group() as group:
        group.start_soon(in_own_thread, work)
        await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
        go.set()
    assert ended
