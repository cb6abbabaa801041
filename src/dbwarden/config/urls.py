"""Database URLs as values: parsed without SQLAlchemy, shown without passwords."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, quote_plus

from dbwarden.config import libpq, sqlite
from dbwarden.config.names import did_you_mean
from dbwarden.config.syntax import (
    Hosts,
    Pairs,
    Parts,
    URLProblem,
    is_object,
    split_file,
    split_object,
    split_scheme,
    split_server,
)
from dbwarden.errors import ConfigurationError
from dbwarden.secrets import MASK, Secret, remember
from dbwarden.types import DialectName

_KINDS: dict[str, DialectName] = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "sqlite": "sqlite",
}
_DRIVERS: dict[DialectName, tuple[str, ...]] = {
    "postgresql": (*("asyncpg", "psycopg", "psycopg_async", "psycopg2", "psycopg2cffi", "pg8000"),),
    "sqlite": ("aiosqlite", "pysqlite"),
}
ASYNC_DRIVERS: dict[DialectName, str] = {"postgresql": "asyncpg", "sqlite": "aiosqlite"}
"""The driver that the app's sessions use, whatever the URL says."""

_SECRETS = ("sslpassword",)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DatabaseURL:
    """Where one database is and how to get in.

    ``hosts`` are names, addresses or socket folders with their ports; ``("", port)`` is the
    driver's default place. ``database`` is a name, for SQLite an absolute path, ``":memory:"`` or
    a ``file:`` URI. ``query`` holds checked parameters only. Its repr shows no password.
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
        """The URL to show to people: passwords are ``***``, and there is no driver."""
        query = tuple((name, MASK if name in _SECRETS else text) for name, text in self.query)
        return _written(self.with_driver(None), MASK if self.password else None, query)

    def __repr__(self) -> str:
        return f"DatabaseURL({self.display!r})"

    def __str__(self) -> str:
        return self.display

    def render(self) -> str:
        """The whole URL with its password; :func:`parse_url` reads the same value back."""
        password = self.password.reveal() if self.password else None
        return _written(self, password, self.query)

    def with_driver(self, driver: str | None) -> Self:
        """The same URL for another driver."""
        return replace(self, driver=driver)

    def engine_parts(self) -> dict[str, Any]:
        """The arguments of ``sqlalchemy.URL.create`` for an async engine.

        For PostgreSQL there is neither password nor query: ``connect_args=engine_arguments(url)``
        brings them, and several hosts, past every place where SQLAlchemy might print them.
        """
        drivername = f"{self.dialect}+{ASYNC_DRIVERS[self.dialect]}"
        if self.dialect == "sqlite":
            return {
                "drivername": drivername,
                "database": self.database,
                "query": dict(self.query),
            }
        host, port = self.hosts[0] if self.hosts else ("", None)
        return {
            "drivername": drivername,
            "username": self.user,
            "host": host or None,
            "port": port,
            "database": self.database or None,
        }

    @property
    def file(self) -> Path | None:
        """SQLite's file; ``None`` in memory and on other kinds."""
        return sqlite.file_of(self.database, self.query) if self.dialect == "sqlite" else None

    @property
    def target(self) -> str | None:
        """The same text for two URLs that lead to one database; ``None`` when none other can.

        Default ports, ``localhost`` and its addresses, the case of hosts and links in paths are
        settled first. Reads links from the disk.
        """
        if self.dialect == "sqlite":
            return f"sqlite:{os.path.realpath(self.file)}" if self.file else None
        attributes = dict(self.query).get("target_session_attrs", "any")
        which = f"?{attributes}" if len(self.hosts) > 1 and attributes != "any" else ""
        return f"postgresql://{self._places}/{quote(self.database or self.user or '')}{which}"

    @property
    def server(self) -> str:
        """What shares its connections with this database: ``host:port``, or SQLite's file."""
        if self.dialect == "sqlite":
            return str(self.file or sqlite.MEMORY)
        return self._places

    @property
    def _places(self) -> str:
        hosts = self.hosts or (("", None),)
        return ",".join(sorted(f"{_place(name)}:{port or 5432}" for name, port in hosts))

    @property
    def connect_timeout(self) -> float | None:
        """The seconds that the URL gives connecting."""
        asked = dict(self.query).get("connect_timeout")
        return float(asked) if asked is not None else None

    @property
    def search_path(self) -> str | None:
        """The ``search_path`` that the URL's ``options`` set."""
        return libpq.server_settings(self).get("search_path")


