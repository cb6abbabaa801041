"""Open connections and encode bound values: a part of ``alembic_child.py``, with its limits."""

from __future__ import annotations

import base64
import datetime
import decimal
import enum
import importlib
import json
import uuid
from typing import Any

PG_KEYS = (
    "host", "hostaddr", "port", "user", "password", "dbname", "database", "dsn", "passfile",
    "service", "ssl", "ssl_context", "unix_sock",
)  # fmt: skip


def key_of(kind: str, cargs: list[Any], cparams: dict[str, Any]) -> tuple[Any, ...]:
    """Return what identifies the database that these arguments would open."""
    if kind == "sqlite":
        return (kind, str(cargs[0] if cargs else cparams.get("database")))
    names = ("host", "port", "dbname", "database", "dsn")
    return (kind, *(str(cparams.get(name)) for name in names), *map(str, cargs))


def redirect_postgresql(
    dialect: Any, address: dict[str, Any], cargs: list[Any], cparams: dict[str, Any]
) -> None:
    """Change the arguments of a connection so that it opens *address*."""
    cargs[:] = []
    for name in [*PG_KEYS, *(key for key in cparams if key.startswith("ssl"))]:
        cparams.pop(name, None)
    host, port = address["host"], int(address["port"])
    if dialect.driver in ("pg8000",) and host.startswith("/"):
        cparams["unix_sock"] = f"{host}/.s.PGSQL.{port}"
    else:
        cparams.update(host=host, port=port)
    cparams["user"] = address["user"]
    if address.get("password"):
        cparams["password"] = address["password"]
    libpq = dialect.driver in ("psycopg2", "psycopg", "psycopg_async", "psycopg2cffi")
    cparams["dbname" if libpq else "database"] = address["database"]


def encode_all(parameters: Any) -> Any:
    """Return bound values with the names of their types, as JSON can hold them."""
    if isinstance(parameters, dict):
        return {name: _encode(value) for name, value in parameters.items()}
    return [_encode(value) for value in parameters or ()]


def _encode(value: Any) -> dict[str, Any]:
    """Return *value* with the name of its type, as JSON can hold it."""
    if isinstance(value, enum.Enum):
        value = value.value
    for name, kind in (("bool", bool), ("int", int), ("float", float), ("str", str)):
        if isinstance(value, kind):
            return {"type": name, "value": repr(value) if name == "float" else value}
    if value is None:
        return {"type": "null", "value": None}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"type": "bytes", "value": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return {"type": "list", "value": [_encode(item) for item in value]}
    if isinstance(value, dict):
        return {"type": "str", "value": json.dumps(value)}
    if isinstance(value, datetime.timedelta):
        return {"type": "interval", "value": value.total_seconds()}
    if isinstance(value, datetime.datetime) and value.utcoffset() is not None:
        return {"type": "instant", "value": value.isoformat(" ")}
    if isinstance(value, (datetime.date, datetime.time)):
        return {"type": "time", "value": str(value)}
    if isinstance(value, (decimal.Decimal, uuid.UUID)):
        kind_name = "float" if isinstance(value, decimal.Decimal) else "str"
        return {"type": kind_name, "value": str(value)}
    for name in ("adapted", "obj", "value"):  # the wrappers of psycopg2 and psycopg for JSON
        if isinstance(inner := getattr(value, name, None), (dict, list, str, int)):
            text = inner if isinstance(inner, str) else json.dumps(inner)
            return {"type": "str", "value": text}
    return {"type": "unknown", "value": type(value).__name__}


# A search_path that the scratch database has itself is also in the URL of dbwarden.
_SETTINGS = """
SELECT CASE WHEN setting IN ('', '""') THEN $$SET search_path TO ''$$
            ELSE 'SET search_path TO ' || setting END
FROM pg_catalog.pg_settings AS s
WHERE name = 'search_path' AND source IN ('client', 'session') AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_db_role_setting AS r
    JOIN pg_catalog.pg_database AS d ON d.oid = r.setdatabase
    CROSS JOIN unnest(r.setconfig) AS own
    WHERE d.datname = current_database() AND r.setrole = 0
      AND replace(own, ' ', '') = 'search_path=' || replace(s.setting, ' ', '')
)
UNION ALL
SELECT 'SET ROLE ' || quote_ident(current_setting('role'))
WHERE current_setting('role') <> 'none'
"""


def session_settings(connection: Any) -> list[str]:
    """Return the statements that set the search_path and the role of *connection*.

    They decide where the names in a revision lead, and who owns what it creates.
    """
    if connection.dialect.name != "postgresql":
        return []
    return [row[0] for row in _fetch(connection, _SETTINGS)]


def current_namespace(connection: Any) -> str | None:
    """Return the namespace of unqualified names, if *connection* has set one."""
    if not session_settings(connection):
        return None
    return str(_fetch(connection, "SELECT current_schema()")[0][0])


def _fetch(connection: Any, sql: str) -> list[Any]:
    """Return the rows of *sql*, which is not recorded."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(sql)
        return list(cursor.fetchall())
    finally:
        cursor.close()


DRIVERS = {
    "postgresql": ("psycopg2", "psycopg", "pg8000"),
    "sqlite": ("pysqlite",),
}
ASYNC_DRIVERS = {"postgresql": ("asyncpg", "psycopg"), "sqlite": ("aiosqlite",)}


def driver_of(kind: str, uses_async: bool) -> str:
    """Return the first driver that is installed, else the most common one."""
    names = (ASYNC_DRIVERS if uses_async else DRIVERS)[kind]
    for name in names:
        try:
            importlib.import_module("sqlite3" if name == "pysqlite" else name)
        except ImportError:
            continue
        return name
    return names[0]


def open_engine(kind: str) -> Any:
    """Return an engine of ours, with the first synchronous driver that is installed.

    Raises:
        ImportError: None is installed.
    """
    from sqlalchemy import create_engine

    for driver in DRIVERS[kind]:
        try:
            return create_engine(f"{kind}+{driver}://")
        except ImportError:
            continue
    raise ImportError(f"no synchronous driver for {kind} is installed")
