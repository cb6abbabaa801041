"""Ask a process that runs the project's own code, one line of JSON at a time."""

import json
import os
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import anyio
import anyio.abc
import anyio.to_thread
from anyio.streams.buffered import BufferedByteReceiveStream

from dbwarden.dialects.authoring import ScratchAddress, ScratchDatabase, ScratchServer
from dbwarden.errors import ImportFailed, UsageError
from dbwarden.secrets import redact

_LONGEST = 1 << 30
_SHOWN = 20_000
"""The number of bytes at the end of the project's output that are read for an error."""
_LINES = 12
_PATIENCE = 5.0


@dataclass(slots=True)
class Child:
    """A running process, which prints to the file ``output``."""

    process: anyio.abc.Process
    answers: BufferedByteReceiveStream
    output: IO[bytes]

    async def ask(self, **request: Any) -> dict[str, Any]:
        """Send *request* and return the answer, whose errors show no secret.

        Raises:
            ImportFailed: The process ended.
        """
        line = await self._exchange(json.dumps(request).encode() + b"\n")
        del request  # it has the password of the scratch server
        if line is None:
            raise ImportFailed(
                "the process that runs the project's migrations ended", detail=await self.tail()
            )
        return await anyio.to_thread.run_sync(_parse, line)

    async def ask_with(
        self, databases: Sequence[tuple[ScratchServer, ScratchDatabase]], **request: Any
    ) -> dict[str, Any]:
        """Send *request* with the addresses of *databases*, which only the process uses then."""
        addresses = [await server.lend(database) for server, database in databases]
        answer = await self.ask(addresses=[_document(each) for each in addresses], **request)
        for server, database in databases:
            await server.take_back(database)
        return answer

    async def _exchange(self, line: bytes) -> bytes | None:
        """Send *line* and return the next one; ``None`` if the process ended."""
        assert self.process.stdin is not None
        try:
            await self.process.stdin.send(line)
            return await self.answers.receive_until(b"\n", _LONGEST)
        except (
            anyio.BrokenResourceError,
            anyio.ClosedResourceError,
            anyio.EndOfStream,
            anyio.IncompleteRead,
        ):
            with anyio.move_on_after(_PATIENCE):
                await self.process.wait()
            return None

    async def tail(self) -> str:
        """Return the last lines that the project printed, without secrets."""
        return await anyio.to_thread.run_sync(_tail, self.output)


def last_lines(answer: Mapping[str, Any], lines: int = _LINES) -> str:
    """Return the end of the traceback in *answer*."""
    return "\n".join(str(answer.get("traceback", "")).splitlines()[-lines:])


def _parse(line: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(line)
    for name in ("error", "traceback"):
        if name in answer:
            answer[name] = redact(str(answer[name])).strip()
    return answer


def _tail(output: IO[bytes]) -> str:
    end = output.seek(0, os.SEEK_END)
    output.seek(max(0, end - _SHOWN))
    text = output.read().decode("utf-8", "replace")
    return redact("\n".join(text.splitlines()[-_LINES:])).strip()


@asynccontextmanager
async def start_child(program: Path, python: str | None) -> AsyncGenerator[Child]:
    """Run *program* with *python*, by default that of dbwarden; it ends with the block.

    Raises:
        UsageError: There is no such Python.
    """
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    with await anyio.to_thread.run_sync(TemporaryFile) as output:
        try:
            process = await anyio.open_process(
                [python or sys.executable, str(program)], stderr=output, env=environment
            )
        except OSError as error:
            raise UsageError(
                f"{python} cannot be run: {error.strerror}",
                next_step="Name the Python in which the other tool runs: --python venv/bin/python.",
            ) from error
        assert process.stdout is not None
        try:
            yield Child(process, BufferedByteReceiveStream(process.stdout), output)
        finally:
            with anyio.CancelScope(shield=True):
                await _end(process)


async def _end(process: anyio.abc.Process) -> None:
    assert process.stdin is not None
    with anyio.move_on_after(_PATIENCE) as scope:
        await process.stdin.aclose()
        await process.wait()
    if scope.cancelled_caught:
        process.kill()
        with anyio.move_on_after(_PATIENCE):
            await process.wait()


def _document(address: ScratchAddress) -> dict[str, Any]:
    """Return *address* for the process, which needs its password."""
    values = {field.name: getattr(address, field.name) for field in fields(address)}
    return {**values, "password": address.password.reveal() if address.password else None}
