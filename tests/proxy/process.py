"""The proxy in its own process, controlled by lines of JSON."""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self, assert_never

from tests.proxy.connection import Counts
from tests.proxy.server import HOST, Proxy

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command to the process."""

    name: Literal["read", "set_delay", "forget"]
    delay: float = 0.0

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read the command in *line*."""
        return cls(**json.loads(line))

    def format(self) -> str:
        """Return the line that :meth:`parse` reads."""
        return json.dumps(asdict(self)) + "\n"

    def apply(self, proxy: Proxy) -> None:
        """Change *proxy* as the command says."""
        match self.name:
            case "read":
                pass
            case "set_delay":
                proxy.delay = self.delay
            case "forget":
                proxy.forget()
            case _:
                assert_never(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The answer to a command: the state of the proxy."""

    port: int
    open: int
    counts: tuple[Counts, ...]

    @classmethod
    def take(cls, proxy: Proxy) -> Self:
        """Read the state of *proxy*."""
        return cls(port=proxy.port, open=len(proxy.open_connections), counts=proxy.counts())

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read the snapshot in *line*."""
        fields = json.loads(line)
        counts = tuple(Counts(**values) for values in fields["counts"])
        return cls(port=fields["port"], open=fields["open"], counts=counts)

    def format(self) -> str:
        """Return the line that :meth:`parse` reads."""
        return json.dumps(asdict(self)) + "\n"


class ProxyProcess:
    """A :class:`Proxy` in its own process. Methods wait about a millisecond for its answer.

    Args:
        target_port: The port of the server.
        target_host: The server's host.
        delay: Seconds of a round trip.
    """

    def __init__(self, target_port: int, *, target_host: str = HOST, delay: float = 0.0) -> None:
        self.host = HOST
        arguments = ["--port", str(target_port), "--host", target_host, "--delay", str(delay)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.proxy", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.port = self._answer().port

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()  # the end of its input ends it
        self._process.wait(timeout=10)
        self._process.stdout.close()

    def _answer(self) -> Snapshot:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the proxy ended with code {self._process.wait()}")
        return Snapshot.parse(line)

    def _send(self, command: Command) -> Snapshot:
        assert self._process.stdin is not None
        self._process.stdin.write(command.format())
        self._process.stdin.flush()
        return self._answer()

    def set_delay(self, delay: float) -> None:
        """Make a round trip last *delay* seconds."""
        self._send(Command(name="set_delay", delay=delay))

    def counts(self) -> tuple[Counts, ...]:
        """Return the traffic of each connection, in the order in which they came."""
        return self._send(Command(name="read")).counts

    def open(self) -> int:
        """Return the number of open connections."""
        return self._send(Command(name="read")).open

    def forget(self) -> None:
        """Forget the connections that have ended, and their counts."""
        self._send(Command(name="forget"))
