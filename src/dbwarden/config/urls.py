"""Parse database URLs without SQLAlchemy, and show them without passwords."""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, quote_plus

from dbwarden.config import libpq
from dbwarden.config.names import did_you_mean
from dbwarden.config.syntax import (
    Hosts,
    Pairs,
    Parts,
    URLProblem,
    is_object,
    split_object,
    split_scheme,
)
from dbwarden.config.url_kinds import KIND_OF_SCHEME, KINDS, quote_value, url_kind
from dbwarden.errors import ConfigurationError
from dbwarden.secrets import MASK, Secret, remember
from dbwarden.types import DialectName

_SECRETS = ("sslpassword",)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DatabaseURL:
    """The address and credentials of one database.

    ``hosts`` are names, addresses or socket folders with their ports; ``("", port)`` is the
    driver's default host. ``database`` is a name, or for SQLite an absolute path, ``":memory:"``
    or a ``file:`` URI. ``query`` has validated parameters only. The repr shows no password.
    """

    dialect: DialectName
    driver: str | None = None
    user: str | None = None
    password: Secret[str] | None = None
    hosts: Hosts = ()
    database: str = ""
    query: Pairs = ()

    def __post_init__(self) -> None:
        hidden = [text for name, text in self.query if name in _SECRETS]
        for text in [*([self.password.reveal()] if self.password else []), *hidden]:
            remember(text)

    @property
    def display(self) -> str:
        """The URL without its driver and with ``***`` instead of passwords."""
        query = tuple((name, MASK if name in _SECRETS else text) for name, text in self.query)
        return _format_url(self.with_driver(None), MASK if self.password else None, query)

    def __repr__(self) -> str:
        return f"DatabaseURL({self.display!r})"

    def __str__(self) -> str:
        return self.display

    def render(self) -> str:
        """Return the complete URL with its password; :func:`parse_url` reads it back."""
        password = self.password.reveal() if self.password else None
        return _format_url(self, password, self.query)

    def with_driver(self, driver: str | None) -> Self:
        """Return the same URL for another driver."""
        return replace(self, driver=driver)

    def engine_parts(self) -> dict[str, Any]:
        """Return the arguments of ``sqlalchemy.URL.create`` for an async engine.

        For PostgreSQL they contain neither password nor query, because SQLAlchemy might print
        them. ``connect_args=engine_arguments(url)`` has these, and several hosts.
        """
        kind = url_kind(self.dialect)
        return {"drivername": f"{self.dialect}+{kind.async_driver}", **kind.engine_parts(self)}

    @property
    def file(self) -> Path | None:
        """The file of a database in a file; ``None`` in memory and on a server."""
        return url_kind(self.dialect).file(self)

    @property
    def is_in_memory(self) -> bool:
        """Whether only one connection sees the database."""
        return url_kind(self.dialect).is_in_memory(self)

    @property
    def target(self) -> str | None:
        """A key that is equal for URLs of one database; ``None`` if no other URL can reach it.

        Default ports, the addresses of ``localhost``, the case of hosts and symbolic links in
        paths are normalized. Reads links from the disk.
        """
        return url_kind(self.dialect).target(self)

    @property
    def server(self) -> str:
        """The server that holds the database: ``host:port``, or SQLite's file."""
        return url_kind(self.dialect).server(self)

    @property
    def connect_timeout(self) -> float | None:
        """The URL's ``connect_timeout`` in seconds."""
        seconds = dict(self.query).get("connect_timeout")
        return float(seconds) if seconds is not None else None

    @property
    def search_path(self) -> str | None:
        """The ``search_path`` that the URL's ``options`` set."""
        return libpq.server_settings(self).get("search_path")


def _format_url(url: DatabaseURL, password: str | None, query: Pairs) -> str:
    scheme = f"{url.dialect}+{url.driver}" if url.driver else url.dialect
    tail = "&".join(
        f"{quote(name)}={quote_value(value, quote_plus, '/:,')}" for name, value in query
    )
    return url_kind(url.dialect).format(url, scheme, password, f"?{tail}" if tail else "")


# -- parsing ----------------------------------------------------------------------------------


def parse_url(url: object, *, root: Path | None = None) -> DatabaseURL:
    """Read a database URL.

    Args:
        url: A string, a ``sqlalchemy.URL``, or one of pydantic's URL or secret types.
        root: The folder against which relative paths are resolved; the working folder by default.

    Raises:
        ConfigurationError: The URL is invalid; the message contains no password.
    """
    parsed = read_url(url, root or Path.cwd())
    # No frame of this error may hold the URL, because tools print local variables.
    del url
    if isinstance(parsed, DatabaseURL):
        return parsed
    raise ConfigurationError(f"the URL cannot be used: {parsed}")


def read_url(url: object, root: Path) -> DatabaseURL | str:
    """Read *url* as :func:`parse_url` does, but return a problem instead of raising it."""
    try:
        return _read(url.reveal() if isinstance(url, Secret) else url, root)
    except URLProblem as problem:
        return str(problem)


@lru_cache(maxsize=1024)
def read_url_once(url: Secret[Any], root: Path) -> DatabaseURL | str:
    """Read *url* as :func:`read_url` does, and cache the result."""
    return read_url(url, root)


def _read(url: object, root: Path) -> DatabaseURL:
    if isinstance(url, DatabaseURL):
        return url
    text = _text(url)
    if text is None:
        scheme, _, driver = str(getattr(url, "drivername", "")).partition("+")
        dialect = _read_kind(scheme.lower(), driver.lower() or None)
        parts = split_object(url)
    else:
        scheme, url_driver, rest = split_scheme(text)
        driver = url_driver or ""
        dialect = _read_kind(scheme, url_driver)
        parts = url_kind(dialect).split(rest)
    return _build_url(dialect, driver or None, url_kind(dialect).normalize(parts, root))


def _build_url(dialect: DialectName, driver: str | None, parts: Parts) -> DatabaseURL:
    return DatabaseURL(
        dialect=dialect,
        driver=driver,
        user=parts.user,
        password=Secret(parts.password) if parts.password else None,
        hosts=parts.hosts,
        database=parts.database,
        query=parts.query,
    )


def _text(url: object) -> str | None:
    """Return *url* as text; ``None`` for a ``sqlalchemy.URL``, whose attributes are read."""
    if is_object(url):
        return None
    for method in ("get_secret_value", "unicode_string"):  # pydantic's secrets and URLs
        if hasattr(url, method):
            return _text(getattr(url, method)())
    if url is None:
        raise URLProblem("it is None; is the environment variable set?")
    if not isinstance(url, str):
        raise URLProblem(f"it is of type {type(url).__name__}, not a string or a sqlalchemy.URL")
    if not url.strip():
        raise URLProblem("it is empty; is the environment variable set?")
    return url.strip()


def _read_kind(scheme: str, driver: str | None) -> DialectName:
    dialect = KIND_OF_SCHEME.get(scheme)
    if dialect is None:
        hint = did_you_mean(scheme, KIND_OF_SCHEME)
        raise URLProblem(
            f"{scheme!r} is no kind of database that dbwarden speaks{hint}; it speaks "
            f"{' and '.join(KINDS)}"
        )
    kind = url_kind(dialect)
    if driver is not None and driver not in kind.drivers:
        raise URLProblem(
            f"the driver {driver!r} is not known; dbwarden always uses {kind.async_driver}, "
            f"and reads URLs written for {', '.join(kind.drivers)}"
        )
    return dialect
