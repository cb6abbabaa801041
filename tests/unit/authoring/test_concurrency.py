"""Scratch work of two databases runs concurrently unless it shares state."""

import anyio
import anyio.lowlevel
import pytest

from dbwarden.authoring.concurrency import is_shared, run_concurrently


async def test_two_tasks_run_concurrently_unless_they_share_state() -> None:
    seen: list[str] = []

    async def work(name: str) -> str:
        seen.append(f"{name} begins")
        await anyio.lowlevel.checkpoint()
        seen.append(f"{name} ends")
        return name

    both = (lambda: work("a"), lambda: work("b"))
    assert await run_concurrently(*both) == ("a", "b")
    assert seen == ["a begins", "b begins", "a ends", "b ends"]
    seen.clear()
    assert await run_concurrently(*both, apart=True) == ("a", "b")
    assert seen == ["a begins", "a ends", "b begins", "b ends"]


async def test_the_first_failure_is_raised_and_the_other_task_finishes() -> None:
    ended = anyio.Event()

    async def fails(name: str) -> None:
        raise ValueError(name)

    async def goes_on() -> None:
        await anyio.lowlevel.checkpoint()
        ended.set()

    with pytest.raises(ValueError, match="first"):
        await run_concurrently(lambda: fails("first"), lambda: fails("second"))
    with pytest.raises(ValueError, match="alone"):
        await run_concurrently(goes_on, lambda: fails("alone"))
    assert ended.is_set()


def test_sql_about_roles_is_shared_by_all_databases_of_a_server() -> None:
    assert is_shared(["SELECT 1", "create ROLE app"])
    assert is_shared(["DROP USER app"])
    assert not is_shared(["CREATE TABLE users (user_role text)", "INSERT INTO users VALUES (1)"])
