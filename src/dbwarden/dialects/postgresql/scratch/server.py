"""Run an embedded PostgreSQL server that starts quickly and usually ends with our process.

A small shell script runs the server and holds the reading end of a pipe from us. When our process
ends for any reason (even ``kill -9``), the pipe closes, and the script stops the server and removes
its folder. This needs neither ``atexit`` nor a later cleanup. The script of a server that outlives
us is killed once the server is ready.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

import anyio
import anyio.to_thread

from dbwarden.config.libpq import DEFAULT_PORT
from dbwarden.dialects.postgresql.scratch.binaries import (
    Binaries,
    ServerUser,
    find_binaries,
    readable_copy,
)
from dbwarden.dialects.postgresql.scratch.binaries import runner as find_runner
from dbwarden.dialects.postgresql.scratch.data_folder import (
    STOPPED_WITHIN,
    check_data,
    is_ready,
    make_data,
    server_environment,
    server_pid,
    signal_process,
    stop_server,
)
from dbwarden.dialects.postgresql.scratch.server_folders import (
    make_private,
    memory_folder,
    open_folder,
    owned_folder,
    sweep,
)
from dbwarden.errors import ConnectError
from dbwarden.files.disk import open_private
from dbwarden.quoting import quoted

READY_WITHIN = 30.0
"""Seconds to wait until a server is ready."""

SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "max_connections": "500",
        "max_locks_per_transaction": "256",
        "logging_collector": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
)

# The data of a temporary server need not survive a crash.
THROW_AWAY: Mapping[str, str] = MappingProxyType(
    {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}
)

# $0 is the folder to remove after our process has ended, or "-". A line on stdin requests a fast
# shutdown. The end of stdin means that our process has ended, and stops the server immediately. The
# reader then waits until it is killed, because a process number may be reused.
_KEEPER = """
exec 3<&0
"$@" 3<&- </dev/null &
server=$!
(
  if read -r asked <&3; then kill -INT $server; exec sleep 600; fi
  trap 'exit 9' TERM
  kill -QUIT $server
  while :; do sleep 1; done
) &
reader=$!
wait $server
status=$?
kill $reader 2>/dev/null
wait $reader
if [ $? -eq 9 ] && [ "$0" != - ]; then rm -rf "$0"; fi
exit $status
"""


_DETACHED = '"$@" </dev/null & wait'


class EmbeddedServer:
    """A PostgreSQL server on this machine, reachable from this machine only.

    ``start`` and ``stop`` block: run them in a worker thread, or use :func:`embedded_server`.
    """

    def __init__(
        self,
        *,
        data: Path | None = None,
        folder: Path | None = None,
        settings: Mapping[str, str] = MappingProxyType({}),
        tcp: bool = False,
    ) -> None:
        """Initialize without I/O.

        Args:
            data: A folder for persistent databases, created if missing.
            folder: A folder for everything, created if missing, of a server with persistent
                databases that outlives our process, on port 5432. Without *data* and *folder* the
                server is temporary, and its files are in memory if there is enough.
            settings: Server settings that override the default ones.
            tcp: Also listen on a free port of 127.0.0.1. Every user of this machine can connect
                there as superuser without a password. By default the server listens only on
                a Unix socket in a private folder.
        """
        self.throw_away = data is None and folder is None
        self.tcp = tcp
        self.port = 0 if folder is None else DEFAULT_PORT
        self.binaries: Binaries | None = None
        self._settings = settings
        self._data = data
        self._folder = folder
        self._outlives = folder is not None
        self._runner = ServerUser()
        self._keeper: subprocess.Popen[bytes] | None = None
        self._owner: int | None = None

    @property
    def folder(self) -> Path:
        """The folder of the socket, the log and, in a temporary server, the data."""
        assert self._folder is not None, "the server was not started"
        return self._folder

    @property
    def data(self) -> Path:
        """The data folder."""
        return self._data if self._data is not None else self.folder / "data"

    @property
    def log(self) -> str:
        """The server's log."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database."""
        name = quote(database, safe="")
        if self.tcp:
            return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"
        where = quote(str(self.folder), safe="")
        return f"postgresql://postgres@/{name}?host={where}&port={self.port}"

    def start(self) -> None:
        """Create the data folder if it is missing, start the server, and wait until it is ready.

        Raises:
            UsageError: No PostgreSQL was found, or the data folder has another version.
            ConnectError: It did not start; with the end of its log.
        """
        if self.binaries is None:
            self._prepare()
        for _ in range(5):
            self.port = self.port or _free_port()
            self._launch()
            if self._wait_until_ready():
                if self._outlives:
                    self._detach()
                return
            # Another process took the port before the server did.
            if "Address already in use" not in self.log:
                break
            self.port = 0
        detail = "\n".join(self.log.splitlines()[-10:])
        raise ConnectError("the embedded PostgreSQL did not start", detail=detail)

    def stop(self) -> None:
        """Stop the server and remove its temporary folder. Never raises if it ends with us."""
        if self.throw_away:
            self.crash()  # the data is discarded, so no checkpoint is needed
        self.halt()
        if self._owner is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            os.close(self._owner)
            self._folder = self._owner = self.binaries = None

    def halt(self) -> None:
        """Stop the server and keep its folder, so that ``start`` can resume it."""
        if self._outlives:
            stop_server(self.data)
        keeper, self._keeper = self._keeper, None
        if keeper is None or keeper.stdin is None:
            return
        try:
            keeper.stdin.write(b"stop\n")
            keeper.stdin.flush()
            keeper.wait(STOPPED_WITHIN)
        except (subprocess.TimeoutExpired, OSError):
            self._end(keeper)
        finally:
            with suppress(OSError):  # the reader has ended
                keeper.stdin.close()

    def crash(self) -> None:
        """Stop the server immediately, like a crash, and keep its folder."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None and keeper.stdin is not None:
            self._end(keeper)
            keeper.stdin.close()

    def _detach(self) -> None:
        """Kill the script and leave the server running."""
        keeper, self._keeper = self._keeper, None
        assert keeper is not None and keeper.stdin is not None
        keeper.kill()
        keeper.wait()
        keeper.stdin.close()

    def _end(self, keeper: subprocess.Popen[bytes]) -> None:
        if (server := server_pid(self.data)) is not None:
            signal_process(server, signal.SIGQUIT)
        try:
            keeper.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            os.killpg(keeper.pid, signal.SIGKILL)
            keeper.wait()

    def _prepare(self) -> None:
        self._runner = find_runner()
        binaries = find_binaries()
        if self._outlives:
            make_private(self.folder, self._runner)
        else:
            parent = (memory_folder() if self.throw_away else None) or open_folder()
            sweep(parent)
            self._folder, self._owner = owned_folder(parent)
            self._runner.chown(self._folder)
        self.binaries = readable_copy(binaries, self._runner, self.folder)
        if (self.data / "PG_VERSION").exists():
            check_data(self.data, self.binaries)
        else:
            cache_of = binaries if self.throw_away else None
            make_data(self.data, self.binaries, self._runner, cache_of=cache_of)

    def _launch(self) -> None:
        assert self.binaries is not None
        # A crash leaves this file, whose "ready" must not be taken for the new server's.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        settings = {
            **SETTINGS,
            **(THROW_AWAY if self.throw_away else {}),
            "listen_addresses": "127.0.0.1" if self.tcp else "",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "unix_socket_permissions": "0700",
            **self._settings,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(self.binaries.program("postgres")), "-D", str(self.data), *options]
        removed = str(self.folder) if self.throw_away else "-"
        log_file = open_private(self.folder / "log", os.O_CREAT | os.O_WRONLY)
        with open(log_file, "wb") as log:
            log.truncate()
            self._keeper = subprocess.Popen(
                ["/bin/sh", "-c", _DETACHED if self._outlives else _KEEPER, removed, *command],
                env=server_environment(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                # Ctrl-C in the terminal must not reach the server.
                start_new_session=True,
                **self._runner.arguments,
            )

    def _wait_until_ready(self) -> bool:
        """Wait for the server; return ``False`` if it ended or took too long."""
        assert self._keeper is not None
        deadline = time.monotonic() + READY_WITHIN
        while self._keeper.poll() is None and time.monotonic() < deadline:
            if is_ready(self.data):
                return True
            time.sleep(0.005)
        self.crash()
        return False

    async def create_database(self, name: str, *, template: str | None = None) -> str:
        """Create a database, optionally as a copy of *template*, and return its URL."""
        strategy = " STRATEGY FILE_COPY" if self.binaries and self.binaries.major >= 15 else ""
        source = quoted(template or "template0")
        await self.execute(f"CREATE DATABASE {quoted(name)} TEMPLATE {source}{strategy}")
        return self.url(name)

    async def drop_database(self, name: str) -> None:
        """Drop a database, and terminate its connections."""
        await self.execute(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)")

    async def execute(self, sql: str) -> None:
        """Run *sql* as the superuser, in the database ``postgres``."""
        import asyncpg

        connection = await asyncpg.connect(
            host=str(self.folder), port=self.port, user="postgres", database="postgres"
        )
        try:
            await connection.execute(sql)
        finally:
            connection.terminate()


@asynccontextmanager
async def embedded_server(
    *,
    data: Path | None = None,
    settings: Mapping[str, str] = MappingProxyType({}),
    tcp: bool = False,
) -> AsyncGenerator[EmbeddedServer]:
    """Run a PostgreSQL server inside the block; arguments as in :class:`EmbeddedServer`."""
    server = EmbeddedServer(data=data, settings=settings, tcp=tcp)
    try:
        # A start is short. Cancelled halfway, it would leave a partial server behind.
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(server.start)
        yield server
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(server.stop)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
