"""Declare databases, and call operations by the name of a database: the door for programs."""

import functools
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Unpack

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.config.loading import load_project
from dbwarden.config.registry import (
    DatabaseDeclaration,
    DatabaseOptions,
    TenantDeclaration,
    TenantOptions,
    current_registry,
)
from dbwarden.types import DatabaseName, Location

P = ParamSpec("P")
R = TypeVar("R")

if TYPE_CHECKING:  # imports anyio, which takes 26 ms
    from dbwarden.operations.operation import DatabaseRef, Operation


def by_name(operation: "Operation[P, R]", *, unlisted: bool = False) -> "Operation[P, R]":
    """Return *operation* for programs, which may name the database: ``await migrate("primary")``.

    *unlisted* accepts the name of a tenant that is not listed.
    """

    @functools.wraps(operation)
    async def wrapper(database: "DatabaseRef" = None, *args: P.args, **kwargs: P.kwargs) -> R:
        config = await configured(database, unlisted=unlisted)
        return await operation(config, *args, **kwargs)

    return wrapper


async def configured(database: "DatabaseRef", *, unlisted: bool = False) -> DatabaseConfig:
    """Return the configuration of *database*.

    A configuration is returned unchanged. A name, or ``None``, is looked up in the project that
    :func:`load_project` finds. *unlisted* accepts the name of a tenant that is not listed.

    Raises:
        ConfigurationError: The project's configuration cannot be found or has problems.
        UnknownDatabase: No database has that name.
    """
    if isinstance(database, DatabaseConfig):
        return database
    from dbwarden.config.threads import in_own_thread

    project = await in_own_thread(load_project)
    if database is None:
        return project.default
    return project.database(database, unlisted=True) if unlisted else await project.find(database)


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
        from dbwarden.fastapi.sessions import annotated

        return annotated(self)


def database_config(**options: Unpack[DatabaseOptions]) -> DatabaseHandle:
    """Configure one database. Never raises; all problems are reported together on loading.

    Args:
        **options: ``database_name`` and ``database_url``, and any other option of
            :class:`DatabaseOptions`. Times are seconds; ``None`` means no limit. Relative paths
            are resolved against the folder of the calling file.

    Returns:
        The database's name, as a handle.
    """
    _declare(DatabaseDeclaration, options)
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


def _declare(kind: type[DatabaseDeclaration], options: Mapping[str, object]) -> None:
    """Register the call of the caller's caller."""
    caller = sys._getframe(2)
    location = Location(path=Path(os.path.abspath(caller.f_code.co_filename)), line=caller.f_lineno)
    current_registry().declarations.append(kind(options=dict(options), location=location))
