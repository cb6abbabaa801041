"""Faults of all connections at once."""

import contextlib
import socket

import anyio
import pytest

from tests.proxy import HOST, Proxy
from tests.proxy.clients import connect_to, exchange, is_silent, read_ending, receive_exactly
from tests.proxy.conftest import Echo


async def test_a_stall_holds_back_both_directions_until_resumed(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy, await connect_to(proxy) as stream:
        await exchange(stream, b"before")
        proxy.stall()
        await stream.send(b"during")
        assert await is_silent(stream)
        assert bytes(echo.heard[0]) == b"before"
        proxy.resume()
        assert await receive_exactly(stream, 6) == b"during"


async def test_a_stalled_proxy_accepts_and_stays_silent(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy:
        proxy.stall()
        async with await connect_to(proxy) as stream:
            await stream.send(b"hello?")
            assert await is_silent(stream)
            proxy.resume()
            assert await receive_exactly(stream, 6) == b"hello?"


async def test_silence_passes_bytes_to_the_server_only(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy:
        proxy.silence()
        async with await connect_to(proxy) as stream:
            await stream.send(b"still heard")
            assert await is_silent(stream)
            assert bytes(echo.heard[0]) == b"still heard"
            proxy.resume()
            assert await receive_exactly(stream, 11) == b"still heard"


async def test_an_end_during_a_stall_is_held_back_too(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy:
        stream = await connect_to(proxy)
        await exchange(stream, b"x")
        proxy.stall()
        await stream.aclose()
        with anyio.move_on_after(0.05):
            await echo.ended.wait()
        assert echo.ends == []
        proxy.resume()
        with anyio.fail_after(10):
            await echo.ended.wait()
        assert echo.ends == ["eof"]


async def test_a_cut_resets_every_connection_and_accepts_new_ones(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy:
        async with await connect_to(proxy) as first, await connect_to(proxy) as second:
            await exchange(first, b"x")
            await exchange(second, b"x")
            proxy.cut()
            assert [await read_ending(first), await read_ending(second)] == ["reset", "reset"]
        async with await connect_to(proxy) as third:
            assert await exchange(third, b"again") == b"again"


async def test_refusing_keeps_open_connections_and_accepting_resumes(
    echo: Echo,
) -> None:
    async with Proxy(echo.port) as proxy, await connect_to(proxy) as stream:
        await exchange(stream, b"x")
        port = proxy.port
        await proxy.refuse()
        with pytest.raises(OSError, match=r"failed|refused"):
            await connect_to(proxy)
        assert await exchange(stream, b"still here") == b"still here"
        await proxy.accept()
        assert proxy.port == port
        async with await connect_to(proxy) as another:
            assert await exchange(another, b"back") == b"back"


async def test_an_unreachable_server_is_a_reset() -> None:
    with contextlib.closing(socket.socket()) as free:
        free.bind((HOST, 0))
        async with Proxy(free.getsockname()[1]) as proxy, await connect_to(proxy) as stream:
            assert await read_ending(stream) == "reset"
