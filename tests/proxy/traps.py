"""Faults that wait for a moment in the stream of bytes."""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Literal

import anyio

POSTGRES_READY = b"Z\x00\x00\x00\x05I"
"""PostgreSQL's message at the end of an answer when no transaction is open."""

Direction = Literal["to_server", "to_client"]


class Fault(Enum):
    """The fault that a trap causes."""

    STALL = auto()
    """Nothing passes in either direction; the sockets stay open."""
    SILENCE = auto()
    """The client still reaches the server but receives nothing."""
    RESET = auto()
    """Both sides receive a TCP reset immediately."""
    CLOSE = auto()
    """Both sides receive an orderly end (FIN) after the bytes that have passed."""
    LOSE_ANSWER = auto()
    """The server receives everything and answers; the client receives a reset instead."""


@dataclass(slots=True, kw_only=True, eq=False)
class Trap:
    """A fault that waits for its moment; see ``Proxy.trap``."""

    fault: Fault
    direction: Direction
    pattern: bytes
    nth: int = 1
    after: int = 0
    forward: bool = False
    answer: bytes = b""
    each_connection: bool = False
    sprung: anyio.Event = field(default_factory=anyio.Event)
    connections: list[object] = field(default_factory=list)

    def is_armed(self, connection: object) -> bool:
        """Return whether the trap can still spring in *connection*."""
        return connection not in self.connections and (self.each_connection or not self.connections)


@dataclass(slots=True, kw_only=True)
class Watch:
    """The progress of one trap in one direction of one connection. Pure."""

    trap: Trap
    passed: int = 0
    found: int = 0
    tail: bytes = b""

    def offset(self, data: bytes) -> int | None:
        """Return the place in *data* at which the trap springs; the bytes before it still pass."""
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
        """Record that *data* passed."""
        text, pattern = self.tail + data, self.trap.pattern
        start = max(0, self.trap.after - self.passed + len(self.tail))
        at = text.find(pattern, start) if pattern else -1
        while at >= 0:
            self.found += 1
            at = text.find(pattern, at + 1)
        self.passed += len(data)
        keep = max(0, len(pattern) - 1)
        self.tail = text[-keep:] if keep else b""
