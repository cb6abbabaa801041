"""Open a session for a configuration, within the connect timeout."""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import asyncpg

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.config.libpq import asyncpg_arguments, unreadable_files
from dbwarden.config.urls import DatabaseURL
from dbwarden.dialects.ledger_values import Writer
from dbwarden.dialects.postgresql.migrate.connect_errors import (
    connect_failure,
    is_startup_refusal,
    server_too_old,
    timed_out,
)
from dbwarden.dialects.postgresql.migrate.retrying import while_full
from dbwarden.dialects.postgresql.migrate.session import Session
from dbwarden.dialects.postgresql.sql.quoting import plain_name
from dbwarden.errors import ConnectError
from dbwarden.secrets import Secret, without_frames
from dbwarden.types import LONGEST_NAME

CONNECT_FAILURES = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    ValueError,
)
"""The exceptions of ``asyncpg.connect`` when connecting fails."""

GRACE = 5.0
"""Seconds that stopping a migration on the server may take after a cancellation."""

GRACE_READING = 1.0
"""Seconds that stopping a read-only session may take; what it leaves behind changes nothing."""


def application_name(database: str, writer: Writer, base: str = "dbwarden") -> str:
    """Return our name for ``pg_stat_activity``: ``dbwarden primary web-1:4711``, max. 63 bytes."""
    tail = f":{writer.pid}"
    return plain_name(f"{base} {database} {writer.host}", LONGEST_NAME - len(tail)) + tail


def own_arguments(url: DatabaseURL, config: DatabaseConfig) -> tuple[dict[str, Any]]:
    """Return the arguments of ``asyncpg.connect`` for a connection of dbwarden.

    They request no settings but our name and those of the URL, because a pooler refuses settings
    that it does not know.
    """
    arguments = asyncpg_arguments(url)
    settings = dict(arguments.get("server_settings", {}))
    base = settings.get("application_name", "dbwarden")
    name = application_name(config.database_name, Writer.this_process(), base)
    return (
        {
            **arguments,
            "server_settings": {**settings, "application_name": name},
            # We send each statement once, and a pooler would share prepared ones with others.
            "statement_cache_size": 0,
            "timeout": None,
        },
    )


async def open_session(config: DatabaseConfig, *, read_only: bool) -> Session:
    """Connect to the database of *config*, each try within ``connect_timeout`` seconds.

    *read_only* uses ``database_url``, otherwise ``migration_url`` is used if it is set. A server
    with too many connections is tried again within the time limit of the operation.

    Raises:
        ConnectError: Connecting failed; has a message and a next step for each cause.
    """
    migrating = not read_only
    raw, url = await while_full(partial(connect_to, config, own_arguments, migrating=migrating))
    reconnect = partial(dial, url, config, config.url_setting(migrating=migrating))
    return Session(
        raw, config.database_name, reconnect, grace=GRACE_READING if read_only else GRACE
    )


async def dial(url: DatabaseURL, config: DatabaseConfig, setting: str) -> asyncpg.Connection:
    """Connect to *url*, the *setting* of *config*, each try within ``connect_timeout`` seconds.

    Raises:
        ConnectError: As for :func:`open_session`.
    """

    async def once() -> asyncpg.Connection:
        with anyio.move_on_after(config.connect_timeout):
            return await _connect(url, config, setting, own_arguments(url, config))
        raise timed_out(config.connect_timeout, url, config.database_name)

    return await while_full(once)


Arguments = Callable[[DatabaseURL, DatabaseConfig], Sequence[Mapping[str, Any]]]
"""Returns the arguments of ``asyncpg.connect``, and others for a pooler that refuses the first."""


async def connect_to(
    config: DatabaseConfig, arguments: Arguments, *, migrating: bool = False
) -> tuple[asyncpg.Connection, DatabaseURL]:
    """Connect to the current URL of *config* within ``connect_timeout``; return both.

    Raises:
        ConnectError: Connecting failed; has a message and a next step for each cause.
    """
    setting = config.url_setting(migrating=migrating)
    url: DatabaseURL | None = None
    with anyio.move_on_after(config.connect_timeout):
        url = await config.resolve_url(migrating=migrating)
        return await _connect(url, config, setting, arguments(url, config)), url
    raise timed_out(config.connect_timeout, url, config.database_name)


async def _connect(
    url: DatabaseURL,
    config: DatabaseConfig,
    setting: str,
    arguments: Sequence[Mapping[str, Any]],
) -> asyncpg.Connection:
    first, *others = arguments
    try:
        raw = await connect(first)
    except CONNECT_FAILURES as error:
        retried = bool(others) and is_startup_refusal(error)
        files = await anyio.to_thread.run_sync(unreadable_files, url)
        failure = connect_failure(error, url, config.database_name, setting)
    else:
        refused = server_too_old(raw.get_server_version().major, url, config.database_name)
        if refused is None:
            return raw
        raw.terminate()
        raise refused
    if retried:
        return await _connect(url, config, setting, others)
    if files:
        raise ConnectError(
            f"a file that {setting} names cannot be read: {', '.join(files)}",
            database=config.database_name,
            next_step="Correct the path, or make the file readable for this user.",
        )
    raise failure


async def connect(arguments: Mapping[str, Any]) -> asyncpg.Connection:
    """Call ``asyncpg.connect`` so that its exceptions hold no password.

    The driver's frames hold it in their variables, which error trackers show. So the frames are
    dropped, also from a cancellation. Exceptions that a cancelled connect leaves are not reported.

    Args:
        arguments: The arguments of ``asyncpg.connect``; each may be a :class:`Secret`.
    """
    password = os.environ.get("PGPASSWORD")
    known = {"password": Secret(password)} if password else {}
    try:
        return await asyncpg.connect(
            loop=_QuietLoop(asyncio.get_running_loop()),
            **{name: _revealed(name, value) for name, value in {**known, **arguments}.items()},
        )
    except BaseException as error:
        without_frames(error)
        raise


class _QuietLoop:
    """The running loop, whose futures do not report an exception that nothing awaits.

    A connect that is cancelled while the driver asks for TLS leaves such a future behind.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def create_future(self) -> asyncio.Future[Any]:
        """Create a future whose exception counts as retrieved."""
        future = self._loop.create_future()
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        return future


def _revealed(name: str, value: object) -> object:
    """Return the value for the driver. It gets the password as a function, so as not to keep it."""
    if not isinstance(value, Secret):
        return value
    return value.reveal if name == "password" else value.reveal()
