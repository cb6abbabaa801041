"""Translate the parameters of a PostgreSQL URL for asyncpg.

Each parameter of libpq is translated or rejected with a reason; none is ignored. Pure; does not
import asyncpg.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from dbwarden.config.names import did_you_mean
from dbwarden.config.syntax import (
    Hosts,
    UrlParts,
    URLProblem,
    as_password,
    port_number,
    split_hosts,
)
from dbwarden.secrets import Secret

if TYPE_CHECKING:
    from dbwarden.config.urls import DatabaseURL

_TLS_VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "ssl_min_protocol_version": _TLS_VERSIONS,
    "ssl_max_protocol_version": _TLS_VERSIONS,
    "target_session_attrs": (
        "any",
        "read-write",
        "read-only",
        "primary",
        "standby",
        "prefer-standby",
    ),
    "gsslib": ("gssapi", "sspi"),
}
"""Parameters with a fixed set of values."""

_ONLY: Mapping[str, tuple[tuple[str, ...], str]] = {
    "channel_binding": (
        ("disable", "prefer"),
        "asyncpg has no channel binding; take it out, and use sslmode=verify-full to be sure of "
        "the server",
    ),
    "client_encoding": (("utf8", "utf-8", "auto"), "asyncpg always speaks UTF-8"),
    "gssencmode": (("disable", "prefer"), "asyncpg has no GSSAPI encryption; use sslmode"),
    "gssdelegation": (("0",), "asyncpg does not delegate GSSAPI credentials"),
    "load_balance_hosts": (("disable",), "hosts are always tried in the order given"),
    "max_protocol_version": (("3.0", "latest"), "asyncpg speaks protocol 3.0"),
    "min_protocol_version": (("3.0",), "asyncpg speaks protocol 3.0"),
    "sslcertmode": (("allow",), "whether a certificate is sent depends on sslcert alone"),
    "sslcompression": (("0",), "TLS compression is unsafe and asyncpg has none"),
    "sslsni": (("1",), "asyncpg always sends the server's name"),
}
"""The supported values, which asyncpg always uses, and the reason why others are rejected."""

_TCP = "asyncpg leaves it to the operating system; take it out"
_SERVICE = "write the service's parameters into the URL, or read the file in a callable"
_REFUSED: Mapping[str, str] = {
    "hostaddr": "write the address as the host",
    "keepalives": _TCP,
    "keepalives_count": _TCP,
    "keepalives_idle": _TCP,
    "keepalives_interval": _TCP,
    "tcp_user_timeout": _TCP,
    "replication": "dbwarden makes ordinary connections only",
    "requirepeer": "asyncpg cannot check the server's user on a socket",
    "requiressl": "write sslmode=require",
    "require_auth": "asyncpg cannot restrict how it is asked for the password",
    "scram_client_key": "asyncpg takes the password itself",
    "scram_server_key": "asyncpg takes the password itself",
    "service": _SERVICE,
    "servicefile": _SERVICE,
    "sslcrldir": "asyncpg reads one file; name it with sslcrl",
    "sslkeylogfile": "asyncpg takes it from the environment variable SSLKEYLOGFILE",
    "oauth_issuer": "asyncpg cannot log in with OAuth",
    "oauth_client_id": "asyncpg cannot log in with OAuth",
    "oauth_client_secret": "asyncpg cannot log in with OAuth",
    "oauth_scope": "asyncpg cannot log in with OAuth",
}

_TLS = (
    *("sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version"),
)
_FILES = ("sslcert", "sslkey", "sslrootcert", "sslcrl", "passfile")
_KEYWORDS = ("passfile", "target_session_attrs", "krbsrvname", "gsslib")
_NUMBERS = ("connect_timeout", "statement_cache_size", "prepared_statement_cache_size")
_TEXTS = ("application_name", "fallback_application_name", "options", "sslpassword", "krbsrvname")
_PLACES = ("host", "port", "user", "password", "dbname", "database")
_KNOWN = frozenset([*_CHOICES, *_ONLY, *_REFUSED, *_FILES, *_NUMBERS, *_TEXTS, *_PLACES, "ssl"])

SYSTEM = "system"
_SETTING = re.compile(r"(?:-c\s*|--)([A-Za-z_][\w.-]*)=((?:\\.|[^\s\\])*)(?:\s+|$)", re.DOTALL)


# -- from the URL -----------------------------------------------------------------------------


def normalize(parts: UrlParts, root: Path) -> UrlParts:
    """Move hosts, user, password and database out of the query, and validate the rest.

    As in libpq, the query takes precedence. Paths of files become absolute, from *root*.

    Raises:
        URLProblem: A parameter is unknown, given twice, or not supported by asyncpg.
    """
    given = _given(parts)
    hosts = _hosts(parts, given)
    user = given.pop("user", parts.user)
    password = as_password(given.pop("password")) if "password" in given else parts.password
    database = given.pop("dbname", given.pop("database", parts.database))
    for name, value in given.items():
        _check(name, value)
    _check_combinations(given)
    for name in _FILES:
        if name in given and given[name] != SYSTEM:
            given[name] = os.path.normpath(root / given[name])
    query = tuple(given.items())
    return replace(parts, hosts=hosts, user=user, password=password, database=database, query=query)


def _given(parts: UrlParts) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in parts.query:
        name = "sslmode" if name == "ssl" else name
        if name not in _KNOWN:
            # The rest of a password with a raw & looks like a parameter, so it is not shown.
            is_safe = not given.keys() & {"password", "sslpassword"} and name.isidentifier()
            hint = did_you_mean(name, _KNOWN) if is_safe else ""
            raise URLProblem(
                f"{repr(name) if is_safe else 'a name in the query'} is no connection parameter"
                f"{hint or '.'} A setting of the server goes into options, as in "
                "options=-c%20search_path%3Dapp"
            )
        if name == "host" and name in given:
            value = f"{given[name]},{value}"
        elif given.get(name, value) != value:
            raise URLProblem(f"{name} is given twice")
        given[name] = value
    return given


def _hosts(parts: UrlParts, given: dict[str, str]) -> Hosts:
    # The query is already decoded, so its percent signs are literal.
    hosts = split_hosts(given.pop("host", "").replace("%", "%25")) or parts.hosts
    ports = [port_number(port) for port in given.pop("port", "").split(",")]
    if len(ports) == 1:
        hosts = hosts or ((("", None),) if ports[0] else ())
        ports = ports * len(hosts)
    if len(ports) != len(hosts):
        raise URLProblem("there must be one port, or one for each host")
    if any(name.startswith("@") for name, _ in hosts):
        raise URLProblem("asyncpg cannot use an abstract socket; name its folder")
    if len(hosts) > 1 and not all(name for name, _ in hosts):
        raise URLProblem("one of the hosts has no name")
    return tuple(
        (name, port or host_port) for (name, host_port), port in zip(hosts, ports, strict=True)
    )


def _check(name: str, value: str) -> None:
    if name in _REFUSED:
        raise URLProblem(f"{name} cannot be used: {_REFUSED[name]}")
    if not value:
        raise URLProblem(f"{name} is empty")
    if name in _CHOICES and value not in _CHOICES[name]:
        choices = ", ".join(_CHOICES[name])
        synonym = _SYNONYMS.get((name, value.lower()))
        hint = f"; did you mean {synonym!r}?" if synonym else did_you_mean(value, _CHOICES[name])
        raise URLProblem(f"{name} is one of {choices}{hint}")
    if name in _ONLY and value.lower() not in _ONLY[name][0]:
        raise URLProblem(f"{name}={value} cannot be had: {_ONLY[name][1]}")
    if name in _NUMBERS and not value.isdecimal():
        raise URLProblem(f"{name} is a whole number")
    if name == "connect_timeout" and int(value) == 0:
        raise URLProblem("connect_timeout is 1 second or more: dbwarden never waits for ever")


_SYNONYMS = {
    **{("sslmode", word): "require" for word in ("no-verify", "true", "yes", "on", "1")},
    **{("sslmode", word): "disable" for word in ("false", "no", "off", "none", "0")},
}
"""Other drivers' names of values. ``no-verify`` encrypts without verifying the server."""


