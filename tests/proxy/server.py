"""The proxy in the event loop of a test."""

import asyncio
from typing import Self

import anyio
from anyio.abc import TaskGroup

from tests.proxy.connection import Connection, Counts
from tests.proxy.traps import Direction, Fault, Trap

HOST = "127.0.0.1"


class Proxy:
    """A proxy on 127.0.0.1 in front of one server, in the event loop of the caller.

    Args:
        target_port: The port of the server.
        target_host: The server's host.
        delay: Seconds of a round trip; may be set at any moment.
        port: The port of the proxy; 0 takes a free port, see :attr:`port`.
    """

    def __init__(
        self, target_port: int, *, target_host: str = HOST, delay: float = 0.0, port: int = 0
    ) -> None:
        self.target = (target_host, target_port)
        self.delay = delay
        self.host, self.port = HOST, port
        self.connections: list[Connection] = []
        self.traps: list[Trap] = []
        self.most_open = 0
        self._live: set[Connection] = set()
        self._hold: Fault | None = None
        self._listener: asyncio.Server | None = None
        self._tasks: TaskGroup | None = None
        self._changed = anyio.Event()

    async def __aenter__(self) -> Self:
        self._tasks = await anyio.create_task_group().__aenter__()
        await self.accept()
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._tasks is not None
        with anyio.CancelScope(shield=True):
            await self.refuse()
            self._tasks.cancel_scope.cancel()
            self.cut()
        await self._tasks.__aexit__(
            None, None, None
        )  # the group must not wrap an error of the block
        with anyio.CancelScope(shield=True), anyio.fail_after(5):
            await self.until_open(0)

    # -- new connections ------------------------------------------------------------------------

    async def accept(self) -> None:
        """Accept connections (again)."""
        if self._listener is None:
            loop = asyncio.get_running_loop()
            self._listener = await loop.create_server(
                self._arrived, self.host, self.port, backlog=2048
            )
            self.port = self._listener.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Refuse new connections, like a server that is down; open ones stay."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            await asyncio.sleep(0)  # the socket is closed by the loop's next turn

    def _arrived(self) -> asyncio.Protocol:
        connection = Connection(self, len(self.connections))
        if self._hold is Fault.STALL:
            connection.stall()
        elif self._hold is Fault.SILENCE:
            connection.silence()
        self.connections.append(connection)
        self._live.add(connection)
        self.most_open = max(self.most_open, len(self._live))
        assert self._tasks is not None
        self._tasks.start_soon(self._reach, connection)
        return connection.client

    async def _reach(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: connection.server, *self.target)
        except OSError:
            connection.unreachable()

    # -- faults ---------------------------------------------------------------------------------

    def trap(
        self,
        fault: Fault,
        *,
        pattern: bytes = b"",
        nth: int = 1,
        after: int = 0,
        direction: Direction = "to_server",
        forward: bool | None = None,
        answer: bytes = b"",
        each_connection: bool = False,
    ) -> Trap:
        """Cause *fault* in the first connection that reaches the described moment.

        Args:
            fault: The fault.
            pattern: The moment is when these bytes pass; they may come in pieces.
            nth: The moment is the n-th time that the pattern passes in the connection.
            after: Without a pattern, the moment is after this number of bytes in the direction.
                With a pattern, bytes before this number are ignored.
            direction: The direction of the bytes.
            forward: Whether the pattern itself still passes; only for ``LOSE_ANSWER`` by default.
            answer: ``LOSE_ANSWER`` resets after these bytes of the server; by default any bytes.
            each_connection: Cause the fault once in every connection, not only in the first.
        """
        trap = Trap(
            fault=fault,
            direction=direction,
            pattern=pattern,
            nth=nth,
            after=after,
            forward=fault is Fault.LOSE_ANSWER if forward is None else forward,
            answer=answer,
            each_connection=each_connection,
        )
        self.traps.append(trap)
        return trap

    def stall(self) -> None:
        """Let nothing pass; new connections are accepted and receive nothing."""
        self._hold = Fault.STALL
        for connection in tuple(self._live):
            connection.stall()

    def silence(self) -> None:
        """Let nothing pass to clients; the server still receives their bytes."""
        self._hold = Fault.SILENCE
        for connection in tuple(self._live):
            connection.silence()

    def resume(self) -> None:
        """Deliver the bytes that were held back and let all others pass."""
        self._hold = None
        for connection in tuple(self._live):
            connection.resume()

    def cut(self) -> None:
        """Reset every open connection."""
        for connection in tuple(self._live):
            connection.reset()

    # -- observations ---------------------------------------------------------------------------

    @property
    def open_connections(self) -> tuple[Connection, ...]:
        """The connections whose clients are still connected."""
        return tuple(connection for connection in self.connections if connection.open)

    def counts(self) -> tuple[Counts, ...]:
        """Return the traffic of each connection, in the order in which they came."""
        return tuple(connection.counts for connection in self.connections)

    def forget(self) -> None:
        """Forget the connections that have ended, and their counts."""
        self.connections = [each for each in self.connections if each.open]
        self.most_open = len(self._live)

    async def until_open(self, number: int) -> None:
        """Wait until exactly *number* connections are open, counting both of their sides."""
        while len(self._live) != number:
            self._changed = anyio.Event()
            await self._changed.wait()

    def lost(self, connection: Connection) -> None:
        """Record that a socket of *connection* was closed."""
        if not connection.live:
            self._live.discard(connection)
            self._changed.set()
