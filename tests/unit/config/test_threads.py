"""Code of the project runs in a thread that blocks nothing."""

import asyncio
import contextvars
import threading

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from dbwarden.config.threads import in_own_thread

pytestmark = pytest.mark.anyio

WORD = contextvars.ContextVar("WORD", default="nothing")


async def test_the_process_ends_without_waiting_for_the_thread() -> None:
    thread = await in_own_thread(threading.current_thread)

    assert thread.daemon
    assert thread is not threading.current_thread()


async def test_context_variables_reach_the_thread() -> None:
    WORD.set("something")

    assert await in_own_thread(WORD.get) == "something"


async def test_an_exception_of_the_thread_reaches_the_awaiting_task() -> None:
    def fail() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await in_own_thread(fail)


async def test_a_cancellation_waits_for_its_end() -> None:
    begun, go = anyio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    order: list[str] = []

    def work() -> None:
        loop.call_soon_threadsafe(begun.set)
        go.wait()
        order.append("ended")

    async def caller() -> None:
        try:
            await in_own_thread(work)
        finally:
            order.append("left")

    async with anyio.create_task_group() as group:
        group.start_soon(caller)
        await begun.wait()
        group.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            for _ in range(10):  # what is not shielded is cancelled within these
                await anyio.lowlevel.checkpoint()
            go.set()
    assert order == ["ended", "left"]


async def test_a_task_that_is_cancelled_in_asyncios_way_leaves_no_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """anyio's shield does not hold it back; the thread then ends with nobody to tell."""
    said: list[object] = []
    monkeypatch.setattr(threading, "excepthook", said.append)
    begun, go = anyio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    threads: list[threading.Thread] = []

    def work() -> None:
        threads.append(threading.current_thread())
        loop.call_soon_threadsafe(begun.set)
        go.wait()

    task = asyncio.create_task(in_own_thread(work))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()
    await anyio.to_thread.run_sync(threads[0].join)
    assert said == []
