"""Faults at a moment in the stream of bytes."""

import asyncio

import anyio
import pytest

from tests.proxy import POSTGRES_READY, Direction, Fault, Proxy
from tests.proxy.clients import connect_to, exchange, is_silent, read_ending, receive_exactly
from tests.proxy.conftest import Echo


async def test_a_trap_passes_nothing_of_its_pattern(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy, await connect_to(proxy) as stream:
        trap = proxy.trap(Fault.RESET, pattern=b"COMMIT")
        await exchange(stream, b"BEGIN;")
        await stream.send(b"INSERT;COMMIT;BEGIN")
        assert await read_ending(stream) == "reset"
        assert trap.sprung.is_set()
        assert trap.connections == proxy.connections
    # A reset may destroy what the server has not read yet, so it heard all before it, or less.
    assert b"BEGIN;INSERT;".startswith(bytes(echo.heard[0]))


async def test_a_trap_recognizes_a_pattern_in_pieces(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy, await connect_to(proxy) as stream:
        trap = proxy.trap(Fault.STALL, pattern=b"COMMIT")
        await exchange(stream, b"COM")
        await stream.send(b"MIT")
        assert await is_silent(stream)
        assert trap.sprung.is_set()
        assert bytes(echo.heard[0]) == b"COM"
        proxy.resume()
        assert await receive_exactly(stream, 3) == b"MIT"


@pytest.mark.parametrize(
    ("nth", "after", "arrives"),
    [(1, 0, b""), (2, 0, b"C1;"), (3, 0, b"C1;C2;"), (1, 4, b"C1;C2;"), (2, 1, b"C1;C2;")],
)
async def test_a_trap_counts_occurrences_after_the_first_bytes(
    echo: Echo, nth: int, after: int, arrives: bytes
) -> None:
    async with Proxy(echo.port) as proxy, await connect_to(proxy) as stream:
        proxy.trap(Fault.SILENCE, pattern=b"C", nth=nth, after=after, direction="to_client")
        await stream.send(b"C1;")
        await asyncio.sleep(0.01)
        await stream.send(b"C2;C3;C4;")
        assert await receive_exactly(stream, len(arrives)) == arrives
        assert await is_silent(stream)


async def test_a_trap_after_n_bytes_splits_a_message(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy, await connect_to(proxy) as stream:
        proxy.trap(Fault.SILENCE, after=5, direction="to_client")
        await stream.send(b"0123456789")
        assert await receive_exactly(stream, 5) == b"01234"
        assert await is_silent(stream)
        proxy.resume()
        assert await receive_exactly(stream, 5) == b"56789"


async def test_a_trap_for_bytes_that_already_passed_springs_at_the_next_byte(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy, await connect_to(proxy) as stream:
        await exchange(stream, b"0123456789")
        trap = proxy.trap(Fault.RESET, after=5)
        await stream.send(b"x")
        assert await read_ending(stream) == "reset"
        assert trap.sprung.is_set()


async def test_a_lost_answer_was_sent_by_the_server_and_never_arrives(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy, await connect_to(proxy) as stream:
        await exchange(stream, b"BEGIN;")
        proxy.trap(Fault.LOSE_ANSWER, pattern=b"COMMIT", answer=POSTGRES_READY)
        await stream.send(b"COMMIT;")
        assert await is_silent(stream)
        await stream.send(POSTGRES_READY)
        assert await read_ending(stream) == "reset"
        counts = proxy.counts()[0]
    assert bytes(echo.heard[0]) == b"BEGIN;COMMIT;" + POSTGRES_READY
    assert (counts.to_server, counts.round_trips) == (6 + 7 + 6, 1)


async def test_a_close_ends_in_order(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy, await connect_to(proxy) as stream:
        proxy.trap(Fault.CLOSE, pattern=b"!", forward=True)
        await stream.send(b"bye!")
        assert await read_ending(stream) == "eof"


@pytest.mark.parametrize(
    ("each_connection", "fates"), [(False, ["reset", "x"]), (True, ["reset", "reset"])]
)
async def test_a_trap_springs_once_or_once_per_connection(
    echo: Echo, each_connection: bool, fates: list[str]
) -> None:
    async with Proxy(echo.port) as proxy:
        trap = proxy.trap(Fault.RESET, pattern=b"x", each_connection=each_connection)
        seen = []
        for _ in range(2):
            async with await connect_to(proxy) as stream:
                await stream.send(b"x")
                try:
                    seen.append((await receive_exactly(stream, 1)).decode())
                except anyio.BrokenResourceError:
                    seen.append("reset")
        assert seen == fates
        assert len(trap.connections) == fates.count("reset")


@pytest.mark.parametrize("direction", ["to_server", "to_client"])
async def test_a_trap_watches_one_direction(echo: Echo, direction: Direction) -> None:
    async with Proxy(echo.port) as proxy, await connect_to(proxy) as stream:
        proxy.trap(Fault.STALL, pattern=b"x", direction=direction)
        await stream.send(b"x")
        assert await is_silent(stream)
        assert bytes(echo.heard[0]) == (b"" if direction == "to_server" else b"x")
