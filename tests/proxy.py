"""A TCP proxy on loopback that delays, stalls, cuts and counts.

Inside a test, in the test's own event loop::

    async with Proxy(server_port) as proxy:
        trap = proxy.trap(Fault.LOSE_ANSWER, pattern=b"COMMIT")
        ...                               # connect to 127.0.0.1:proxy.port
        await trap.sprung.wait()

For the benchmarks, in a process of its own, so that it takes no time from the loop measured::

    with ProxyProcess(server_port, delay=0.020) as proxy:
        ...
        proxy.counts()

The delay is a round trip, half of it each way, and is pipelined: a hundred messages sent at once
arrive together half a delay later. The TCP handshake itself is not delayed.
"""

import argparse
import asyncio
import contextlib
import json
import signal
import socket
import struct
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Any, Literal, Self, assert_never

import anyio
from anyio.abc import TaskGroup

HOST = "127.0.0.1"
POSTGRES_READY = b"Z\x00\x00\x00\x05I"
"""What a PostgreSQL server says when all of a message is done and no transaction is open."""

Direction = Literal["to_server", "to_client"]


class Fault(Enum):
    """What goes wrong when a trap springs."""

    STALL = auto()
    """Nothing passes any more, in either direction; the sockets stay open."""
    SILENCE = auto()
    """The client still reaches the server, and hears nothing any more."""
    RESET = auto()
    """Both sides get a TCP reset at once."""
    CLOSE = auto()
    """Both sides get an orderly end (FIN) after what has passed so far."""
    LOSE_ANSWER = auto()
    """The server gets all and answers; the client gets a reset in place of that answer."""


