"""Collect the declarations of a configuration file until all of it has been read."""

import os
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Required, TypedDict, Unpack

from dbwarden.config.model import UrlSource
from dbwarden.types import DatabaseName, Location

TenantIds = Iterable[str | int]
TenantSource = TenantIds | Callable[[], TenantIds | Awaitable[TenantIds]]
"""The ids of all tenants, or a function, synchronous or async, that returns them."""


class _SharedOptions(TypedDict, total=False):
    """The options that single databases and tenants have in common."""

    database_type: Literal["postgresql", "sqlite"] | None
    model_paths: Sequence[str | Path]
    schema_paths: Sequence[str | Path]
    migrations_dir: str | Path | None
    migration_url: UrlSource | None
    dev_database_type: Literal["postgresql", "sqlite"] | None
    dev_database_url: UrlSource | None
    overlap_models: bool
    compare_privileges: bool
    partitions: Literal["declared", "all"]
    timeout: float | None
    connect_timeout: float
    lock_timeout: float | None
    lock_retries: int
    statement_timeout: float | None
    migration_lock_timeout: float
    pool_size: int
    max_overflow: int
    pool_timeout: float
    pool_recycle: float
    pool_pre_ping: bool
    engine_options: Mapping[str, Any]
    ledger_table: str
    ledger_schema: str | None
    scratch: str
    scratch_setup: str | Path | None


class DatabaseOptions(_SharedOptions, total=False):
    """The options of :func:`database_config`, described in docs/configuration.md."""

    database_name: Required[str]
    database_url: Required[UrlSource]
    default: bool
    replica_of: str | None


class TenantOptions(_SharedOptions, total=False):
    """The options of :func:`tenant_databases`, described in docs/tenants.md."""

    name: Required[str]
    database_url: Required[str]
    tenants: Required[TenantSource]
    id_pattern: str
    refresh_after: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One unchecked call of :func:`database_config` and its location."""

    options: Mapping[str, object] = field(repr=False)
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantDeclaration(Declaration):
    """One unchecked call of :func:`tenant_databases` and its location."""


@dataclass(slots=True)
class Registry:
    """The declarations of one project, in the order of their calls."""

    declarations: list[Declaration] = field(default_factory=list)


_loading: ContextVar[Registry | None] = ContextVar("dbwarden_loading", default=None)

PROCESS = Registry()
"""The declarations of a program that calls :func:`database_config` outside a configuration file."""


@contextmanager
def collecting(registry: Registry) -> Iterator[None]:
    """Collect the declarations of this block and task in *registry*."""
    token = _loading.set(registry)
    try:
        yield
    finally:
        _loading.reset(token)


class DatabaseHandle(str):
    """The name of a declared database, usable wherever a name is accepted."""

    __slots__ = ()

    @property
    def database_name(self) -> DatabaseName:
        """The name of the database."""
        return DatabaseName(str(self))

    @property
    def session(self) -> Any:
        """The annotation of a FastAPI route's parameter: ``Annotated[AsyncSession, Depends(...)]``.

        FastAPI and SQLAlchemy are imported on first access.
        """
        from importlib import import_module

        return import_module("dbwarden.fastapi.sessions").annotated(self)


def database_config(**options: Unpack[DatabaseOptions]) -> DatabaseHandle:
    """Configure one database. Never raises; all problems are reported together on loading.

    Args:
        **options: ``database_name`` and ``database_url``, and any other option of
            :class:`DatabaseOptions`. Times are seconds; ``None`` means no limit. Relative paths
            are resolved against the folder of the calling file.

    Returns:
        The database's name, as a handle.
    """
    _declare(Declaration, options)
    return DatabaseHandle(options.get("database_name", ""))


def tenant_databases(**options: Unpack[TenantOptions]) -> str:
    """Configure a database for each tenant. Never raises; problems are reported on loading.

    Tenants share models, migrations and every option; each has its own migration history.

    Args:
        **options: ``name`` and ``database_url``, both with ``{tenant_id}``; ``tenants``, the ids or
            a function, synchronous or async, that returns them; and any other option of
            :class:`TenantOptions`, as in :func:`database_config`.

    Returns:
        *name*, for ``tenant_session``.
    """
    _declare(TenantDeclaration, options)
    return str(options.get("name", ""))


def _declare(kind: type[Declaration], options: Mapping[str, object]) -> None:
    """Register the call of the caller's caller."""
    caller = sys._getframe(2)
    location = Location(path=Path(os.path.abspath(caller.f_code.co_filename)), line=caller.f_lineno)
    registry = _loading.get() or PROCESS
    registry.declarations.append(kind(options=dict(options), location=location))
