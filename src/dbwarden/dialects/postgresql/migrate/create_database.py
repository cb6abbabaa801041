"""Create a database through a connection to a database that every server has."""

from dataclasses import replace

import anyio

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.config.urls import DatabaseURL
from dbwarden.dialects.base import NewDatabase
from dbwarden.dialects.postgresql.migrate.connecting import open_session
from dbwarden.dialects.postgresql.migrate.session import ServerRefused, Session
from dbwarden.dialects.postgresql.sql.quoting import literal
from dbwarden.errors import (
    AccessDenied,
    ConnectError,
    DatabaseMissing,
    DBWardenError,
    StatementFailed,
    UsageError,
)
from dbwarden.quoting import quoted

MAINTENANCE = ("postgres", "template1")
"""Databases to connect to while the new one does not exist. A connection to ``template1`` keeps
others from copying it, so it comes second."""

_EXISTS = ("42P04", "23505")


async def create_database(config: DatabaseConfig, new: NewDatabase) -> bool:
    """Create the database of *config*; return ``False`` if it exists already.

    Raises:
        ConnectError: The server cannot be reached.
        AccessDenied: This user may not create databases.
        UsageError: The template or owner does not exist.
        StatementFailed: The server refused it for another reason.
    """
    url = await config.resolve_url(migrating=True)
    name = url.database or url.user or ""
    session = await _session(config, url)
    try:
        exists = f"SELECT (EXISTS (SELECT FROM pg_database WHERE datname = {literal(name)}))::text"
        if await session.value(exists) == "true":
            return False
        await session.send(create_sql(name, new))
    except ServerRefused as refused:
        if refused.sqlstate in _EXISTS:  # created concurrently by another session
            return False
        raise _refused(refused, config, url, new) from refused
    finally:
        with anyio.CancelScope(shield=True):
            await session.close()
    return True


def create_sql(name: str, new: NewDatabase) -> str:
    """Return the statement that creates the database *name*."""
    # Only template0 may be copied in another encoding.
    template = new.template or ("template0" if new.encoding else None)
    parts = [f"CREATE DATABASE {quoted(name)}"]
    parts += [f"TEMPLATE {quoted(template)}"] if template else []
    parts += [f"OWNER {quoted(new.owner)}"] if new.owner else []
    parts += [f"ENCODING {literal(new.encoding)}"] if new.encoding else []
    return " ".join(parts)


async def _session(config: DatabaseConfig, url: DatabaseURL) -> Session:
    failures: list[ConnectError] = []
    for database in MAINTENANCE:
        maintenance_url = replace(url, database=database)
        place = replace(config, database_url=maintenance_url, migration_url=None)
        try:
            return await open_session(place, read_only=False)
        except (DatabaseMissing, AccessDenied) as error:
            failures.append(error)
    raise failures[0]


def _refused(
    refused: ServerRefused, config: DatabaseConfig, url: DatabaseURL, new: NewDatabase
) -> DBWardenError:
    name = config.database_name
    match refused.sqlstate:
        case "3D000" | "42704":
            return UsageError(refused.message, database=name, next_step="Correct that name.")
        case "42501":
            user = url.user or "the user that runs dbwarden"
            return AccessDenied(
                f"{user} may not create the database: {refused.message}",
                database=name,
                next_step=f'Grant it: ALTER ROLE "{user}" CREATEDB; or set migration_url '
                "to a user that may create databases.",
            )
        case "55006":
            return StatementFailed(
                f"the template cannot be copied now: {refused.message}",
                database=name,
                detail=refused.detail,
                next_step=f'Close all connections to it: ALTER DATABASE "{new.template}" '
                "ALLOW_CONNECTIONS false, and end its sessions.",
            )
    error = StatementFailed(
        f"the database cannot be created: {refused.message}",
        database=name,
        detail=refused.detail,
        hint=refused.hint,
    )
    error.sqlstate = refused.sqlstate
    return error
