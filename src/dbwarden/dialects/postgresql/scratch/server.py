"""A PostgreSQL server of our own: made in a fraction of a second, gone when we are gone.

The server runs under a small shell script that holds the reading end of a pipe from us. When our
process ends, however it ends (``kill -9`` too), the pipe closes, the script stops the server and
removes its folder. Nothing depends on ``atexit`` or on sweeping up later.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

import anyio
import anyio.to_thread

from dbwarden.dialects.postgresql.scratch import data_folder_cache as template
from dbwarden.dialects.postgresql.scratch.binaries import (
    Binaries,
    Runner,
    find_binaries,
    readable_copy,
)
from dbwarden.dialects.postgresql.scratch.binaries import runner as find_runner
from dbwarden.dialects.postgresql.scratch.server_folders import (
    memory_folder,
    open_folder,
    owned_folder,
    sweep,
)
from dbwarden.dialects.postgresql.sql.quoting import identifier, literal
from dbwarden.errors import ConnectError, UsageError
from dbwarden.files.disk import open_private

READY_WITHIN = 30.0
"""Seconds for a server to be ready; a cold disk may need a few."""

STOPPED_WITHIN = 10.0
"""Seconds for a polite shutdown, before the server is ended without one."""

SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "max_connections": "500",
        "max_locks_per_transaction": "256",
        "logging_collector": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
)

# Nothing in a throw-away server needs to survive a crash.
THROW_AWAY: Mapping[str, str] = MappingProxyType(
    {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}
)

# $0 is the folder to remove when nobody is left to do it, or "-". A line on stdin asks for a fast
# shutdown; the end of stdin means that our process is gone, and ends the server at once. The reader
# then stays until it is killed: the number of a process that has ended may be another one's.
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


class EmbeddedServer:
    """A PostgreSQL server on this machine, reachable from this machine only.

    ``start`` and ``stop`` block: run them in a worker thread, or use :func:`embedded_server`.
    """

    def __init__(
        self,
        *,
        data: Path | None = None,
        settings: Mapping[str, str] = MappingProxyType({}),
        tcp: bool = False,
        in_memory: bool = False,
    ) -> None:
        """Describe a server; nothing happens yet.

        Args:
            data: A folder whose databases stay; made when it does not exist. ``None`` is a
                throw-away server.
            settings: What to put into its configuration, over our own.
            tcp: Also listen on a free port of 127.0.0.1. Every user of this machine can connect
                there as superuser without a password. By default the server listens only on
                a Unix socket in a private folder.
            in_memory: Keep its files in memory, where this machine has room for them there.
        """
        self.throw_away = data is None
        self.tcp = tcp
        self.port = 0
        self.binaries: Binaries | None = None
        self._settings = settings
        self._in_memory = in_memory
        self._data = data
        self._folder: Path | None = None
        self._runner = Runner()
        self._keeper: subprocess.Popen[bytes] | None = None
        self._owner: int | None = None

    @property
    def folder(self) -> Path:
        """The folder of the socket, the log and, in a throw-away server, the data."""
        assert self._folder is not None, "the server was not started"
        return self._folder

    @property
    def data(self) -> Path:
        """The data folder."""
        return self._data if self._data is not None else self.folder / "data"

    @property
    def log(self) -> str:
        """What the server wrote to its log so far."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def url(self, database: str = "postgres") -> str:
        """The URL of one of its databases."""
        name = quote(database, safe="")
        if self.tcp:
            return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"
        where = quote(str(self.folder), safe="")
        return f"postgresql://postgres@/{name}?host={where}&port={self.port}"

    def start(self) -> None:
        """Make the data folder when it is missing, start the server, return when it is ready.

        Raises:
            UsageError: There is no PostgreSQL here, or the data folder is not for it.
            ConnectError: It did not start; with the end of its log.
        """
        if self._folder is None:
            self._prepare()
        for _ in range(5):
            self.port = self.port or _free_port()
            self._launch()
            if self._wait_until_ready():
                return
            # Somebody else took the port between our look and the server's.
            if "Address already in use" not in self.log:
                break
            self.port = 0
        detail = "\n".join(self.log.splitlines()[-10:])
        raise ConnectError("the embedded PostgreSQL did not start", detail=detail)

    def stop(self) -> None:
        """Stop the server and, in a throw-away one, remove its folder. Never raises."""
        if self.throw_away:
            self.crash()  # what nobody will read need not be written first
        self.halt()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
        if self._owner is not None:
            os.close(self._owner)
            self._owner = None

    def halt(self) -> None:
        """Stop the server and keep its folder, so that ``start`` goes on where it was."""
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
            with suppress(OSError):  # nobody reads any more
                keeper.stdin.close()

    def crash(self) -> None:
        """End the server at once, as a crash would, and keep its folder."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None and keeper.stdin is not None:
            self._end(keeper)
            keeper.stdin.close()

    def _end(self, keeper: subprocess.Popen[bytes]) -> None:
        if (server := self._server_pid()) is not None:
            _signal(server, signal.SIGQUIT)
        try:
            keeper.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            os.killpg(keeper.pid, signal.SIGKILL)
            keeper.wait()

    def _prepare(self) -> None:
        self._runner = find_runner()
        found = find_binaries()
        parent = (memory_folder() if self._in_memory else None) or open_folder()
        sweep(parent)
        self._folder, self._owner = owned_folder(parent)
        self._runner.chown(self._folder)
        self.binaries = readable_copy(found, self._runner, self._folder)
        if (self.data / "PG_VERSION").exists():
            self._check_data()
        else:
            self._make_data(found)

    def _make_data(self, found: Binaries) -> None:
        if self._data is not None:
            self._data.mkdir(parents=True, exist_ok=True)
            self._runner.chown(self._data)
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        if found.major >= 14:
            options.append("--no-instructions")
        archive = template.archive_of(found, options) if self.throw_away else None
        if archive is not None and template.unpack(archive, self.data, self._runner):
            return
        self._initdb(options)
        if archive is not None:
            template.keep(self.data, archive)

    def _initdb(self, options: Sequence[str]) -> None:
        assert self.binaries is not None
        made = subprocess.run(
            [str(self.binaries.program("initdb")), "-D", str(self.data), *options],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            **self._runner.arguments,
        )
        if made.returncode != 0:
            raise ConnectError(
                f"initdb could not make a PostgreSQL data folder in {self.data}",
                detail=made.stderr.strip(),
            )

    def _check_data(self) -> None:
        assert self.binaries is not None
        made_by = (self.data / "PG_VERSION").read_text().strip()
        if made_by != str(self.binaries.major):
            raise UsageError(
                f"{self.data} was made by PostgreSQL {made_by}, "
                f"but the server here is {self.binaries.version}",
                next_step="Remove the folder, or set DBWARDEN_POSTGRES_BIN to that version.",
            )
        if (running := self._server_pid()) is not None and _signal(running, 0):
            raise UsageError(f"a server runs on {self.data} already (pid {running})")

    def _launch(self) -> None:
        assert self.binaries is not None
        # Left over by a crash; its "ready" must not be taken for the new server's.
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
                ["/bin/sh", "-c", _KEEPER, removed, *command],
                env=_environment(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                # Ctrl-C in the terminal is for us; we decide when the server stops.
                start_new_session=True,
                **self._runner.arguments,
            )

    def _wait_until_ready(self) -> bool:
        """Whether the server got ready; ``False`` when it ended or took too long."""
        assert self._keeper is not None
        deadline = time.monotonic() + READY_WITHIN
        while self._keeper.poll() is None and time.monotonic() < deadline:
            lines = _lines(self.data / "postmaster.pid")
            if len(lines) >= 8 and lines[7].strip() == "ready":
                return True
            time.sleep(0.005)
        self.crash()
        return False

    def _server_pid(self) -> int | None:
        lines = _lines(self.data / "postmaster.pid")
        return int(lines[0]) if lines else None

    async def create_database(self, name: str, *, template: str | None = None) -> str:
        """Make a database, as a copy of *template* when given; its URL."""
        strategy = " STRATEGY FILE_COPY" if self.binaries and self.binaries.major >= 15 else ""
        source = identifier(template or "template0")
        await self.execute(f"CREATE DATABASE {identifier(name)} TEMPLATE {source}{strategy}")
        return self.url(name)

    async def drop_database(self, name: str) -> None:
        """Remove a database, and whoever is connected to it."""
        forces = self.binaries is not None and self.binaries.major >= 13
        if not forces:  # the server waits for them to leave, for a while
            await self.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                f" WHERE datname = {literal(name)}"
            )
        force = " WITH (FORCE)" if forces else ""
        await self.execute(f"DROP DATABASE IF EXISTS {identifier(name)}{force}")

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
    in_memory: bool = False,
) -> AsyncGenerator[EmbeddedServer]:
    """A PostgreSQL server for the time of the block; arguments as of :class:`EmbeddedServer`."""
    server = EmbeddedServer(data=data, settings=settings, tcp=tcp, in_memory=in_memory)
    try:
        # A start is short; cut in the middle, it would leave half a server behind.
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(server.start)
        yield server
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(server.stop)


def _environment() -> dict[str, str]:
    """Ours without what would steer PostgreSQL's programs: a locale, a time zone, PG variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except FileNotFoundError:
        return []


def _signal(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is there, and another user's
        return True
    return True
