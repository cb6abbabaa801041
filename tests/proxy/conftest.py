"""A server behind the proxy that sends back what it receives."""

from collections.abc import AsyncIterator

import anyio
import pytest
from anyio.abc import SocketStream

from tests.proxy import HOST


class Echo:
    """A server that sends back the bytes that it receives, and keeps them."""

    def __init__(self) -> None:
        self.port = 0
        self.heard: list[bytearray] = []
        self.ends: list[str] = []
        self.ended = anyio.Event()
        self.hush = False

    async def serve(self, stream: SocketStream) -> None:
        heard = bytearray()
        self.heard.append(heard)
        try:
            async with stream:
                async for data in stream:
                    heard += data
                    if not self.hush:
                        await stream.send(data)
            self.ends.append("eof")
        except anyio.BrokenResourceError:
            self.ends.append("reset")
        self.ended.set()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    """A running :class:`Echo`."""
    server = Echo()
    async with (
        await anyio.create_tcp_listener(local_host=HOST) as listener,
        anyio.create_task_group() as group,
    ):
        server.port = listener.extra(anyio.abc.SocketAttribute.local_port)
        group.start_soon(listener.serve, server.serve, group)
        yield server
        group.cancel_scope.cancel()
