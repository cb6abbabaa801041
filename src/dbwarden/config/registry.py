"""Collect the declarations of a configuration file until all of it has been read."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Required, TypedDict

from dbwarden.config.database_options import UrlSource
from dbwarden.types import DialectName, Location

TenantIds = Iterable[str | int]
IdSource = TenantIds | Callable[[], TenantIds | Awaitable[TenantIds]]
"""The ids of all tenants, or a function, synchronous or async, that returns them."""


class _SharedOptions(TypedDict, total=False):
    """The options that single databases and tenants have in common."""

    database_type: DialectName | None
    model_paths: Sequence[str | Path]
    schema_paths: Sequence[str | Path]
    migrations_dir: str | Path | None
    migration_url: UrlSource | None
    dev_database_type: DialectName | None
    dev_database_url: UrlSource | None
    overlap_models: bool
    compare_privileges: bool
    partitions: Literal["declared", "all"]
    ignore_drift: Sequence[str]
    naming: Mapping[str, str]
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
    """The options of :func:`~dbwarden.database_config`, described in docs/configuration.md."""

    database_name: Required[str]
    database_url: Required[UrlSource]
    default: bool
    replica_of: str | None


class TenantOptions(_SharedOptions, total=False):
    """The options of :func:`tenant_databases`, described in docs/tenants.md."""

    name: Required[str]
    database_url: Required[str]
    tenants: Required[IdSource]
    id_pattern: str
    refresh_after: float | None


TENANT_OPTIONS = ("name", "tenants", "id_pattern", "refresh_after")
"""The options that only :func:`tenant_databases` has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseDeclaration:
    """One unchecked call of :func:`database_config` and its location."""

    options: Mapping[str, object] = field(repr=False)
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantDeclaration(DatabaseDeclaration):
    """One unchecked call of :func:`tenant_databases` and its location."""


@dataclass(slots=True, eq=False, weakref_slot=True)
class Registry:
    """The declarations of one project, in the order of their calls."""

    declarations: list[DatabaseDeclaration] = field(default_factory=list)


_registry: ContextVar[Registry] = ContextVar("dbwarden_registry", default=Registry())  # noqa: B039


def current_registry() -> Registry:
    """Return the registry of the file being loaded; outside of one, that of the program."""
    return _registry.get()


@contextmanager
def collecting(registry: Registry) -> Iterator[None]:
    """Collect the declarations of this block and task in *registry*."""
    token = _registry.set(registry)
    try:
        yield
    finally:
        _registry.reset(token)
