"""One database's configuration, as a value."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dbwarden.config.urls import DatabaseURL, parse_url
from dbwarden.ledger import DEFAULT_TABLE
from dbwarden.types import DatabaseName, DialectName

UrlSource = str | Callable[[], str | Awaitable[str]] | Any
"""A URL, a ``sqlalchemy.URL``, or a plain or async function that returns one at connect time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseConfig:
    """One configured database.

    Times are seconds; ``None`` means no limit. Paths are absolute. ``database_url`` never shows in
    a repr, because it may hold a password; show :attr:`display_url` instead.
    """

    database_name: DatabaseName
    database_type: DialectName
    database_url: UrlSource = field(repr=False)
    root: Path
    default: bool = False
    dev: bool = False
    model_paths: tuple[str, ...] = ()
    schema_paths: tuple[Path, ...] = ()
    migrations_dir: Path
    migration_url: UrlSource | None = field(default=None, repr=False)
    dev_database_type: DialectName | None = None
    dev_database_url: UrlSource | None = field(default=None, repr=False)
    overlap_models: bool = False
    replica_of: DatabaseName | None = None
    timeout: float | None = 60.0
    connect_timeout: float = 5.0
    lock_timeout: float | None = 5.0
    lock_retries: int = 5
    statement_timeout: float | None = None
    migration_lock_timeout: float = 60.0
    pool_size: int = 5
    max_overflow: int = 10
    pool_timeout: float = 30.0
    pool_recycle: float = 1800.0
    pool_pre_ping: bool = True
    engine_options: Mapping[str, Any] = field(
        default_factory=lambda: MappingProxyType({}), repr=False
    )
    ledger_table: str = DEFAULT_TABLE
    ledger_schema: str | None = None
    scratch: str = field(default="auto", repr=False)
    scratch_setup: Path | None = None
