"""Send SQL over one connection, one round trip per call, and stop it on the server at the end.

Uses raw asyncpg and the simple protocol only, to work behind a pooler too. A cancelled call
does not stop the statement on the server; ``stop_running`` does, and waits until it has ended.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.lowlevel
import asyncpg

from dbwarden import telemetry
from dbwarden.dialects.postgresql.migrate.parse_status import copied_lines
from dbwarden.errors import ConnectionLost
from dbwarden.types import DatabaseName

T = TypeVar("T")
Reconnect = Callable[[], Awaitable[asyncpg.Connection]]

_GONE = ("57P01", "57P02", "57P03")
"""The SQLSTATEs with which the server closes our session: shutdown, crash, not ready."""

BROKEN = (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""The driver's exceptions for a broken connection.

It raises the second one if the server closed the session between two calls, as a restart does.
"""


class ServerRefused(Exception):
    """The server refused a statement; has its error fields. Internal to the dialect."""

    def __init__(self, error: asyncpg.PostgresError) -> None:
        """Store the fields of *error*."""
        self.sqlstate: str = error.sqlstate or ""
        self.message: str = error.args[0] if error.args else str(error)
        self.detail: str | None = getattr(error, "detail", None)
        self.hint: str | None = getattr(error, "hint", None)
        self.context: str | None = getattr(error, "context", None)
        self.table: str | None = getattr(error, "table_name", None)
        position = getattr(error, "position", None)
        self.position: int | None = int(position) if position else None
        super().__init__(self.message)


class Session:
    """A connection whose running statements can be stopped."""

    def __init__(
        self, raw: asyncpg.Connection, database: DatabaseName, reconnect: Reconnect, *, grace: float
    ) -> None:
        """Wrap a fresh connection.

        Args:
            raw: The connection of ``asyncpg.connect``.
            database: The database, for errors.
            reconnect: Opens another raw connection to the same server.
            grace: Seconds that stopping a statement on the server may take.
        """
        self.backend_pid: int = raw.get_server_pid()
        self.grace = grace
        self._raw = raw
        self._database = database
        self._reconnect = reconnect
        self._may_be_running = False
        self._listener: Context | None = None
        raw.add_log_listener(self._on_notice)

    @property
    def open(self) -> bool:
        """True if the connection can be used."""
        return not self._raw.is_closed()

    @property
    def server_version(self) -> int:
        """The server's major version, as 180000."""
        return int(self._raw.get_server_version().major) * 10000

    @property
    def is_idle(self) -> bool:
        """True if no statement of ours can be running on the server."""
        return not self._may_be_running

    async def send(self, sql: str, *, listen: bool = False) -> None:
        """Run *sql*, one statement or many, and discard the rows.

        *listen* emits the server's notices as ``notice`` events.

        Raises:
            ServerRefused: The server refused a statement; earlier ones with their own transactions
                are committed.
            ConnectionLost: The connection broke; the effect is not known.
        """
        self._listener = copy_context() if listen else None
        try:
            await self._send_once(partial(self._raw.execute, sql))
        finally:
            self._listener = None

    async def value(self, query: str) -> str | None:
        """Return the single value of *query* as text. Raises as ``lines``."""
        (line,) = await self.lines(query)
        return line[0]

    async def lines(self, query: str) -> list[list[str | None]]:
        """Return the rows of *query*, each value as text.

        COPY returns data in one round trip, whereas asyncpg's ``fetch`` needs two. Raises as
        ``send``.
        """
        copied = bytearray()

        async def take(data: bytes) -> None:
            copied.extend(data)

        await self._send_once(partial(self._raw.copy_from_query, query, output=take))
        return copied_lines(bytes(copied))

    async def fetch(self, query: str, values: Sequence[Any]) -> list[dict[str, Any]]:
        """Return the rows of *query* with the parameters *values*. Raises as ``send``."""
        return [
            dict(row) for row in await self._send_once(partial(self._raw.fetch, query, *values))
        ]

    async def execute(self, query: str, values: Sequence[Any]) -> int:
        """Run one statement with parameters; return the rows it changed. Raises as ``send``."""
        status = await self._send_once(partial(self._raw.execute, query, *values))
        count = str(status).rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def _send_once(self, call: Callable[[], Awaitable[T]]) -> T:
        # A cancelled operation starts nothing new.
        await anyio.lowlevel.checkpoint_if_cancelled()
        if not self.open:
            raise self._connection_lost(ConnectionError("it was closed"))
        self._may_be_running = True
        try:
            result = await call()
        except asyncpg.PostgresError as error:
            if not self.open or error.sqlstate is None or error.sqlstate in _GONE:
                raise self._connection_lost(error) from error
            self._may_be_running = False
            raise ServerRefused(error) from error
        except BROKEN as error:
            raise self._connection_lost(error) from error
        self._may_be_running = False
        return result

    def _connection_lost(self, error: Exception) -> ConnectionLost:
        self._may_be_running = False
        self._raw.terminate()
        cause = error.__cause__ if isinstance(error.__cause__, asyncpg.PostgresError) else error
        return ConnectionLost(
            f"the connection broke: {cause}",
            database=self._database,
            next_step="Run the command again: it detects what was applied and continues.",
        )

    def _on_notice(self, _: Any, message: Any) -> None:
        if self._listener is None:
            return
        # The driver calls this from the loop; the event belongs to the context of the caller.
        text = message.message or ""
        self._listener.run(telemetry.emit, "notice", severity=message.severity, message=text)

    async def stop_running(self) -> None:
        """Stop the running statement on the server. Call it under a shield.

        Takes at most ``grace`` seconds. asyncpg sent a cancel request when the call was cancelled,
        and the next call waits until the server has handled it. If that takes too long, another
        connection terminates the session.
        """
        if not self._may_be_running or not self.open:
            return
        with anyio.move_on_after(self.grace / 2):
            try:
                await self._raw.execute("ROLLBACK")
            except (asyncpg.PostgresError, *BROKEN):
                pass
            else:
                self._may_be_running = False
                return
        with anyio.move_on_after(self.grace / 2):
            await self._end_backend()
        self._raw.terminate()
        self._may_be_running = False

    async def _end_backend(self) -> None:
        try:
            other = await self._reconnect()
        except Exception as error:  # no caller to raise to; the server will notice by itself
            telemetry.emit("not_stopped", level="warning", error=str(error))
            return
        try:
            await other.execute(f"SELECT pg_terminate_backend({self.backend_pid})")
            still_connected = (
                f"SELECT FROM pg_catalog.pg_stat_activity WHERE pid = {self.backend_pid}"
            )
            while await other.execute(still_connected) != "SELECT 0":  # noqa: ASYNC110  # nothing reports the end
                await anyio.sleep(0.01)
        finally:
            other.terminate()

    async def open_second(self) -> "Session":
        """Open a second session with the same server."""
        return Session(await self._reconnect(), self._database, self._reconnect, grace=self.grace)

    def hang_up(self) -> None:
        """Disconnect at once, even if a statement runs."""
        self._raw.terminate()

    async def close(self) -> None:
        """Stop the running statement and disconnect. Call it under a shield."""
        await self.stop_running()
        self.hang_up()
        # The transport closes its socket in the loop's next round.
        await anyio.lowlevel.checkpoint()
