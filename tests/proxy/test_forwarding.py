"""Bytes and ends of connections pass unchanged and are counted."""

import socket

import anyio
import pytest

from tests.proxy import Counts, Proxy
from tests.proxy.clients import connect_to, exchange, read_ending, receive_exactly
from tests.proxy.conftest import Echo


async def test_bytes_pass_unchanged_both_ways(echo: Echo) -> None:
    words = bytes(range(256)) * 4096
    async with (
        Proxy(echo.port) as proxy,
        await connect_to(proxy) as stream,
        anyio.create_task_group() as group,
    ):
        group.start_soon(stream.send, words)
        assert await receive_exactly(stream, len(words)) == words
    assert bytes(echo.heard[0]) == words


async def test_flights_round_trips_and_bytes_are_counted_per_connection(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy:
        async with await connect_to(proxy) as first, await connect_to(proxy) as second:
            await exchange(first, b"one")
            await exchange(first, b"three")
            await second.send(b"a")
            await second.send(b"b")
            await receive_exactly(second, 2)
        assert proxy.counts() == (
            Counts(flights=2, round_trips=2, to_server=8, to_client=8),
            Counts(flights=1, round_trips=1, to_server=2, to_client=2),
        )


async def test_a_flight_without_an_answer_is_no_round_trip(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy, await connect_to(proxy) as stream:
        await exchange(stream, b"ask")
        echo.hush = True
        await stream.send(b"terminate")
        await stream.aclose()
        with anyio.fail_after(10):
            await proxy.until_open(0)
        assert proxy.counts() == (Counts(flights=2, round_trips=1, to_server=12, to_client=3),)


async def test_open_connections_and_their_maximum_are_counted(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy:
        async with await connect_to(proxy) as first:
            async with await connect_to(proxy) as second:
                await exchange(first, b"x")
                await exchange(second, b"x")
                assert len(proxy.open_connections) == 2
            with anyio.fail_after(10):
                await proxy.until_open(1)
        with anyio.fail_after(10):
            await proxy.until_open(0)
        assert (len(proxy.open_connections), len(proxy.connections)) == (0, 2)
        assert proxy.most_open == 2
        proxy.forget()
        assert (proxy.counts(), proxy.most_open) == ((), 0)


async def test_the_end_of_a_client_reaches_the_server_and_the_answer_still_arrives(
    echo: Echo,
) -> None:
    async with Proxy(echo.port) as proxy, await connect_to(proxy) as stream:
        await stream.send(b"last words")
        await stream.send_eof()
        assert await receive_exactly(stream, 10) == b"last words"
        assert await read_ending(stream) == "eof"
    assert echo.ends == ["eof"]


async def test_a_reset_of_the_client_reaches_the_server(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy:
        stream = await connect_to(proxy)
        await exchange(stream, b"x")
        raw: socket.socket = stream.extra(anyio.abc.SocketAttribute.raw_socket)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        await stream.aclose()
        with anyio.fail_after(10):
            await echo.ended.wait()
    assert echo.ends == ["reset"]


async def test_leaving_the_block_closes_all_connections(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy:
        stream = await connect_to(proxy)
        await exchange(stream, b"x")
    assert await read_ending(stream) == "reset"
    await stream.aclose()
    with pytest.raises(OSError, match=r"failed|refused"):
        await connect_to(proxy)


async def test_an_error_of_the_block_is_not_wrapped(echo: Echo) -> None:
    with pytest.raises(ZeroDivisionError):
        async with Proxy(echo.port):
            raise ZeroDivisionError


async def test_leaving_the_block_while_connecting_to_the_server_leaks_nothing(
    echo: Echo,
) -> None:
    for _ in range(20):
        async with Proxy(echo.port) as proxy, await connect_to(proxy):
            pass
