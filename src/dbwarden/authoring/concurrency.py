"""Run two coroutines concurrently, because the scratch server is a separate process."""

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

import anyio

A = TypeVar("A")
B = TypeVar("B")

# Objects of the whole server. Two scratch databases must not change them concurrently.
_SHARED = re.compile(r"\b(role|tablespace)\b|\b(create|alter|drop)\s+(user|group)\b", re.IGNORECASE)


def is_shared(texts: Iterable[str]) -> bool:
    """Return whether SQL changes objects that all databases of a server share, such as roles."""
    return any(_SHARED.search(text) for text in texts)


async def run_concurrently(
    first: Callable[[], Awaitable[A]], second: Callable[[], Awaitable[B]], *, apart: bool = False
) -> tuple[A, B]:
    """Return both results. If both fail, raise the error of *first*.

    Neither is cancelled when the other fails, because the server would continue its statement and
    the database could not be dropped.

    Args:
        first: A coroutine function.
        second: Another one.
        apart: Run them one after the other.
    """
    if apart:
        return await first(), await second()
    done: dict[int, Any] = {}

    async def run(number: int, work: Callable[[], Awaitable[Any]]) -> None:
        try:
            done[number] = await work()
        except Exception as error:
            done[number] = error

    async with anyio.create_task_group() as group:
        group.start_soon(run, 1, first)
        group.start_soon(run, 2, second)
    for result in (done[1], done[2]):
        if isinstance(result, Exception):
            raise result
    return done[1], done[2]
