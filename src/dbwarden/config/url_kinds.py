"""Define what is particular to the URLs of each database kind."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, assert_never, get_args
from urllib.parse import quote

from dbwarden.config import libpq, sqlite
from dbwarden.config.syntax import Parts, split_file, split_server
from dbwarden.secrets import MASK
from dbwarden.types import DialectName

if TYPE_CHECKING:
    from dbwarden.config.urls import DatabaseURL

KINDS: tuple[DialectName, ...] = get_args(DialectName)

LONGEST_NAME = 63
"""The maximum length of the name of a database or schema object in bytes, on PostgreSQL."""

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class UrlKind(Protocol):
    """The URLs of one database kind.

    Attributes:
        title: The kind in messages.
        schemes: The schemes, the kind's own name first.
        drivers: The drivers that URLs may name.
        async_driver: The driver of the application's sessions, whichever driver the URL names.
        has_namespaces: Whether a database has namespaces.
        has_server: Whether databases share the connection limit of a server.
        has_embedded: Whether dbwarden has a development server of this kind.
        longest_name: The maximum length of a database's name in bytes, if there is one.
    """

    title: str
    schemes: tuple[str, ...]
    drivers: tuple[str, ...]
    async_driver: str
    has_namespaces: bool
    has_server: bool
    has_embedded: bool
    longest_name: int | None

    def split(self, rest: str) -> Parts:
        """Split what follows the scheme."""
        ...

    def normalize(self, parts: Parts, root: Path) -> Parts:
        """Validate all parts; *root* is the folder of relative paths."""
        ...

    def format(self, url: "DatabaseURL", scheme: str, password: str | None, query: str) -> str:
        """Return *url* as text."""
        ...

    def engine_parts(self, url: "DatabaseURL") -> dict[str, Any]:
        """Return arguments of ``sqlalchemy.URL.create``; see :meth:`DatabaseURL.engine_parts`."""
        ...

    def file(self, url: "DatabaseURL") -> Path | None:
        """Return the database's file; see :attr:`DatabaseURL.file`."""
        del url
        return None

    def is_in_memory(self, url: "DatabaseURL") -> bool:
        """Return whether only one connection sees the database."""
        del url
        return False

    def target(self, url: "DatabaseURL") -> str | None:
        """Return a key of the database; see :attr:`DatabaseURL.target`."""
        ...

    def server(self, url: "DatabaseURL") -> str:
        """Return the server or file that holds the database."""
        ...


class _PostgreSQL(UrlKind):
    title = "PostgreSQL"
    schemes = ("postgresql", "postgres")
    drivers = ("asyncpg", "psycopg", "psycopg_async", "psycopg2", "psycopg2cffi", "pg8000")
    async_driver = "asyncpg"
    has_namespaces = True
    has_server = True
    has_embedded = True
    longest_name = LONGEST_NAME

    def split(self, rest: str) -> Parts:
        return split_server(rest)

    def normalize(self, parts: Parts, root: Path) -> Parts:
        return libpq.normalize(parts, root)

    def format(self, url: "DatabaseURL", scheme: str, password: str | None, query: str) -> str:
        login = ""
        if url.user or password:
            after = f":{quote_value(password, quote, '')}" if password else ""
            login = f"{quote(url.user or '', safe='')}{after}@"
        hosts = ",".join(_format_host(name, port) for name, port in url.hosts)
        return f"{scheme}://{login}{hosts}/{quote(url.database, safe='')}{query}"

    def engine_parts(self, url: "DatabaseURL") -> dict[str, Any]:
        host, port = url.hosts[0] if url.hosts else ("", None)
        return {
            "username": url.user,
            "host": host or None,
            "port": port,
            "database": url.database or None,
        }

    def target(self, url: "DatabaseURL") -> str | None:
        attributes = dict(url.query).get("target_session_attrs", "any")
        which = f"?{attributes}" if len(url.hosts) > 1 and attributes != "any" else ""
        return f"postgresql://{self.server(url)}/{quote(url.database or url.user or '')}{which}"

    def server(self, url: "DatabaseURL") -> str:
        hosts = url.hosts or (("", None),)
        addresses = (
            f"{_normalize_host(name)}:{port or libpq.DEFAULT_PORT}" for name, port in hosts
        )
        return ",".join(sorted(addresses))


class _SQLite(UrlKind):
    title = "SQLite"
    schemes = ("sqlite",)
    drivers = ("aiosqlite", "pysqlite")
    async_driver = "aiosqlite"
    has_namespaces = False
    has_server = False
    has_embedded = False
    longest_name = None

    def split(self, rest: str) -> Parts:
        return split_file(rest)

    def normalize(self, parts: Parts, root: Path) -> Parts:
        return sqlite.normalize(parts, root)

    def format(self, url: "DatabaseURL", scheme: str, password: str | None, query: str) -> str:
        del password
        return f"{scheme}:///{quote(url.database, safe='/:', errors='surrogateescape')}{query}"

    def engine_parts(self, url: "DatabaseURL") -> dict[str, Any]:
        return {"database": url.database, "query": dict(url.query)}

    def file(self, url: "DatabaseURL") -> Path | None:
        return sqlite.file_of(url.database, url.query)

    def is_in_memory(self, url: "DatabaseURL") -> bool:
        return self.file(url) is None

    def target(self, url: "DatabaseURL") -> str | None:
        file = self.file(url)
        return f"sqlite:{os.path.realpath(file)}" if file else None

    def server(self, url: "DatabaseURL") -> str:
        return str(self.file(url) or sqlite.MEMORY)


_POSTGRESQL, _SQLITE = _PostgreSQL(), _SQLite()


def url_kind(kind: DialectName) -> UrlKind:
    """Return what is particular to the URLs of *kind*."""
    match kind:
        case "postgresql":
            return _POSTGRESQL
        case "sqlite":
            return _SQLITE
        case _:
            assert_never(kind)


EMBEDDED_KIND: DialectName = next(kind for kind in KINDS if url_kind(kind).has_embedded)
"""The kind of the project's development server."""

KIND_OF_SCHEME: Mapping[str, DialectName] = {
    scheme: kind for kind in KINDS for scheme in url_kind(kind).schemes
}


def quote_value(value: str, function: Callable[..., str], safe: str) -> str:
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
