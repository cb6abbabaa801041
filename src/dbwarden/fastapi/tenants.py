"""Provide a session of a request's tenant."""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from string import Formatter
from typing import Any, Literal
from weakref import WeakValueDictionary

from fastapi import HTTPException
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection

from dbwarden.errors import UnknownDatabase, UnknownTenant, UsageError
from dbwarden.fastapi.sessions import lease
from dbwarden.fastapi.state import serving
from dbwarden.types import LONGEST_NAME

RequestPart = Literal["path", "query", "header", "host"]
TenantId = Callable[[HTTPConnection], str | Awaitable[str | None] | None]

# A first filter for malformed ids; the pattern of tenant_databases is checked later.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

NO_SUCH_TENANT = "There is no such tenant."


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class TenantSessionSource:
    """A FastAPI dependency, returned by :func:`tenant_session`."""

    pattern: str
    field: str
    source: RequestPart | TenantId
    where: str | None
    read_only: bool | None

    async def __call__(self, connection: HTTPConnection) -> AsyncGenerator[AsyncSession]:
        """Yield a session of the request's tenant; answer 404 if there is no such tenant."""
        name = name_of_tenant(self.pattern, self.field, await self._read_id(connection))
        if name is None:
            raise _not_found()
        try:
            open_lease = await lease(name, read_only=self.read_only)
        except UnknownTenant as error:
            raise _not_found() from error
        except UnknownDatabase as error:
            if not await self._matches_databases():
                raise
            raise _not_found() from error
        async with open_lease as session:
            yield session

    async def _matches_databases(self) -> bool:
        """Return whether single databases have names of the pattern."""
        names = self.pattern.format(**{self.field: "*"})
        return any(fnmatchcase(each.database_name, names) for each in (await serving()).databases)

    async def _read_id(self, connection: HTTPConnection) -> str | None:
        match self.source:
            case "path":
                value = connection.path_params.get(self.where or self.field)
                return None if value is None else str(value)
            case "query":
                return connection.query_params.get(self.where or self.field)
            case "header":
                return connection.headers.get(self.where or header_of(self.field))
            case "host":
                return first_label(connection.headers.get("host", ""))
            case function:
                answer = function(connection)
                return await answer if isinstance(answer, Awaitable) else answer


def tenant_session(
    pattern: str,
    *,
    source: RequestPart | TenantId = "path",
    where: str | None = None,
    read_only: bool | None = None,
) -> TenantSessionSource:
    """Return a session of the request's tenant for ``Depends(...)``.

    A malformed or unknown id is answered with 404 without connecting to a database. A pattern that
    no configured database has is an error.

    Args:
        pattern: The name of a tenant's database, such as ``"tenant_{tenant_id}"``.
        source: The source of the id: the ``path``, the ``query``, a ``header``, the first label of
            the ``host``, or a function of the request that returns the id.
        where: The name of the path or query parameter (by default the field in *pattern*) or of
            the header (by default ``X-Tenant-Id`` for the field ``tenant_id``).
        read_only: As in :func:`get_session`.

    Raises:
        UsageError: *pattern* does not have exactly one field.
    """
    key = (pattern, source, where, read_only)
    tenant_source = _sources.get(key)
    if tenant_source is None:
        tenant_source = _sources[key] = TenantSessionSource(
            pattern, field_of(pattern), source, where, read_only
        )
    return tenant_source


_sources: WeakValueDictionary[Any, TenantSessionSource] = WeakValueDictionary()


def field_of(pattern: str) -> str:
    """Return the field of *pattern*.

    Raises:
        UsageError: *pattern* does not have exactly one field.
    """
    fields = [name for _, name, _, _ in Formatter().parse(pattern) if name is not None]
    if len(fields) != 1 or not fields[0].isidentifier():
        raise UsageError(
            f"the pattern {pattern!r} of a tenant's database has not exactly one field",
            next_step='Write it as in tenant_session("tenant_{tenant_id}").',
        )
    return fields[0]


def name_of_tenant(pattern: str, field: str, tenant_id: str | None) -> str | None:
    """Return the name of the tenant's database; ``None`` for a malformed id."""
    if tenant_id is None or len(tenant_id) > LONGEST_NAME or not _ID.fullmatch(tenant_id):
        return None
    return pattern.format(**{field: tenant_id})


def header_of(field: str) -> str:
    """Return the default header of *field*, such as ``X-Tenant-Id`` for ``tenant_id``."""
    return "X-" + "-".join(word.capitalize() for word in field.split("_") if word)


def first_label(host: str) -> str | None:
    """Return ``acme`` of ``acme.example.com:8000``; ``None`` if *host* has no subdomain."""
    name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
    label, dot, rest = name.lower().partition(".")
    return label if dot and rest and not name.replace(".", "").isdigit() else None


def _not_found() -> HTTPException:
    return HTTPException(status_code=404, detail=NO_SUCH_TENANT)
