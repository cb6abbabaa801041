"""Run lots in a process of its own: ``python -m dbwarden.fleet.workers.child PROGRAM``.

The parent writes a line of JSON for each lot (``{"lot": ..., "number": ...}``), and one to stop
its lots (``{"stop": reason}``). The messages of a lot and ``{"done": true}`` go back in the same
way, with its number. The process ends with its standard input, so that it does not outlive its
parent. Migration histories name PROGRAM as their application.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

import anyio
import anyio.from_thread
import anyio.lowlevel

from dbwarden import telemetry
from dbwarden.fleet.documents import Json
from dbwarden.fleet.running import Stop
from dbwarden.fleet.workers.running_lots import run_lot

PARENT_GONE = "the process that started the run has ended"


def main() -> None:
    """Run the lots on standard input until it ends."""
    sys.argv = sys.argv[1:]
    # Ctrl-C and SIGTERM may reach the whole group; the parent says when to stop.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # The parent has the events, and logs them.
    telemetry.configure()
    # What the project prints must not mix with the messages.
    messages = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(messages, "wb") as out:
        anyio.run(_serve, out)
        out.flush()
    sys.stderr.flush()
    os._exit(0)  # the thread that reads would keep the process


async def _serve(out: Any) -> None:
    send_line, receive_line = anyio.create_memory_object_stream[Json | None](100)
    token = anyio.lowlevel.current_token()

    def read() -> None:
        for line in _lines(0):
            anyio.from_thread.run(send_line.send, json.loads(line), token=token)
        anyio.from_thread.run(send_line.send, None, token=token)

    threading.Thread(target=read, name="dbwarden reads its lots", daemon=True).start()
    stop = Stop()
    async with anyio.create_task_group() as group:
        async for line in receive_line:
            if line is None:
                _stop(stop, PARENT_GONE)
                break
            if "stop" in line:
                _stop(stop, line["stop"])
            else:
                group.start_soon(_run_lot, line["lot"], line["number"], out, stop)


def _lines(descriptor: int) -> Iterator[bytes]:
    """Yield the lines of a file; without a buffer, whose lock a daemon thread would keep."""
    rest = b""
    while chunk := os.read(descriptor, 1 << 16):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


def _stop(stop: Stop, reason: str) -> None:
    stop.reason = reason
    stop.event.set()


async def _run_lot(lot: Json, number: int, out: Any, stop: Stop) -> None:
    def send(message: Json) -> None:
        line = json.dumps({**message, "number": number}, default=str)
        try:
            out.write(line.encode() + b"\n")
            out.flush()
        except OSError:  # the parent is gone; its end of standard input stops the lots
            _stop(stop, PARENT_GONE)

    await run_lot(lot, send, stop)
    send({"done": True})


if __name__ == "__main__":
    main()
