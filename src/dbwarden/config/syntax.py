"""Split the text of a database URL into its parts, for every database kind. Pure.

Messages quote no part of the URL that could belong to a password.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote, unquote_plus

from dbwarden.secrets import Secret

Hosts = tuple[tuple[str, int | None], ...]
UrlPairs = tuple[tuple[str, str], ...]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)(?:\+([A-Za-z0-9_.-]+))?://")
_ENCODE = "write @ as %40, : as %3A, / as %2F, ? as %3F and % as %25 in user and password"


FILE_FORMS = (
    "a SQLite URL has three slashes before a path in the project (sqlite:///data/app.db), four "
    "before an absolute path (sqlite:////srv/app.db), and no host, user or port"
)


class URLProblem(Exception):
    """A problem of a URL, without secrets; internal to ``dbwarden.config``."""


@dataclass(frozen=True, kw_only=True, repr=False)
class UrlParts:
    """The percent-decoded parts of a URL."""

    user: str | None = None
    password: Secret[str] | None = None
    hosts: Hosts = ()
    database: str = ""
    query: UrlPairs = ()


def as_password(text: str | None) -> Secret[str] | None:
    """Return *text* as a password; ``None`` if there is none."""
    return Secret(text) if text else None


def split_scheme(text: str) -> tuple[str, str, str]:
    """Cut *text* into scheme, driver and the rest after ``://``.

    Raises:
        URLProblem: *text* is not a URL.
    """
    match = _SCHEME.match(text)
    if match is None:
        variable = re.match(r"\$?\{(?:env[:.])?(\w+)\}|\$(\w+)", text)
        raise URLProblem(
            "this is not a database URL; "
            + (
                f'nothing is filled in here, write os.environ["{variable[1] or variable[2]}"]'
                if variable
                else "one begins with postgresql:// or sqlite:///"
            )
        )
    return match[1].lower(), (match[2] or "").lower(), text[match.end() :]


def split_server(rest: str) -> UrlParts:
    """Split the URL of a server's database after ``://``.

    Raises:
        URLProblem: The end of the password is ambiguous, or a host or port is invalid.
    """
    before, _, query = rest.partition("?")
    authority, _, path = before.partition("/")
    if "@" in path or "@" in query:  # a raw / or ? in the password
        raise URLProblem(f"there is an @ after the host. If it is part of the password: {_ENCODE}")
    userinfo, _, hosts = authority.rpartition("@")
    user, _, password = userinfo.partition(":")
    return UrlParts(
        user=unquote(user) or None,
        password=as_password(unquote(password)),
        hosts=split_hosts(hosts),
        database=unquote(path),
        query=split_query(query),
    )


def split_file(rest: str) -> UrlParts:
    """Split the URL of a file database after ``://``.

    Raises:
        URLProblem: The URL has a host, usually because a slash is missing.
    """
    before, _, query = rest.partition("?")
    authority, _, path = before.partition("/")
    if authority:
        raise URLProblem(FILE_FORMS)
    return UrlParts(database=unquote(path), query=split_query(query))


def split_query(query: str) -> UrlPairs:
    """Read ``a=1&b=2``.

    Raises:
        URLProblem: A part has no ``=``.
    """
    return tuple(_pairs(query))


def _pairs(query: str) -> Iterator[tuple[str, str]]:
    for item in query.split("&"):
        name, equals, value = item.partition("=")
        if equals:
            yield unquote_plus(name), unquote_plus(value)
        elif item:
            raise URLProblem("a part of the query (after the ?) has no =")


def split_hosts(text: str) -> Hosts:
    """Read ``h1:5432,[::1]:5433,/socket/folder``; a socket folder may be percent-encoded."""
    return tuple(_host(item) for item in text.split(",")) if text else ()


def _host(item: str) -> tuple[str, int | None]:
    if item.startswith("["):
        name, bracket, rest = item[1:].partition("]")
        if not _is_ipv6(name) or not bracket or (rest and not rest.startswith(":")):
            raise URLProblem("an IPv6 address is written as [::1] or [::1]:5432")
        return unquote(name), port_number(rest[1:])
    if unquote(item[:3]).startswith("/"):
        folder, _, port = item.rpartition(":")
        return (unquote(folder), port_number(port)) if port.isdecimal() else (unquote(item), None)
    if item.count(":") > 1 and _is_ipv6(item):
        return unquote(item), None
    if item.count(":") > 1:
        raise URLProblem(
            "user, host and port cannot be told apart: an IPv6 address stands in brackets, as in "
            f"[::1]:5432, and a user with a password is followed by @. {_ENCODE.capitalize()}"
        )
    name, _, port = item.partition(":")
    return unquote(name), port_number(port)


def _is_ipv6(text: str) -> bool:
    from ipaddress import IPv6Address

    try:
        IPv6Address(unquote(text))
    except ValueError:
        return False
    return True


def port_number(text: str) -> int | None:
    """Return *text* as a port; ``None`` if it is empty."""
    if not text:
        return None
    if not text.isdecimal() or not 0 < int(text[:6]) < 65536:
        raise URLProblem(
            "the port is not a number from 1 to 65535. If what follows the : is a password, an @ "
            f"and the host are missing, or: {_ENCODE}"
        )
    return int(text)


def is_object(url: object) -> bool:
    """Return whether *url* looks like a ``sqlalchemy.URL``."""
    return all(hasattr(url, name) for name in ("drivername", "render_as_string", "query"))


def split_object(url: object) -> UrlParts:
    """Read the parts of a ``sqlalchemy.URL``.

    Its attributes are read instead of its text, because SQLAlchemy 2.0 and 2.1 write the same
    database name differently.
    """
    host, port = getattr(url, "host", None), getattr(url, "port", None)
    if isinstance(host, str) and ":" in host and not host.startswith("/") and not _is_ipv6(host):
        raise URLProblem("the host holds a colon and is no IPv6 address")
    hosts = ((str(host or ""), port if isinstance(port, int) else None),) if host or port else ()
    return UrlParts(
        user=_text(url, "username"),
        password=as_password(_text(url, "password")),
        hosts=hosts,
        database=_text(url, "database") or "",
        query=tuple(
            (name, each)
            for name, value in getattr(url, "query", {}).items()
            for each in ([value] if isinstance(value, str) else value)
        ),
    )


def _text(url: object, name: str) -> str | None:
    value = getattr(url, name, None)
    return str(value) if value not in (None, "") else None
