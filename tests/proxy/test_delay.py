"""A delay is a round trip and keeps the order."""

import asyncio
import time

import anyio
from anyio.abc import SocketStream

from tests.proxy import Proxy
from tests.proxy.clients import connect_to, exchange, receive_exactly
from tests.proxy.conftest import Echo


async def test_an_answer_takes_at_least_the_round_trip(echo: Echo) -> None:
    async with Proxy(echo.port, delay=0.06) as proxy, await connect_to(proxy) as stream:
        started = time.perf_counter()
        await exchange(stream, b"x")
        assert time.perf_counter() - started >= 0.06
        proxy.delay = 0.12
        started = time.perf_counter()
        await exchange(stream, b"x")
        assert time.perf_counter() - started >= 0.12


async def test_messages_sent_together_arrive_together(echo: Echo) -> None:
    """Sent at once, fifty messages are back before another connection has sent as many in turn."""
    in_turn = 0

    async def say_in_turn(stream: SocketStream) -> None:
        nonlocal in_turn
        for _ in range(50):
            await exchange(stream, b"x")
            in_turn += 1

    async with (
        Proxy(echo.port, delay=0.05) as proxy,
        await connect_to(proxy) as stream,
        await connect_to(proxy) as other,
        anyio.create_task_group() as group,
    ):
        group.start_soon(say_in_turn, other)
        for number in range(50):
            await stream.send(b"%2d" % number)
            await asyncio.sleep(0)
        words = await receive_exactly(stream, 100)
        group.cancel_scope.cancel()
    assert words == b"".join(b"%2d" % number for number in range(50))
    assert in_turn < 25


async def test_a_shorter_delay_keeps_the_order(echo: Echo) -> None:
    async with Proxy(echo.port, delay=0.1) as proxy, await connect_to(proxy) as stream:
        await stream.send(b"first")
        await asyncio.sleep(0.01)
        proxy.delay = 0.0
        await stream.send(b"second")
        assert await receive_exactly(stream, 11) == b"firstsecond"
