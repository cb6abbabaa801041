"""From a configuration to a session, within the connect timeout."""

from typing import Any

import anyio
import anyio.to_thread
import asyncpg

from dbwarden.config.libpq import asyncpg_arguments, unreadable_files
from dbwarden.config.model import DatabaseConfig
from dbwarden.config.urls import DatabaseURL
from dbwarden.dialects.postgresql.messages import NAME_LIMIT
from dbwarden.dialects.postgresql.quoting import plain_name
from dbwarden.dialects.postgresql.refusals import connect_failure, is_startup_refusal, timed_out
from dbwarden.dialects.postgresql.session import Session
from dbwarden.dialects.writer import Writer
from dbwarden.errors import ConnectError

GRACE = 5.0
"""Seconds that stopping a migration on the server may take after a cancellation."""

GRACE_READING = 1.0
"""The same for a session that only reads: what it leaves behind changes nothing."""

# A session that is read-only because we asked for it looks to asyncpg like a read-only server.
_ROLES_FOR_READING = {"read-write": "primary", "read-only": "standby"}


def application_name(database: str, writer: Writer, base: str = "dbwarden") -> str:
    """Our name in ``pg_stat_activity``: ``dbwarden primary web-1:4711``, at most 63 bytes."""
    tail = f":{writer.pid}"
    return plain_name(f"{base} {database} {writer.host}", NAME_LIMIT - len(tail)) + tail


def connect_arguments(
    url: DatabaseURL, config: DatabaseConfig, *, read_only: bool, plain: bool = False
) -> dict[str, Any]:
    """The arguments of ``asyncpg.connect``.

    *plain* asks the server for no settings, because a pooler would refuse them.
    """
    arguments = asyncpg_arguments(url)
    settings = dict(arguments.get("server_settings", {}))
    base = settings.get("application_name", "dbwarden")
    settings["application_name"] = application_name(
        config.database_name, Writer.this_process(), base
    )
    if read_only:
        settings["default_transaction_read_only"] = "on"
    if plain:
        settings = {"application_name": settings["application_name"]}
    elif read_only and "target_session_attrs" in arguments:
        wanted = arguments["target_session_attrs"]
        arguments["target_session_attrs"] = _ROLES_FOR_READING.get(wanted, wanted)
    return {
        **arguments,
        "server_settings": settings,
        # Everything we send is sent once, and a pooler would hand the statements to others.
        "statement_cache_size": 0,
        "timeout": None,
    }


async def open_session(config: DatabaseConfig, *, read_only: bool) -> Session:
    """Connect to the database of *config*, all in all within ``connect_timeout`` seconds.

    Raises:
        ConnectError: Each cause with its own sentence and what to do next.
    """
    url: DatabaseURL | None = None
    raw: Any = None
    with anyio.move_on_after(config.connect_timeout):
        url = await config.resolve_url(migrating=not read_only)
        raw = await _connect(url, config, read_only=read_only)
    if raw is None or url is None:
        raise timed_out(config.connect_timeout, url, config.database_name)
    known = url

    async def reconnect() -> Any:
        return await _connect(known, config, read_only=read_only)

    grace = GRACE_READING if read_only else GRACE
    return Session(raw, config.database_name, reconnect, grace=grace)


async def _connect(url: DatabaseURL, config: DatabaseConfig, *, read_only: bool) -> Any:
    try:
        try:
            return await _dial(connect_arguments(url, config, read_only=read_only))
        except asyncpg.PostgresError as error:
            if not is_startup_refusal(error):
                raise
        return await _dial(connect_arguments(url, config, read_only=read_only, plain=True))
    except (
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        OSError,
        ValueError,
    ) as error:
        if files := await anyio.to_thread.run_sync(unreadable_files, url):
            raise _unreadable(files, config) from error
        raise connect_failure(error, url, config.database_name) from error


async def _dial(arguments: dict[str, Any]) -> Any:
    return await asyncpg.connect(**arguments)


def _unreadable(files: tuple[str, ...], config: DatabaseConfig) -> ConnectError:
    return ConnectError(
        f"a file that database_url names cannot be read: {', '.join(files)}",
        database=config.database_name,
        next_step="Correct the path, or make the file readable for this user.",
    )
