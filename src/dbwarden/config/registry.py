"""What ``database_config`` was told, kept until the whole file has been read."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Required, TypedDict, Unpack

from dbwarden.config.model import UrlSource
from dbwarden.types import DatabaseName, Location


class DatabaseOptions(TypedDict, total=False):
    """The options of :func:`database_config`; docs/configuration.md tells of each."""

    database_name: Required[str]
    database_url: Required[UrlSource]
    database_type: Literal["postgresql", "sqlite"] | None
    default: bool
    model_paths: Sequence[str | Path]
    schema_paths: Sequence[str | Path]
    migrations_dir: str | Path | None
    migration_url: UrlSource | None
    dev_database_type: Literal["postgresql", "sqlite"] | None
    dev_database_url: UrlSource | None
    overlap_models: bool
    replica_of: str | None
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One call of :func:`database_config`, unchecked, and where it stands."""

    options: Mapping[str, object] = field(repr=False)
    location: Location


@dataclass(slots=True)
class Registry:
    """The declarations of one project, in the order of their calls.

    A declaration is what one call said; another kind of call (a pattern for many databases) is
    another class in the same list.
    """

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
    caller = sys._getframe(1)
    location = Location(path=Path(os.path.abspath(caller.f_code.co_filename)), line=caller.f_lineno)
    registry = _loading.get() or PROCESS
    registry.declarations.append(Declaration(options=dict(options), location=location))
    return DatabaseHandle(options.get("database_name", ""))
