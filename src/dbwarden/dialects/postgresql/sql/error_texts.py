"""Recognize errors for which an SQLSTATE is not enough, by their English texts.

PostgreSQL has one SQLSTATE for every way to cancel a statement and for every missing object, and
does not report the object in a field. PgBouncer reports every refusal as a protocol violation.
asyncpg and asyncio raise plain ``ConnectionError`` and ``OSError`` whose cause is in their text.
PostgreSQL translates its texts if ``lc_messages`` says so; then the advice of an error is less
specific.
"""

import errno
from collections.abc import Iterator

from dbwarden.dialects.error_texts import ErrorText


class PostgresText(ErrorText):
    """The texts of PostgreSQL."""

    MISSING_ROLE = r'role "(.+)" does not exist'
    STATEMENT_TIMEOUT = r"statement timeout"
    LOGIN_MISSING = r"does not exist|not permitted to log in"
    NO_ENCRYPTION = r"no pg_hba\.conf entry.*(?:no encryption|SSL off)"
    TLS_REFUSED = r"SSL"


class PgBouncerText(ErrorText):
    """The texts of PgBouncer."""

    STARTUP_PARAMETER = r"unsupported startup parameter"
    CONNECTION_LIMIT = r"no more connections allowed"
    MISSING_DATABASE = r"no such database|does not exist$"


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