class _Mark(Enum):
    """What a connection can carry besides bytes."""

    EOF = auto()
    RESET = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What passed through one connection.

    A flight begins when the client says something after the server had spoken (or first of all);
    it is a round trip when the server then answered.
    """

    flights: int
    round_trips: int
    to_server: int
    to_client: int


@dataclass(slots=True, kw_only=True, eq=False)
class Trap:
    """A fault that waits for its moment; see :meth:`Proxy.trap`."""

    fault: Fault
    direction: Direction
    pattern: bytes
    nth: int = 1
    after: int = 0
    forward: bool = False
    answer: bytes = b""
    each_connection: bool = False
    sprung: anyio.Event = field(default_factory=anyio.Event)
    connections: list["Connection"] = field(default_factory=list)

    def armed(self, connection: "Connection") -> bool:
        return connection not in self.connections and (self.each_connection or not self.connections)


@dataclass(slots=True, kw_only=True)
class _Watch:
    """How far one trap is in one direction of one connection. Pure."""

    trap: Trap
    passed: int = 0
    found: int = 0
    tail: bytes = b""

    def offset(self, data: bytes) -> int | None:
        """Where in *data* the trap springs; what stands before that place still passes."""
        if not self.trap.pattern:
            rest = max(0, self.trap.after - self.passed)
            return rest if rest <= len(data) else None
        text, start = self.tail + data, self.trap.after - self.passed + len(self.tail)
        found, at = self.found, text.find(self.trap.pattern, max(0, start))
        while at >= 0:
            found += 1
            if found == self.trap.nth:
                end = len(self.trap.pattern) if self.trap.forward else 0
                return max(0, at + end - len(self.tail))
            at = text.find(self.trap.pattern, at + 1)
        return None

    def advance(self, data: bytes) -> None:
        """Note that *data* passed."""
        text, pattern = self.tail + data, self.trap.pattern
        start = max(0, self.trap.after - self.passed + len(self.tail))
        at = text.find(pattern, start) if pattern else -1
        while at >= 0:
            self.found += 1
            at = text.find(pattern, at + 1)
        self.passed += len(data)
        keep = max(0, len(pattern) - 1)
        self.tail = text[-keep:] if keep else b""


class _Side(asyncio.Protocol):
    """One socket of a connection: hands on what it hears."""

    def __init__(self, connection: "Connection", heard: Direction) -> None:
        self.connection, self.heard = connection, heard
        self.transport: asyncio.Transport | None = None
        self.lost = False
        self.ended = False  # this peer has said its last word
        self.told = False  # this peer was told that the other one said its last word

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
        if self.transport is not None and not self.lost and not self.told:
            self.transport.write(data)

    def tell_end(self) -> None:
        if self.transport is None or self.lost or self.told:
            return
        self.told = True
        with contextlib.suppress(OSError):  # the peer may have gone in the same moment
            self.transport.write_eof()
        self.close_when_done()

    def close_when_done(self) -> None:
        if self.ended and self.told and self.transport is not None:
            self.transport.close()

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def reset(self) -> None:
        if self.transport is None or self.lost:
            return
        linger = struct.pack("ii", 1, 0)  # on, for no time: the kernel then sends a reset
        with contextlib.suppress(OSError):
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.transport.abort()


class _Pipe:
    """One direction of one connection: keeps what is on its way until it is due."""

    def __init__(self, connection: "Connection", direction: Direction) -> None:
        self.connection, self.direction = connection, direction
        self.target: _Side | None = None
        self.queue: deque[tuple[float, bytes | _Mark]] = deque()
        self.held = False
        self.swallow: _Watch | None = None
        self.watches: dict[Trap, _Watch] = {}
        self.passed = 0
        self.timer: asyncio.TimerHandle | None = None
        self.loop = asyncio.get_running_loop()

    def push(self, item: bytes | _Mark) -> None:
        due = self.loop.time() + self.connection.proxy.delay / 2
        if self.queue:  # nothing overtakes, also when the delay was made shorter meanwhile
            due = max(due, self.queue[-1][0])
        self.queue.append((due, item))
        self.pump()

    def pump(self) -> None:
        """Deliver what is due."""
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
                self.target.tell_end()
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
        """Which trap springs first within *data*, and where."""
        first: tuple[Trap | None, int] = (None, len(data))
        for trap in self.connection.proxy.traps:
            if trap.direction != self.direction or not trap.armed(self.connection):
                continue
            watch = self.watches.setdefault(trap, _Watch(trap=trap, passed=self.passed))
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

    def __init__(self, proxy: "Proxy", number: int) -> None:
        self.proxy, self.number = proxy, number
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
        """Whether the client is still there."""
        return not (self.client.lost or self.client.ended)

    @property
    def live(self) -> bool:
        """Whether a socket of this connection is still open."""
        reached = self.server.transport is not None
        return not self.client.lost or (reached and not self.server.lost)

    @property
    def counts(self) -> Counts:
        """What passed so far."""
        return Counts(
            flights=self.flights,
            round_trips=self.round_trips,
            to_server=self.pipes["to_server"].passed,
            to_client=self.pipes["to_client"].passed,
        )

    def stall(self) -> None:
        """Let nothing pass any more."""
        self.pipes["to_server"].held = self.pipes["to_client"].held = True

    def silence(self) -> None:
        """Let nothing pass to the client any more."""
        self.pipes["to_client"].held = True

    def resume(self) -> None:
        """Let pass what was held back, and all that follows."""
        for pipe in self.pipes.values():
            pipe.held = False
            pipe.pump()

    def reset(self) -> None:
        """Reset both sides at once; what was on its way is lost."""
        self.cut = True
        self.drop_queues()
        self.client.reset()
        self.server.reset()

    def close(self) -> None:
        """End both sides in order, after what has passed so far; what was on its way is lost."""
        self.cut = True
        self.drop_queues()
        self.client.close()
        self.server.close()

    def drop_queues(self) -> None:
        for pipe in self.pipes.values():
            pipe.stop_timer()
            pipe.queue.clear()

    # -- what the sides and pipes tell ----------------------------------------------------------

    def made(self, side: _Side) -> None:
        if self.cut:  # cut while the way to the server was still being opened
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
        self.proxy.lost(self)

    def unreachable(self) -> None:
        """The server could not be reached: the client learns it by a reset."""
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
        self.pipes["to_client"].swallow = _Watch(trap=end)


class Proxy:
    """A proxy on 127.0.0.1 in front of one server, in the event loop of the caller.

    Args:
        target_port: Where the server listens.
        target_host: The server's host.
        delay: Seconds of a round trip; may be set at any moment.
        port: Where to listen; 0 takes a free port, see :attr:`port`.
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
        await self._tasks.__aexit__(None, None, None)  # what the block raised is not the group's
        with anyio.CancelScope(shield=True), anyio.fail_after(5):
            await self.until_open(0)

    # -- who may come in ------------------------------------------------------------------------

    async def accept(self) -> None:
        """Accept connections (again)."""
        if self._listener is None:
            loop = asyncio.get_running_loop()
            self._listener = await loop.create_server(
                self._arrived, self.host, self.port, backlog=2048
            )
            self.port = self._listener.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Refuse new connections, as a server that is down does; open ones stay."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            await asyncio.sleep(0)  # the socket is closed by the loop's next turn

    def _arrived(self) -> _Side:
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
        """Let *fault* happen to the first connection that comes to the moment described.

        Args:
            fault: What happens.
            pattern: The moment is when these bytes pass; also when they come in pieces.
            nth: ... for the n-th time in that connection.
            after: Without a pattern: the moment is after so many bytes of the connection, in that
                direction. With one: what comes before is not looked at.
            direction: Which way the bytes go.
            forward: Whether the pattern itself still passes; only for ``LOSE_ANSWER`` by default.
            answer: ``LOSE_ANSWER`` resets when the server has said this; by default anything.
            each_connection: Happen once to every connection, not only to the first.
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
        """Let nothing pass any more; new connections are accepted and hear nothing."""
        self._hold = Fault.STALL
        for connection in tuple(self._live):
            connection.stall()

    def silence(self) -> None:
        """Let nothing pass to clients any more; the server still hears them."""
        self._hold = Fault.SILENCE
        for connection in tuple(self._live):
            connection.silence()

    def resume(self) -> None:
        """Let pass what was held back, and all that follows."""
        self._hold = None
        for connection in tuple(self._live):
            connection.resume()

    def cut(self) -> None:
        """Reset every open connection."""
        for connection in tuple(self._live):
            connection.reset()

    # -- what was seen --------------------------------------------------------------------------

    @property
    def open_connections(self) -> tuple[Connection, ...]:
        """The connections whose clients are still there."""
        return tuple(connection for connection in self.connections if connection.open)

    def counts(self) -> tuple[Counts, ...]:
        """What passed, a value per connection in the order in which they came."""
        return tuple(connection.counts for connection in self.connections)

    def forget(self) -> None:
        """Forget the connections that have ended, and with them their counts."""
        self.connections = [each for each in self.connections if each.open]
        self.most_open = len(self._live)

    async def until_open(self, number: int) -> None:
        """Wait until just *number* connections are open, on both of their sides."""
        while len(self._live) != number:
            self._changed = anyio.Event()
            await self._changed.wait()

    def lost(self, connection: Connection) -> None:
        """A socket of *connection* was closed."""
        if not connection.live:
            self._live.discard(connection)
            self._changed.set()


# -- in a process of its own --------------------------------------------------------------------


class ProxyProcess:
    """The same proxy in a process of its own. Its methods wait for an answer, a millisecond or so.

    Args:
        target_port: Where the server listens.
        target_host: The server's host.
        delay: Seconds of a round trip.
    """

    def __init__(self, target_port: int, *, target_host: str = HOST, delay: float = 0.0) -> None:
        self.host = HOST
        arguments = ["--port", str(target_port), "--host", target_host, "--delay", str(delay)]
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port: int = self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()  # the end of its input ends it
        self._process.wait(timeout=10)
        self._process.stdout.close()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the proxy ended with code {self._process.wait()}")
        return json.loads(line)

    def _ask(self, command: str, argument: float | None = None) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([command, argument]) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def set_delay(self, delay: float) -> None:
        """Make a round trip last *delay* seconds."""
        self._ask("delay", delay)

    def counts(self) -> tuple[Counts, ...]:
        """What passed, a value per connection in the order in which they came."""
        return tuple(Counts(**counts) for counts in self._ask("counts"))

    def open(self) -> int:
        """How many connections are open now."""
        return int(self._ask("open"))

    def forget(self) -> None:
        """Forget the connections that have ended, and with them their counts."""
        self._ask("forget")


async def _obey(proxy: Proxy, command: str, argument: float | None) -> object:
    match command, argument:
        case "delay", float() | int():
            proxy.delay = argument
            return None
        case "counts", None:
            return [asdict(counts) for counts in proxy.counts()]
        case "open", None:
            return len(proxy.open_connections)
        case "forget", None:
            proxy.forget()
            return None
        case _:
            raise ValueError(f"unknown command {command!r}")


async def _lines() -> AsyncIterator[str]:
    async for line in anyio.wrap_file(sys.stdin):
        yield line


async def _serve(arguments: argparse.Namespace) -> None:
    async with Proxy(arguments.port, target_host=arguments.host, delay=arguments.delay) as proxy:
        sys.stdout.write(f"{proxy.port}\n")
        sys.stdout.flush()
        async for line in _lines():
            answer = await _obey(proxy, *json.loads(line))
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


def main(arguments: Sequence[str]) -> None:
    """Serve until the end of the input; commands and answers are lines of JSON."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--delay", type=float, default=0.0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started this process
    anyio.run(_serve, parser.parse_args(arguments))


if __name__ == "__main__":
    main(sys.argv[1:])
