"""Recognize errors for which SQLSTATE is not enough, by their English texts.

PostgreSQL has one SQLSTATE for every way to cancel a statement and for every missing object, and
does not report the object in a field. PgBouncer reports every refusal as a protocol violation.
asyncpg and asyncio raise plain ``ConnectionError`` and ``OSError`` whose cause is in their text.
Every decision on the text of an error is in this module. PostgreSQL translates its texts if
``lc_messages`` says so; then the advice of an error is less specific.
"""

import errno
import re
from collections.abc import Iterator

_MISSING_ROLE = re.compile(r'role "(.+)" does not exist')


def missing_role(error: Exception) -> str | None:
    """Return the role that *error* reports as missing, if any."""
    match = _MISSING_ROLE.search(str(error.args[0]) if error.args else "")
    return match[1] if match else None


def reports_statement_timeout(message: str) -> bool:
    """Return whether a statement was cancelled because of its ``statement_timeout``."""
    return "statement timeout" in message


def reports_startup_parameter(message: str) -> bool:
    """Return whether PgBouncer refused a parameter of the startup packet."""
    return "unsupported startup parameter" in message


def reports_connection_limit(message: str) -> bool:
    """Return whether PgBouncer accepts no more connections."""
    return "no more connections allowed" in message


def reports_missing_database(message: str) -> bool:
    """Return whether PgBouncer does not know the database."""
    return "no such database" in message or message.endswith("does not exist")


def reports_missing_login(message: str) -> bool:
    """Return whether a login failed because the role does not exist or has no LOGIN."""
    return "does not exist" in message or "not permitted to log in" in message


def reports_missing_encryption(message: str) -> bool:
    """Return whether pg_hba.conf has no entry for a connection without TLS."""
    return "no pg_hba.conf entry" in message and (
        "no encryption" in message or "SSL off" in message
    )


def reports_tls(error: Exception) -> bool:
    """Return whether asyncpg reports that the server refused TLS."""
    return "SSL" in str(error)


def errnos(error: BaseException | None) -> Iterator[int]:
    """Yield every errno in *error*; asyncio joins those of several addresses into one text."""
    while error is not None:
        if isinstance(error, OSError):
            if error.errno is not None:
                yield error.errno
            for number in (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH):
                if f"[Errno {number}]" in str(error):
                    yield number
        error = error.__cause__