def _check_combinations(given: Mapping[str, str]) -> None:
    mode = given.get("sslmode")
    if given.get("sslnegotiation") == "direct" and mode in (None, "disable", "allow", "prefer"):
        raise URLProblem("sslnegotiation=direct needs sslmode=require, verify-ca or verify-full")
    if given.get("sslrootcert") != SYSTEM:
        return
    if mode not in (None, "verify-full"):
        raise URLProblem("sslrootcert=system needs sslmode=verify-full")
    others = [name for name in _TLS if name in given and name not in ("sslmode", "sslrootcert")]
    if others:
        raise URLProblem(
            f"{others[0]} cannot be combined with sslrootcert=system with asyncpg; name the file "
            "with the system's certificates instead"
        )


# -- to the driver ----------------------------------------------------------------------------


def asyncpg_arguments(url: "DatabaseURL") -> dict[str, Any]:
    """Return the keyword arguments of ``asyncpg.connect`` for *url*.

    Returns:
        Only the arguments that the URL sets: ``host`` and ``port`` (lists if there are several),
        ``user``, ``password`` (a :class:`Secret`), ``database``, ``server_settings``, ``timeout``
        (seconds), ``statement_cache_size``, ``target_session_attrs``, ``passfile``,
        ``krbsrvname``, ``gsslib``, ``direct_tls``. TLS parameters are in ``dsn``, a
        :class:`Secret`, because asyncpg reads their files and falls back as libpq does only for a
        ``dsn``; ``ssl=True`` means the system's certificates. asyncpg reads missing arguments from
        libpq's environment variables.
    """
    query = dict(url.query)
    arguments: dict[str, Any] = {name: query[name] for name in _KEYWORDS if name in query}
    arguments |= _address(url.hosts)
    arguments |= _tls(query)
    given: dict[str, Any] = {"user": url.user, "password": url.password, "database": url.database}
    given["server_settings"] = server_settings(url)
    arguments |= {name: value for name, value in given.items() if value}
    if "connect_timeout" in query:
        arguments["timeout"] = float(query["connect_timeout"])
    if "sslnegotiation" in query:
        arguments["direct_tls"] = query["sslnegotiation"] == "direct"
    cache = query.get("statement_cache_size", query.get("prepared_statement_cache_size"))
    if cache is not None:
        arguments["statement_cache_size"] = int(cache)
    return arguments


