"""Parse database URLs without SQLAlchemy, and show them without passwords."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, assert_never, get_args
from urllib.parse import quote, quote_plus

from dbwarden.config import libpq, sqlite
from dbwarden.config.names import did_you_mean
from dbwarden.config.syntax import (
    Hosts,
    UrlPairs,
    UrlParts,
    URLProblem,
    is_object,
    split_file,
    split_object,
    split_scheme,
    split_server,
)
from dbwarden.errors import ConfigurationError
from dbwarden.secrets import MASK, Secret, remember
from dbwarden.types import LONGEST_NAME, DialectName

KINDS: tuple[DialectName, ...] = get_args(DialectName)

_SECRETS = ("sslpassword",)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DatabaseURL(ABC):
    """The address and credentials of one database; each kind of database has its own class.

    ``hosts`` are names, addresses or socket folders with their ports; ``("", port)`` is the
    driver's default host. ``database`` is a name, or for SQLite an absolute path, ``":memory:"``
    or a ``file:`` URI. ``query`` has validated parameters only. The repr shows no password.

    Attributes:
        dialect: The kind of database.
        title: The kind in messages.
        schemes: The schemes of its URLs, the kind's own name first.
        drivers: The drivers that URLs may name.
        async_driver: The driver of the application's sessions, whichever driver the URL names.
        has_namespaces: Whether a database has namespaces.
        has_server: Whether databases share the connection limit of a server.
        has_embedded: Whether dbwarden has a development server of this kind.
        longest_name: The maximum length of a database's name in bytes, if there is one.
    """

    dialect: ClassVar[DialectName]
    title: ClassVar[str]
    schemes: ClassVar[tuple[str, ...]]
    drivers: ClassVar[tuple[str, ...]]
    async_driver: ClassVar[str]
    has_namespaces: ClassVar[bool]
    has_server: ClassVar[bool]
    has_embedded: ClassVar[bool]
    longest_name: ClassVar[int | None] = None

    driver: str | None = None
    user: str | None = None
    password: Secret[str] | None = None
    hosts: Hosts = ()
    database: str = ""
    query: UrlPairs = ()

    def __post_init__(self) -> None:
        hidden = [text for name, text in self.query if name in _SECRETS]
        for text in [*([self.password.reveal()] if self.password else []), *hidden]:
            remember(text)

    @staticmethod
    @abstractmethod
    def split(rest: str) -> UrlParts:
        """Split what follows the scheme."""

    @staticmethod
    @abstractmethod
    def normalize(parts: UrlParts, root: Path) -> UrlParts:
        """Validate all parts; *root* is the folder of relative paths."""

    @abstractmethod
    def format(self, scheme: str, password: str | None, query: str) -> str:
        """Return the URL as text."""

    @property
    def display(self) -> str:
        """The URL without its driver and with ``***`` instead of passwords."""
        query = tuple((name, MASK if name in _SECRETS else text) for name, text in self.query)
        return self.format(self.dialect, MASK if self.password else None, _format_query(query))

    def __repr__(self) -> str:
        return f"DatabaseURL({self.display!r})"

    def __str__(self) -> str:
        return self.display

    def render(self) -> str:
        """Return the complete URL with its password; :func:`parse_url` reads it back."""
        scheme = f"{self.dialect}+{self.driver}" if self.driver else self.dialect
        password = self.password.reveal() if self.password else None
        return self.format(scheme, password, _format_query(self.query))

    @abstractmethod
    def engine_parts(self) -> dict[str, Any]:
        """Return the arguments of ``sqlalchemy.URL.create`` for an async engine."""

    @property
    def file(self) -> Path | None:
        """The file of a database in a file; ``None`` in memory and on a server."""
        return None

    @property
    def is_in_memory(self) -> bool:
        """Whether only one connection sees the database."""
        return False

    @property
    @abstractmethod
    def target(self) -> str | None:
        """A key that is equal for URLs of one database; ``None`` if no other URL can reach it.

        Default ports, the addresses of ``localhost``, the case of hosts and symbolic links in
        paths are normalized. Reads links from the disk.
        """

    @property
    @abstractmethod
    def server(self) -> str:
        """The server that holds the database: ``host:port``, or SQLite's file."""

    @property
    def connect_timeout(self) -> float | None:
        """The URL's ``connect_timeout`` in seconds."""
        seconds = dict(self.query).get("connect_timeout")
        return float(seconds) if seconds is not None else None


