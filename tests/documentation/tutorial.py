"""Follow a page: write its files, run its commands, compare what they print."""

import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)
INSTALLING = ("mkdir ", "python3 -m venv", "pip install")
WHAT_CHANGES = re.compile(
    r"\d+(\.\d+)? m?s\b|\d+\.\d+s\b|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|pid \d+|on [\w.-]+,"
    r"|(PostgreSQL|SQLite) [\d.]+|(?<=answers  )[\d.]+"
)


PROGRESS = re.compile(r"\w+: (applied|rolled back) \d+")


def shape(text: str) -> list[list[str]]:
    """Words by line, without durations, times, process numbers and versions of servers.

    Databases make progress concurrently, so that the order of those lines says nothing.
    """
    lines = WHAT_CHANGES.sub("", text).splitlines()
    shown = [line for line in lines if line.strip() and "postgresql://postgres@" not in line]
    progress = sorted(line for line in shown if PROGRESS.fullmatch(line))
    return [line.split() for line in (*progress, *(x for x in shown if x not in progress))]


@dataclass(slots=True)
class Reader:
    """Somebody who does what a page says, in *folder*."""

    folder: Path
    port: int = 0
    servers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def follow(self, page: str) -> Iterator[str]:
        """Do what each block of *page* says; yield each command with its output as expected."""
        for kind, title, text in BLOCK.findall(page):
            if title:
                path = self.folder / title
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            elif kind == "console":
                for step in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                    command, _, expected = step.partition("\n")
                    if not command.startswith(INSTALLING):
                        self.do(command, expected)
                        yield command

    def do(self, command: str, expected: str) -> None:
        """Run *command*, and compare what it prints with *expected*."""
        if command.endswith(" &"):
            self._serve(command.removesuffix(" &"))
            return
        said = self.run(command.replace(":8000", f":{self.port}"))
        if "pytest" in command:
            said, expected = (re.sub(r"(?s).*?(\d+ passed).*", r"\1", t) for t in (said, expected))
        assert shape(said) == shape(expected), f"{command}\n{said}"

    @property
    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {**kept, "PATH": path, "NO_COLOR": "1", "COLUMNS": "120", "TERM": "dumb"}

    def run(self, command: str) -> str:
        """Return what *command* prints on a terminal, in that order."""
        master, slave = pty.openpty()
        words = ["bash", "-c", command]
        said = b""
        with subprocess.Popen(
            words,
            cwd=self.folder,
            stdout=slave,
            stderr=slave,
            stdin=subprocess.DEVNULL,
            env=self._environment,
        ):
            os.close(slave)
            with suppress(OSError):  # Linux says EIO when no process has the terminal open
                while data := os.read(master, 65536):
                    said += data
        os.close(master)
        return said.decode().replace("\r\n", "\n")

    def _serve(self, command: str) -> None:
        """Start a server, on a port that is free, and wait until it answers."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        words = [*command.split(), "--port", str(self.port), "--log-level", "critical"]
        server = subprocess.Popen(words, cwd=self.folder, env=self._environment)
        self.servers.append(server)
        while server.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError(f"{command} ended with {server.returncode}")

    def stop(self) -> None:
        """Stop every server that the page started."""
        for server in self.servers:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=30)