def engine_arguments(url: "DatabaseURL") -> dict[str, Any]:
    """Return :func:`asyncpg_arguments` and the arguments of SQLAlchemy's asyncpg dialect."""
    arguments = asyncpg_arguments(url)
    query = dict(url.query)
    size = query.get("prepared_statement_cache_size", query.get("statement_cache_size"))
    return {**arguments, **({"prepared_statement_cache_size": int(size)} if size else {})}


def _address(hosts: Hosts) -> dict[str, Any]:
    match hosts:
        case ():
            return {}
        case ((name, port),):
            return {key: value for key, value in (("host", name), ("port", port)) if value}
        case _:
            return {
                "host": [name for name, _ in hosts],
                "port": [port or DEFAULT_PORT for _, port in hosts],
            }


def _tls(query: Mapping[str, str]) -> dict[str, Any]:
    if query.get("sslrootcert") == SYSTEM:
        return {"ssl": True}
    given = {name: query[name] for name in _TLS if name in query}
    if given == {"sslmode": "disable"}:
        return {"ssl": False}  # equivalent, and asyncpg does not have to parse a URL
    return {"dsn": Secret("postgresql://?" + urlencode(given, quote_via=quote))} if given else {}


DEFAULT_PORT = 5432


def server_settings(url: "DatabaseURL") -> dict[str, str]:
    """Return the server settings in the URL (``options``, ``application_name``)."""
    query = dict(url.query)
    settings = _options(query["options"]) if "options" in query else {}
    application = query.get("application_name", query.get("fallback_application_name"))
    return {**settings, "application_name": application} if application else settings


def search_path(url: "DatabaseURL") -> tuple[str, ...]:
    """Return the search_path in the URL; empty if it has none."""
    path = server_settings(url).get("search_path", "")
    return tuple(name for part in path.split(",") if (name := part.strip().strip('"')))


def namespace_of(url: "DatabaseURL") -> str:
    """Return the default namespace of connections with this URL."""
    return next((name for name in search_path(url) if name != "$user"), "public")


def _options(text: str) -> dict[str, str]:
    """Split ``-c name=value`` settings; pass any other text to the server as libpq does."""
    settings: dict[str, str] = {}
    rest = text.strip()
    while rest:
        match = _SETTING.match(rest)
        if match is None:
            return {"options": text}
        settings[match[1].replace("-", "_")] = re.sub(r"\\(.)", r"\1", match[2], flags=re.DOTALL)
        rest = rest[match.end() :]
    return settings


def unreadable_files(url: "DatabaseURL") -> tuple[str, ...]:
    """Return the unreadable files that the URL names, as ``sslrootcert: path``.

    Reads the disk, because asyncpg's error does not name the file.
    """
    return tuple(
        f"{name}: {path}"
        for name, path in url.query
        if name in _FILES and path != SYSTEM and not os.access(path, os.R_OK)
    )