class PostgreSQLURL(DatabaseURL):
    """The URL of a PostgreSQL database."""

    __slots__ = ()

    dialect = "postgresql"
    title = "PostgreSQL"
    schemes = ("postgresql", "postgres")
    drivers = ("asyncpg", "psycopg", "psycopg_async", "psycopg2", "psycopg2cffi", "pg8000")
    async_driver = "asyncpg"
    has_namespaces = has_server = has_embedded = True
    longest_name = LONGEST_NAME
    split = staticmethod(split_server)
    normalize = staticmethod(libpq.normalize)

    def format(self, scheme: str, password: str | None, query: str) -> str:
        """Return the URL as text."""
        login = ""
        if self.user or password:
            after = f":{_quote_value(password, quote, '')}" if password else ""
            login = f"{quote(self.user or '', safe='')}{after}@"
        hosts = ",".join(_format_host(name, port) for name, port in self.hosts)
        return f"{scheme}://{login}{hosts}/{quote(self.database, safe='')}{query}"

    def engine_parts(self) -> dict[str, Any]:
        """Return the arguments of ``sqlalchemy.URL.create`` for an async engine.

        They contain neither password nor query, because SQLAlchemy might print them.
        ``connect_args=engine_arguments(url)`` has these, and several hosts.
        """
        host, port = self.hosts[0] if self.hosts else ("", None)
        return {
            "drivername": f"{self.dialect}+{self.async_driver}",
            "username": self.user,
            "host": host or None,
            "port": port,
            "database": self.database or None,
        }

    @property
    def target(self) -> str:
        """The servers and the database."""
        attributes = dict(self.query).get("target_session_attrs", "any")
        which = f"?{attributes}" if len(self.hosts) > 1 and attributes != "any" else ""
        return f"postgresql://{self.server}/{quote(self.database or self.user or '')}{which}"

    @property
    def server(self) -> str:
        """The server, ``host:port``, or several."""
        hosts = self.hosts or (("", None),)
        addresses = (
            f"{_normalize_host(name)}:{port or libpq.DEFAULT_PORT}" for name, port in hosts
        )
        return ",".join(sorted(addresses))


class SQLiteURL(DatabaseURL):
    """The URL of an SQLite database."""

    __slots__ = ()

    dialect = "sqlite"
    title = "SQLite"
    schemes = ("sqlite",)
    drivers = ("aiosqlite", "pysqlite")
    async_driver = "aiosqlite"
    has_namespaces = has_server = has_embedded = False
    split = staticmethod(split_file)
    normalize = staticmethod(sqlite.normalize)

    def format(self, scheme: str, password: str | None, query: str) -> str:
        """Return the URL as text."""
        return f"{scheme}:///{quote(self.database, safe='/:', errors='surrogateescape')}{query}"

    def engine_parts(self) -> dict[str, Any]:
        """Return the arguments of ``sqlalchemy.URL.create`` for an async engine."""
        driver = f"{self.dialect}+{self.async_driver}"
        return {"drivername": driver, "database": self.database, "query": dict(self.query)}

    @property
    def file(self) -> Path | None:
        """The file; ``None`` in memory."""
        return sqlite.file_of(self.database, self.query)

    @property
    def is_in_memory(self) -> bool:
        """Whether only one connection sees the database."""
        return self.file is None

    @property
    def target(self) -> str | None:
        """The file without links; ``None`` in memory."""
        return f"sqlite:{os.path.realpath(file)}" if (file := self.file) else None

    @property
    def server(self) -> str:
        """The file."""
        return str(self.file or sqlite.MEMORY)


def url_class(kind: DialectName) -> type[DatabaseURL]:
    """Return the class of the URLs of *kind*."""
    match kind:
        case "postgresql":
            return PostgreSQLURL
        case "sqlite":
            return SQLiteURL
        case _:
            assert_never(kind)


EMBEDDED_KIND: DialectName = next(kind for kind in KINDS if url_class(kind).has_embedded)
"""The kind of the project's development server."""

_KIND_OF_SCHEME: Mapping[str, DialectName] = {
    scheme: kind for kind in KINDS for scheme in url_class(kind).schemes
}


def _format_query(query: UrlPairs) -> str:
    pairs = (f"{quote(name)}={_quote_value(value, quote_plus, '/:,')}" for name, value in query)
    return f"?{'&'.join(pairs)}" if query else ""


def _quote_value(value: str, function: Callable[..., str], safe: str) -> str:
    """Quote *value* with *function*, except for the mask of a secret."""
    return value if value == MASK else function(value, safe=safe)


def _normalize_host(host: str) -> str:
    if host.startswith("/"):
        return os.path.realpath(host)
    name = host.lower().rstrip(".")
    if ":" in name:
        from ipaddress import ip_address

        name = ip_address(name).compressed
    return "localhost" if name in _LOOPBACK else name


def _format_host(name: str, port: int | None) -> str:
    is_ipv6 = ":" in name and not name.startswith("/")
    host = f"[{quote(name, safe=':')}]" if is_ipv6 else quote(name, safe="")
    return f"{host}:{port}" if port else host


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
        scheme, _, driver = str(getattr(url, "drivername", "")).lower().partition("+")
        kind = _read_kind(scheme, driver)
        parts = split_object(url)
    else:
        scheme, driver, rest = split_scheme(text)
        kind = _read_kind(scheme, driver)
        parts = kind.split(rest)
    return kind(driver=driver or None, **vars(kind.normalize(parts, root)))


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


def _read_kind(scheme: str, driver: str) -> type[DatabaseURL]:
    dialect = _KIND_OF_SCHEME.get(scheme)
    if dialect is None:
        hint = did_you_mean(scheme, _KIND_OF_SCHEME)
        raise URLProblem(
            f"{scheme!r} is no kind of database that dbwarden speaks{hint}; it speaks "
            f"{' and '.join(KINDS)}"
        )
    kind = url_class(dialect)
    if driver and driver not in kind.drivers:
        raise URLProblem(
            f"the driver {driver!r} is not known; dbwarden always uses {kind.async_driver}, "
            f"and reads URLs written for {', '.join(kind.drivers)}"
        )
    return kind
