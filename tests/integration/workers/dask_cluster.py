"""A Dask scheduler and its workers as processes of their own, which a test may kill."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

SCHEDULER = ("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0")
WORKER = ("distributed.cli.dask_worker", "--nthreads", "1")


@dataclass(slots=True)
class DaskProcesses:
    """The processes, and the ``address`` for ``--workers``."""

    folder: Path
    scheduler: subprocess.Popen[bytes] | None = None
    nanny: bool = False
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.folder / "scheduler.json"

    @property
    def is_written(self) -> bool:
        """True if Dask has written the whole file."""
        try:
            return bool(self.address)
        except (FileNotFoundError, json.JSONDecodeError):
            return False

    @property
    def address(self) -> str:
        address: str = json.loads(self.file.read_text())["address"]
        return address.replace("tcp://", "dask://")

    def start_scheduler(self) -> None:
        self.file.unlink(missing_ok=True)
        self.scheduler = self._start(*SCHEDULER)

    def start_worker(self, **environment: str) -> None:
        options = ("--local-directory", str(self.folder), *([] if self.nanny else ["--no-nanny"]))
        self.workers.append(self._start(*WORKER, *options, **environment))

    def _start(self, module: str, *options: str, **environment: str) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-P", "-m", module, *options, "--no-dashboard"]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [*words, "--scheduler-file", str(self.file)],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
            )

    async def until_ready(self, workers: int) -> None:
        """Wait for the scheduler and so many workers."""
        import distributed

        with anyio.fail_after(120):
            while not self.is_written:  # noqa: ASYNC110  # by Dask
                await anyio.sleep(0.1)
            address = self.address.replace("dask://", "tcp://")
            connect: Any = distributed.Client  # it has no types
            async with connect(address, asynchronous=True, set_as_default=False) as client:
                await client.wait_for_workers(workers)

    def forget(self, pid: int) -> None:
        """Reap the worker *pid*, which was killed."""
        for process in [each for each in self.workers if each.pid == pid]:
            process.wait()
            self.workers.remove(process)

    def stop(self) -> None:
        processes = [*self.workers, *([self.scheduler] if self.scheduler else [])]
        for process in processes:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            process.wait()


@contextmanager
def dask_processes(folder: Path, workers: int, *, nanny: bool = False) -> Generator[DaskProcesses]:
    """Start a scheduler and *workers*, and kill them at the end."""
    processes = DaskProcesses(folder, nanny=nanny)
    try:
        processes.start_scheduler()
        for _ in range(workers):
            processes.start_worker()
        yield processes
    finally:
        processes.stop()
