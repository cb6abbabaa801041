"""Two pieces of work side by side: the scratch server and we are two processes."""

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

import anyio

A = TypeVar("A")
B = TypeVar("B")

# What belongs to the whole server: two scratch databases must not change it in the same moment.
_SHARED = re.compile(r"\b(role|tablespace)\b|\b(create|alter|drop)\s+(user|group)\b", re.IGNORECASE)


def is_shared(texts: Iterable[str]) -> bool:
    """Whether SQL changes what all databases of a server share, roles for example."""
    return any(_SHARED.search(text) for text in texts)


async def run_concurrently(
    first: Callable[[], Awaitable[A]], second: Callable[[], Awaitable[B]], *, apart: bool = False
) -> tuple[A, B]:
    """What both return; where both fail, the first's failure is told.

    Neither is cancelled when the other fails: a statement cut off goes on in the server, and the
    database where it runs could not be dropped.

    Args:
        first: Runs beside the other.
        second: Runs beside the other.
        apart: Run one after the other.
    """
    if apart:
        return await first(), await second()
    done: dict[int, Any] = {}
    failed: dict[int, Exception] = {}

    async def run(number: int, work: Callable[[], Awaitable[Any]]) -> None:
        try:
            done[number] = await work()
        except Exception as error:
            failed[number] = error

    async with anyio.create_task_group() as group:
        group.start_soon(run, 1, first)
        group.start_soon(run, 2, second)
    for number in sorted(failed):
        raise failed[number]
    return done[1], done[2]
