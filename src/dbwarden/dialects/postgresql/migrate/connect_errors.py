"""Explain why connecting failed, with a message for each cause."""

import errno
import os
import socket
import ssl

import asyncpg

from dbwarden.config.libpq import DEFAULT_PORT
from dbwarden.config.urls import DatabaseURL
from dbwarden.dialects.postgresql.sql.error_texts import PgBouncerText, PostgresText, errnos
from dbwarden.errors import (
    AccessDenied,
    ConnectError,
    DatabaseMissing,
    ReadOnlyDatabase,
    TooManyConnections,
    UsageError,
)
from dbwarden.quoting import quoted
from dbwarden.secrets import clean_cause, redact
from dbwarden.types import DatabaseName

OLDEST = 14
"""The oldest supported major version of PostgreSQL."""

_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ETIMEDOUT, errno.EHOSTDOWN}
_TRY_LATER = "Wait until it is ready with: dbwarden wait"
SCRATCH = "scratch"
"""The setting of ``database_config`` with the URL of a server for scratch databases."""


def place_of(url: DatabaseURL) -> str:
    """Return the server of *url* for messages: ``db.example:5432``, or a socket's folder.

    Missing parts come from libpq's environment variables, as for asyncpg.
    """
    hosts = url.hosts or ((os.environ.get("PGHOST", ""), None),)
    usual = os.environ.get("PGPORT") or DEFAULT_PORT
    return " or ".join(
        f"{name} (port {port or usual})"
        if name.startswith("/")
        else f"{name or 'localhost'}:{port or usual}"
        for name, port in hosts
    )


def is_startup_refusal(error: Exception) -> bool:
    """Return whether a pooler such as PgBouncer refused the settings of our startup packet."""
    return (
        isinstance(error, asyncpg.PostgresError)
        and error.sqlstate == "08P01"
        and PgBouncerText.STARTUP_PARAMETER.is_in(error)
    )


def timed_out(seconds: float, url: DatabaseURL | None, database: DatabaseName) -> ConnectError:
    """Return the error for a server that did not answer within ``connect_timeout``."""
    where = f"{place_of(url)} did not answer" if url is not None else "its URL was not known"
    return ConnectError(
        f"{where} within {seconds:g} s",
        database=database,
        next_step="Check host, port and firewall; a slow network needs a longer connect_timeout= "
        "in its database_config.",
    )


def server_too_old(major: int, url: DatabaseURL, database: DatabaseName) -> ConnectError | None:
    """Return the error for a server of version *major* that dbwarden does not support."""
    if major >= OLDEST:
        return None
    return ConnectError(
        f"{place_of(url)} runs PostgreSQL {major}, but dbwarden needs {OLDEST} or newer",
        database=database,
        next_step=f"Upgrade the server (pg_upgrade) to PostgreSQL {OLDEST} or newer.",
    )


def connect_failure(
    error: Exception, url: DatabaseURL, database: DatabaseName, setting: str = "database_url"
) -> ConnectError:
    """Return the error to show for *error*, which connecting to *url* raised.

    Raise it outside the ``except`` block, because *error* may hold the password and would become
    its context. *setting* is the setting that holds *url* and that the user has to correct.
    """
    kind, message, next_step = _explain(error, url, setting)
    if kind is DatabaseMissing and setting != SCRATCH:
        next_step = f"Create it with: dbwarden create-database -d {database}"
    raised = kind(message, database=database, next_step=next_step)
    raised.detail = getattr(error, "detail", None)
    raised.hint = getattr(error, "hint", None)
    raised.__cause__ = clean_cause(error)
    return raised


Explanation = tuple[type[ConnectError], str, str | None]


def _explain(error: Exception, url: DatabaseURL, setting: str) -> Explanation:
    match error:
        case asyncpg.TargetServerAttributeNotMatched():
            attributes = dict(url.query).get("target_session_attrs", "any")
            return (
                ConnectError,
                f"none of {place_of(url)} is what target_session_attrs={attributes} asks for",
                "Check which of them is the primary.",
            )
        case asyncpg.PostgresError() if error.sqlstate is not None:
            return _explain_server_error(error, url, setting)
        case asyncpg.ClientConfigurationError() | asyncpg.InterfaceError():
            return ConnectError, f"the driver cannot use the URL: {redact(str(error))}", None
        case ssl.SSLError():
            return _tls(error, url, setting)
        case OSError() | asyncpg.PostgresError():
            return _network(error, url, setting)
    return ConnectError, f"connecting to {place_of(url)} failed: {redact(str(error))}", None


def _password(url: DatabaseURL, setting: str, words: str) -> tuple[str, str]:
    if url.password is not None:
        return words, f"Check user and password in {setting}."
    return (
        f"{words}, and {setting} has none",
        "Put it into the environment: PGPASSWORD, or the whole URL in a variable that "
        f"{setting} is read from; or into ~/.pgpass. If it is there, correct it.",
    )


