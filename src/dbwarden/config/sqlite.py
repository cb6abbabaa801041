"""Read the file and its options from a SQLite URL. Pure except for absolute paths."""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from dbwarden.config.names import did_you_mean
from dbwarden.config.syntax import FILE_FORMS, UrlPairs, UrlParts, URLProblem

if TYPE_CHECKING:
    from dbwarden.config.urls import DatabaseURL

MEMORY = ":memory:"
_DRIVER = ("timeout", "isolation_level", "detect_types", "check_same_thread", "cached_statements")
_FILE = ("mode", "cache", "immutable", "nolock", "psow", "vfs", "modeof")
_YES = ("true", "1", "yes", "on", "t", "y")
_NO = ("false", "0", "no", "off", "f", "n")


def normalize(parts: UrlParts, root: Path) -> UrlParts:
    """Make the path absolute (from *root*) and validate every parameter.

    Raises:
        URLProblem: The URL has a host, an unknown parameter, or one that needs ``uri=true``.
    """
    if parts.hosts or parts.user or parts.password:
        raise URLProblem(FILE_FORMS)
    query = dict(parts.query)
    if len(query) < len(parts.query):
        raise URLProblem("a parameter is given twice")
    given = query.pop("uri", "false").lower()
    if given not in _YES + _NO:
        raise URLProblem("uri is true or false")
    uri = given in _YES
    _check(query, uri)
    if uri != parts.database.startswith("file:"):
        raise URLProblem("a file: name and uri=true go together (sqlite:///file:app.db?uri=true)")
    path = _uri_path(parts.database) if uri else parts.database
    absolute = os.path.normpath(root / path)
    if not uri:
        return replace(parts, database=absolute if path not in ("", MEMORY) else MEMORY)
    in_memory = path in ("", MEMORY) or query.get("mode") == "memory"
    name = parts.database if in_memory else "file:" + quote(absolute)
    return replace(parts, database=name, query=(*query.items(), ("uri", "true")))


def _check(query: dict[str, str], uri: bool) -> None:
    for name in query:
        if name in _FILE and not uri:
            raise URLProblem(f"{name} needs a file: name and uri=true beside it")
        if name not in _FILE + _DRIVER:
            known = (*_DRIVER, *_FILE, "uri")
            raise URLProblem(f"{name!r} is no parameter of SQLite{did_you_mean(name, known)}")
    if "timeout" in query and not query["timeout"].replace(".", "", 1).isdecimal():
        raise URLProblem("timeout is a number of seconds")


def _uri_path(database: str) -> str:
    """Return the path in ``file:path``, ``file:///path`` or ``file://localhost/path``."""
    path = database.removeprefix("file:")
    if path.startswith("//"):
        host, _, path = path[2:].partition("/")
        if host not in ("", "localhost"):
            raise URLProblem("a file: name with two slashes has no host, or localhost")
        path = "/" + path
    return unquote(path)


def file_of(database: str, query: UrlPairs) -> Path | None:
    """Return the file of a normalized URL; ``None`` in memory."""
    in_memory = ("mode", "memory") in query
    path = _uri_path(database) if database.startswith("file:") else database
    return None if in_memory or path in ("", MEMORY) else Path(path)


def sqlite_arguments(url: "DatabaseURL") -> dict[str, Any]:
    """Return the arguments of ``sqlite3.connect`` for *url*.

    Returns:
        ``database``, ``uri``, and ``timeout`` in seconds if the URL has one. Parameters of the
        application's sessions only (``isolation_level``, ``detect_types`` ...) are not included.
    """
    query = dict(url.query)
    uri = "uri" in query
    given = "&".join(f"{name}={quote(query[name])}" for name in _FILE if name in query)
    database = f"{url.database}?{given}" if uri and given else url.database
    timeout = {"timeout": float(query["timeout"])} if "timeout" in query else {}
    return {"database": database, "uri": uri, **timeout}
