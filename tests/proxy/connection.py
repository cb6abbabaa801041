"""One connection through the proxy: two sockets and two directions."""

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal, Protocol, assert_never

from tests.proxy.traps import Direction, Fault, Trap, Watch


class Owner(Protocol):
    """The proxy, as its connections see it."""

    @property
    def delay(self) -> float:
        """The seconds of a round trip."""

    @property
    def traps(self) -> Sequence[Trap]:
        """The traps of all connections."""

    def lost(self, connection: "Connection") -> None:
        """Record that a socket of *connection* was closed."""


class _Mark(Enum):
    """An item of a connection other than bytes."""

    EOF = auto()
    RESET = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The traffic of one connection.

    A flight begins when the client sends bytes first or after bytes of the server. It is a round
    trip if the server then answered.
    """

    flights: int
    round_trips: int
    to_server: int
    to_client: int


class _Side(asyncio.Protocol):
    """One socket of a connection, which passes on the bytes that it receives."""

    def __init__(self, connection: "Connection", heard: Direction) -> None:
        self.connection, self.heard = connection, heard
        self.transport: asyncio.Transport | None = None
        self.lost = False
        self.ended = False  # this peer has sent its last byte
        self.end_sent = False  # this peer was sent the end of the other one

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.connection.made(self)

    def data_received(self, data: bytes) -> None:
        self.connection.heard(self.heard, data)

    def eof_received(self) -> bool:
        self.ended = True
        self.connection.pipes[self.heard].push(_Mark.EOF)
        self.close_when_done()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.connection.lost(self, exc)

    def write(self, data: bytes) -> None:
        if self.transport is not None and not self.lost and not self.end_sent:
            self.transport.write(data)

    def send_end(self) -> None:
        if self.transport is None or self.lost or self.end_sent:
            return
        self.end_sent = True
        with contextlib.suppress(OSError):  # the peer may have left in the same moment
            self.transport.write_eof()
        self.close_when_done()

    def close_when_done(self) -> None:
        if self.ended and self.end_sent and self.transport is not None:
            self.transport.close()

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def reset(self) -> None:
        if self.transport is None or self.lost:
            return
        linger = struct.pack("ii", 1, 0)  # on, for 0 seconds: the kernel then sends a reset
        with contextlib.suppress(OSError):
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.transport.abort()


class _Pipe:
    """One direction of one connection, which keeps bytes until they are due."""

    def __init__(self, connection: "Connection", direction: Direction) -> None:
        self.connection, self.direction = connection, direction
        self.target: _Side | None = None
        self.queue: deque[tuple[float, bytes | _Mark]] = deque()
        self.held = False
        self.swallow: Watch | None = None
        self.watches: dict[Trap, Watch] = {}
        self.passed = 0
        self.timer: asyncio.TimerHandle | None = None
        self.loop = asyncio.get_running_loop()

    def push(self, item: bytes | _Mark) -> None:
        due = self.loop.time() + self.connection.owner.delay / 2
        if self.queue:  # keep the order, also after the delay became shorter
            due = max(due, self.queue[-1][0])
        self.queue.append((due, item))
        self.pump()

    def pump(self) -> None:
        """Deliver the items that are due."""
        self.stop_timer()
        while self.queue and not self.held and self.target is not None:
            due, item = self.queue[0]
            if due > self.loop.time():
                self.timer = self.loop.call_at(due, self.pump)
                return
            self.queue.popleft()
            self.deliver(item)

    def stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def deliver(self, item: bytes | _Mark) -> None:
        assert self.target is not None
        match item:
            case _Mark.EOF:
                self.target.send_end()
            case _Mark.RESET:
                self.target.reset()
            case bytes():
                self.deliver_bytes(item)
            case _:
                assert_never(item)

    def deliver_bytes(self, data: bytes) -> None:
        trap, offset = self.next_trap(data)
        now, later = data[:offset], data[offset:]
        if now:
            self.pass_on(now)
        if later:
            self.queue.appendleft((0.0, later))
        if trap is not None:
            self.connection.spring(trap)

    def next_trap(self, data: bytes) -> tuple[Trap | None, int]:
        """Return the first trap that springs within *data*, and its place."""
        first: tuple[Trap | None, int] = (None, len(data))
        for trap in self.connection.owner.traps:
            if trap.direction != self.direction or not trap.is_armed(self.connection):
                continue
            watch = self.watches.setdefault(trap, Watch(trap=trap, passed=self.passed))
            offset = watch.offset(data)
            if offset is not None and (first[0] is None or offset < first[1]):
                first = (trap, offset)
        return first

    def pass_on(self, data: bytes) -> None:
        assert self.target is not None
        self.passed += len(data)
        for watch in self.watches.values():
            watch.advance(data)
        if self.swallow is not None:
            self.swallowed(data)
            return
        self.connection.spoken(self.direction)
        self.target.write(data)

    def swallowed(self, data: bytes) -> None:
        assert self.swallow is not None
        if self.swallow.offset(data) is not None:
            self.connection.reset()
        else:
            self.swallow.advance(data)


class Connection:
    """One client's connection through the proxy."""

    def __init__(self, owner: Owner, number: int) -> None:
        self.owner, self.number = owner, number
        self.client = _Side(self, "to_server")
        self.server = _Side(self, "to_client")
        self.pipes: dict[Direction, _Pipe] = {
            "to_server": _Pipe(self, "to_server"),
            "to_client": _Pipe(self, "to_client"),
        }
        self.flights = 0
        self.round_trips = 0
        self.last_speaker: Literal["client", "server"] | None = None
        self.cut = False

    @property
    def open(self) -> bool:
        """Whether the client is still connected."""
        return not (self.client.lost or self.client.ended)

    @property
    def live(self) -> bool:
        """Whether a socket of this connection is still open."""
        reached = self.server.transport is not None
        return not self.client.lost or (reached and not self.server.lost)

    @property
    def counts(self) -> Counts:
        """The traffic so far."""
        return Counts(
            flights=self.flights,
            round_trips=self.round_trips,
            to_server=self.pipes["to_server"].passed,
            to_client=self.pipes["to_client"].passed,
        )

    def stall(self) -> None:
        """Let nothing pass."""
        self.pipes["to_server"].held = self.pipes["to_client"].held = True

    def silence(self) -> None:
        """Let nothing pass to the client."""
        self.pipes["to_client"].held = True

    def resume(self) -> None:
        """Deliver the bytes that were held back and let all others pass."""
        for pipe in self.pipes.values():
            pipe.held = False
            pipe.pump()

    def reset(self) -> None:
        """Reset both sides immediately; bytes on their way are lost."""
        self.cut = True
        self.drop_queues()
        self.client.reset()
        self.server.reset()

    def close(self) -> None:
        """Close both sides after the bytes that have passed; bytes on their way are lost."""
        self.cut = True
        self.drop_queues()
        self.client.close()
        self.server.close()

    def drop_queues(self) -> None:
        for pipe in self.pipes.values():
            pipe.stop_timer()
            pipe.queue.clear()

    # -- events of the sides and pipes ----------------------------------------------------------

    def made(self, side: _Side) -> None:
        if self.cut:  # cut while the connection to the server was being opened
            side.reset()
            return
        pipe = self.pipes["to_client" if side is self.client else "to_server"]
        pipe.target = side
        pipe.pump()

    def heard(self, direction: Direction, data: bytes) -> None:
        if direction == "to_server" and self.last_speaker != "client":
            self.flights += 1
            self.last_speaker = "client"
        self.pipes[direction].push(data)

    def spoken(self, direction: Direction) -> None:
        if direction == "to_client" and self.last_speaker == "client":
            self.round_trips += 1
            self.last_speaker = "server"

    def lost(self, side: _Side, exc: Exception | None) -> None:
        if exc is not None and not self.cut:
            self.pipes[side.heard].push(_Mark.RESET)
        elif not side.ended and not self.cut:
            self.pipes[side.heard].push(_Mark.EOF)
        self.owner.lost(self)

    def unreachable(self) -> None:
        """Reset the client because the server could not be reached."""
        self.reset()

    def spring(self, trap: Trap) -> None:
        trap.connections.append(self)
        match trap.fault:
            case Fault.STALL:
                self.stall()
            case Fault.SILENCE:
                self.silence()
            case Fault.RESET:
                self.reset()
            case Fault.CLOSE:
                self.close()
            case Fault.LOSE_ANSWER:
                self.lose_answer(trap.answer)
            case _:
                assert_never(trap.fault)
        trap.sprung.set()

    def lose_answer(self, answer: bytes) -> None:
        end = Trap(fault=Fault.RESET, direction="to_client", pattern=answer)
        self.pipes["to_client"].swallow = Watch(trap=end)