def _place(host: str) -> str:
    if host.startswith("/"):
        return os.path.realpath(host)
    name = host.lower().rstrip(".")
    if ":" in name:
        from ipaddress import ip_address

        name = ip_address(name).compressed
    if name in _LOOPBACK:
        return "localhost"
    return name


def _written(url: DatabaseURL, password: str | None, query: Pairs) -> str:
    scheme = f"{url.dialect}+{url.driver}" if url.driver else url.dialect
    tail = "&".join(f"{quote(name)}={_quoted(value, quote_plus, '/:,')}" for name, value in query)
    tail = f"?{tail}" if tail else ""
    if url.dialect == "sqlite":
        return f"{scheme}:///{quote(url.database, safe='/:', errors='surrogateescape')}{tail}"
    login = ""
    if url.user or password:
        after = f":{_quoted(password, quote, '')}" if password else ""
        login = f"{quote(url.user or '', safe='')}{after}@"
    hosts = ",".join(_written_host(name, port) for name, port in url.hosts)
    return f"{scheme}://{login}{hosts}/{quote(url.database, safe='')}{tail}"


def _quoted(value: str, quoting: Callable[..., str], safe: str) -> str:
    return value if value == MASK else quoting(value, safe=safe)


def _written_host(name: str, port: int | None) -> str:
    ipv6 = ":" in name and not name.startswith("/")
    written = f"[{quote(name, safe=':')}]" if ipv6 else quote(name, safe="")
    return f"{written}:{port}" if port else written


# -- parsing ----------------------------------------------------------------------------------


def parse_url(url: object, *, root: Path | None = None) -> DatabaseURL:
    """Read a database URL.

    Args:
        url: A string, a ``sqlalchemy.URL``, or one of pydantic's URL or secret types.
        root: The folder from which relative paths count; the working folder when left out.

    Raises:
        ConfigurationError: What is wrong, in words that hold no password.
    """
    parsed = read_url(url, root or Path.cwd())
    # No frame of this error may hold the URL: tools print local variables with a traceback.
    del url
    if isinstance(parsed, DatabaseURL):
        return parsed
    raise ConfigurationError(f"the URL cannot be used: {parsed}")


def read_url(url: object, root: Path) -> DatabaseURL | str:
    """:func:`parse_url` that returns what is wrong instead of raising it."""
    try:
        return _read(url.reveal() if isinstance(url, Secret) else url, root)
    except URLProblem as problem:
        return str(problem)


@lru_cache(maxsize=1024)
def read_url_once(url: Secret[Any], root: Path) -> DatabaseURL | str:
    """:func:`read_url` for the URLs of a configuration, which stay what they are."""
    return read_url(url, root)


def _read(url: object, root: Path) -> DatabaseURL:
    if isinstance(url, DatabaseURL):
        return url
    text = _text(url)
    if text is None:
        scheme, _, driver = str(getattr(url, "drivername", "")).partition("+")
        dialect = _kind(scheme.lower(), driver.lower() or None)
        parts = split_object(url)
    else:
        scheme, written, rest = split_scheme(text)
        driver = written or ""
        dialect = _kind(scheme, written)
        parts = split_file(rest) if dialect == "sqlite" else split_server(rest)
    settled = sqlite.settle(parts, root) if dialect == "sqlite" else libpq.settle(parts, root)
    return _value(dialect, driver or None, settled)


def _value(dialect: DialectName, driver: str | None, parts: Parts) -> DatabaseURL:
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
    """The text of *url*; ``None`` for a ``sqlalchemy.URL``, which is read by its attributes."""
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


def _kind(scheme: str, driver: str | None) -> DialectName:
    dialect = _KINDS.get(scheme)
    if dialect is None:
        hint = did_you_mean(scheme, _KINDS)
        raise URLProblem(
            f"{scheme!r} is no kind of database that dbwarden speaks{hint}; it speaks postgresql "
            "and sqlite"
        )
    if driver is not None and driver not in _DRIVERS[dialect]:
        known = ", ".join(_DRIVERS[dialect])
        raise URLProblem(
            f"the driver {driver!r} is not known; dbwarden always uses {ASYNC_DRIVERS[dialect]}, "
            f"and reads URLs written for {known}"
        )
    return dialect
