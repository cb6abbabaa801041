"""What ``database_config`` was told, kept until the whole file has been read."""

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
"""The ids of all tenants, or a plain or async function that returns them."""


class _SharedOptions(TypedDict, total=False):
    """What a database is told, whether it was declared by hand or by a pattern."""

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
    """The options of :func:`database_config`; docs/configuration.md tells of each."""

    database_name: Required[str]
    database_url: Required[UrlSource]
    default: bool
    replica_of: str | None


class TenantOptions(_SharedOptions, total=False):
    """The options of :func:`tenant_databases`; docs/tenants.md tells of each."""

    name: Required[str]
    database_url: Required[str]
    tenants: Required[TenantSource]
    id_pattern: str
    refresh_after: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One call of :func:`database_config`, unchecked, and where it stands."""

    options: Mapping[str, object] = field(repr=False)
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantDeclaration(Declaration):
    """One call of :func:`tenant_databases`, unchecked, and where it stands."""


@dataclass(slots=True)
class Registry:
    """The declarations of one project, in the order of their calls."""

    declarations: list[Declaration] = field(default_factory=list)


_loading: ContextVar[Registry | None] = ContextVar("dbwarden_loading", default=None)

PROCESS = Registry()
"""The declarations of a program that calls :func:`database_config` outside a configuration file."""


@contextmanager
def collecting(registry: Registry) -> Iterator[None]:
    """Every :func:`database_config` inside this block and task goes to *registry*."""
    token = _loading.set(registry)
    try:
        yield
    finally:
        _loading.reset(token)


class DatabaseHandle(str):
    """What :func:`database_config` returns: the database's name, good wherever a name is taken."""

    __slots__ = ()

    @property
    def database_name(self) -> DatabaseName:
        """The name of the database."""
        return DatabaseName(str(self))

    @property
    def session(self) -> Any:
        """``Annotated[AsyncSession, Depends(...)]``: annotate a FastAPI route's parameter with it.

        FastAPI and SQLAlchemy are loaded only now.
        """
        from importlib import import_module

        return import_module("dbwarden.fastapi.sessions").annotated(self)


def database_config(**options: Unpack[DatabaseOptions]) -> DatabaseHandle:
    """Configure one database. Never raises: all problems are reported together on loading.

    Args:
        **options: ``database_name`` and ``database_url``, and whatever else
            :class:`DatabaseOptions` lists. Times are seconds; ``None`` means no limit. Relative
            paths count from the folder of the file that calls this.

    Returns:
        The database's name, as a handle.
    """
    _declare(Declaration, options)
    return DatabaseHandle(options.get("database_name", ""))


def tenant_databases(**options: Unpack[TenantOptions]) -> str:
    """Configure a database for each tenant. Never raises: problems are reported on loading.

    They share models, migrations and every option; each has its own history.

    Args:
        **options: ``name`` and ``database_url`` with ``{tenant_id}`` in them, ``tenants`` (the ids,
            or a plain or async function that returns them), and whatever else
            :class:`TenantOptions` lists, as in :func:`database_config`.

    Returns:
        *name*, for ``tenant_session``.
    """
    _declare(TenantDeclaration, options)
    return str(options.get("name", ""))


def _declare(kind: type[Declaration], options: Mapping[str, object]) -> None:
    """Keep what the caller's caller said."""
    caller = sys._getframe(2)
    location = Location(path=Path(os.path.abspath(caller.f_code.co_filename)), line=caller.f_lineno)
    registry = _loading.get() or PROCESS
    registry.declarations.append(kind(options=dict(options), location=location))