def _explain_server_error(
    error: asyncpg.PostgresError, url: DatabaseURL, setting: str
) -> Explanation:
    where, message = place_of(url), str(error).splitlines()[0]
    user = url.user or "the user that runs dbwarden"
    match error.sqlstate:
        case "28P01":
            role = f'user "{url.user}"' if url.user else user
            failure = f"password authentication failed on {where} for {role}"
            return AccessDenied, *_password(url, setting, failure)
        case "28000":
            return (
                AccessDenied,
                f"{where} refused {user}: {message}",
                _login_advice(message, setting),
            )
        case "42501":
            return (
                AccessDenied,
                f"{user} may not connect to {url.database!r} on {where}: {message}",
                f'Grant it: GRANT CONNECT ON DATABASE "{url.database}" TO "{user}";',
            )
        case "3D000":
            return _database_missing(url, setting)
        case "53300":
            return _too_many_connections(where, message)
        case "57P03" | "57P01" | "57P02":
            return ConnectError, f"{where} is not ready: {message}", _TRY_LATER
        case "55000":
            return (
                ConnectError,
                f"{url.database!r} on {where} takes no connections: {message}",
                None,
            )
        case "08P01" if PgBouncerText.STARTUP_PARAMETER.is_in(message):
            return (
                ConnectError,
                f"the pooler at {where} refused a setting of the URL's options: {message}",
                "Allow it with ignore_startup_parameters in the pooler, or set it for the role: "
                "ALTER ROLE ... SET ...",
            )
        case "08P01" if PgBouncerText.CONNECTION_LIMIT.is_in(message):
            return _too_many_connections(where, message)
        case "08P01" if PgBouncerText.MISSING_DATABASE.is_in(message):
            return _database_missing(url, setting)
    return ConnectError, f"{where} refused the connection: {message}", None


def _too_many_connections(where: str, message: str) -> Explanation:
    return (
        TooManyConnections,
        f"{where} takes no more connections: {message}",
        "Use fewer connections with --per-server, or raise the server's max_connections.",
    )


def _database_missing(url: DatabaseURL, setting: str) -> Explanation:
    name = url.database or url.user or ""
    return (
        DatabaseMissing,
        f"{place_of(url)} has no database {name!r}",
        f"Set {setting} to an existing database.",
    )


def _login_advice(message: str, setting: str) -> str:
    if PostgresText.LOGIN_MISSING.is_in(message):
        return f"Check the user in {setting}, or create the role with LOGIN."
    advice = "Check the server's pg_hba.conf for this user, database and address"
    if PostgresText.NO_ENCRYPTION.is_in(message):
        return f"{advice}; if it accepts only TLS, add ?sslmode=require to {setting}."
    return f"{advice}."


def _tls(error: ssl.SSLError, url: DatabaseURL, setting: str) -> Explanation:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            ConnectError,
            f"the certificate of {place_of(url)} cannot be trusted: {error.verify_message}",
            f"Name the authority's certificate with sslrootcert= in {setting}.",
        )
    reason = getattr(error, "reason", None) or str(error)
    return ConnectError, f"TLS with {place_of(url)} failed: {reason}", _tls_advice(setting)


def _tls_advice(setting: str) -> str:
    return f"Check sslmode= in {setting}: the server may offer no TLS, or another version."


def _network(error: Exception, url: DatabaseURL, setting: str) -> Explanation:
    where = place_of(url)
    numbers = set(errnos(error))
    if isinstance(error, socket.gaierror):
        names = " or ".join(name for name, _ in url.hosts)
        return ConnectError, f"the host {names} is not known", f"Check the host in {setting}."
    if isinstance(error, FileNotFoundError) or errno.ENOENT in numbers:
        return (
            ConnectError,
            f"there is no server's socket in {where}",
            f"Start the server, or correct host= in {setting}.",
        )
    if errno.ECONNREFUSED in numbers:
        return (
            ConnectError,
            f"nothing listens on {where}",
            f"Start the server, or correct host and port in {setting}.",
        )
    if isinstance(error, PermissionError):
        return ConnectError, f"permission denied for the server's socket in {where}", None
    if numbers & _UNREACHABLE:
        return ConnectError, f"{where} cannot be reached", "Check the network and the firewall."
    if PostgresText.TLS_REFUSED.is_in(error):
        return ConnectError, f"{where} refused TLS", _tls_advice(setting)
    return (
        ConnectError,
        f"{where} closed the connection before it was usable: {redact(str(error))}",
        "Check that it is a PostgreSQL server, and its log.",
    )


def may_not_create(role: str, error: asyncpg.PostgresError, database: DatabaseName) -> UsageError:
    """Return the error for a scratch server whose *role* may not create databases."""
    return UsageError(
        f"the role {role} may not create scratch databases: {error.args[0]}",
        database=database,
        next_step=f"Run ALTER ROLE {quoted(role)} CREATEDB on that server, or name a role that "
        "may create databases with scratch= in database_config.",
    )


def read_only(database: DatabaseName, *, replica: bool) -> ReadOnlyDatabase:
    """Return the error for a standby (*replica*) or a read-only user."""
    if replica:
        return ReadOnlyDatabase(
            "this server is a replica, which accepts no writes",
            database=database,
            next_step="Migrate its primary, and declare the replica with replica_of= in its "
            "database_config.",
        )
    return ReadOnlyDatabase(
        "transactions of this user are read-only by a setting of the role, the database or the "
        "server (default_transaction_read_only)",
        database=database,
        next_step="Name a user that may write in migration_url=, or remove the setting: "
        "ALTER ROLE ... RESET default_transaction_read_only;",
    )
