"""Servers next to the embedded PostgreSQL: PgBouncer, and a streaming replica."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import asyncpg
import pytest

from dbwarden.dialects.postgresql.scratch.binaries import runner
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer, _free_port, embedded_server

PGBOUNCER = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin")
NO_PGBOUNCER = "pgbouncer is not installed here (Debian: apt-get install pgbouncer)"


@contextmanager
def open_folder() -> Generator[Path]:
    """A temporary folder that belongs to the user who runs servers."""
    folder = Path(tempfile.mkdtemp(prefix="dbwarden-test-"))
    runner().chown(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def pgbouncer(server: EmbeddedServer, mode: str, **settings: object) -> AsyncGenerator[int]:
    """PgBouncer before *server*; its port."""
    assert PGBOUNCER is not None, NO_PGBOUNCER
    port = _free_port()
    options = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "any",
        "pool_mode": mode,
        **settings,
    }
    lines = [f"{name} = {value}" for name, value in options.items()]
    with open_folder() as folder:
        target = f"* = host=127.0.0.1 port={server.port} user=postgres"
        configuration = "\n".join(["[databases]", target, "[pgbouncer]", *lines, ""])
        await anyio.Path(folder / "pgbouncer.ini").write_text(configuration)
        process = await anyio.to_thread.run_sync(_start_pgbouncer, folder / "pgbouncer.ini")
        try:
            await _until_reachable(port)
            yield port
        finally:
            process.terminate()
            await anyio.to_thread.run_sync(process.wait)


def _start_pgbouncer(configuration: Path) -> subprocess.Popen[bytes]:
    assert PGBOUNCER is not None
    return subprocess.Popen(
        [PGBOUNCER, "--quiet", configuration],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **runner().arguments,
    )


async def _until_reachable(port: int) -> None:
    with anyio.fail_after(20):
        while True:
            try:
                stream = await anyio.connect_tcp("127.0.0.1", port)
            except OSError:
                await anyio.sleep(0.01)
            else:
                await stream.aclose()
                return


@asynccontextmanager
async def streaming_replica(primary: EmbeddedServer) -> AsyncGenerator[EmbeddedServer]:
    """A server that replays what happens on *primary*."""
    assert primary.binaries is not None
    if not primary.binaries.program("pg_basebackup").exists():
        pytest.skip("needs pg_basebackup, which these programs of PostgreSQL lack")
    with open_folder() as folder:
        data = folder / "data"
        command = [
            *(
                str(primary.binaries.program("pg_basebackup")),
                "-D",
                str(data),
                "-R",
                "-X",
                "stream",
            ),
            *("-h", str(primary.folder), "-p", str(primary.port), "-U", "postgres", "-c", "fast"),
        ]
        await anyio.to_thread.run_sync(
            lambda: subprocess.run(command, check=True, capture_output=True, **runner().arguments)
        )
        async with embedded_server(data=data, settings={"hot_standby": "on"}, tcp=True) as replica:
            yield replica


async def until_caught_up(primary: EmbeddedServer, replica: EmbeddedServer) -> None:
    """Wait until *replica* has replayed all that *primary* has written."""
    there = await asyncpg.connect(primary.url())
    here = await asyncpg.connect(replica.url())
    try:
        written = await there.fetchval("SELECT pg_current_wal_insert_lsn()::text")
        query = "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn"
        with anyio.fail_after(30):
            while True:
                if await here.fetchval(query, written):
                    return
                await anyio.sleep(0.01)
    finally:
        there.terminate()
        here.terminate()
