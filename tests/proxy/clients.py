"""Clients of the proxy."""

from typing import Literal

import anyio
from anyio.abc import SocketStream

from tests.proxy import HOST, Proxy


async def connect_to(proxy: Proxy) -> SocketStream:
    """Open a connection to the server behind *proxy*."""
    return await anyio.connect_tcp(HOST, proxy.port)


async def receive_exactly(stream: SocketStream, count: int) -> bytes:
    """Receive *count* bytes."""
    data = b""
    with anyio.fail_after(10):
        while len(data) < count:
            data += await stream.receive()
    return data


async def exchange(stream: SocketStream, words: bytes) -> bytes:
    """Send *words* and return the same number of bytes of the answer."""
    await stream.send(words)
    return await receive_exactly(stream, len(words))


async def read_ending(stream: SocketStream) -> Literal["eof", "reset"]:
    """Read to the end and return its kind."""
    with anyio.fail_after(10):
        try:
            while True:
                await stream.receive()
        except anyio.EndOfStream:
            return "eof"
        except anyio.BrokenResourceError:
            return "reset"


async def is_silent(stream: SocketStream) -> bool:
    """Return whether no byte arrives for a moment."""
    with anyio.move_on_after(0.05):
        await stream.receive()
        return False
    return True
