"""Provide sessions, startup, health, tenants, error handlers and a status page for FastAPI.

Names are imported on first access, so that ``dbwarden.asgi`` works without FastAPI.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbwarden.fastapi.failures import install_error_handlers as install_error_handlers
    from dbwarden.fastapi.health_router import DBWardenHealthRouter as DBWardenHealthRouter
    from dbwarden.fastapi.lifespan import dbwarden_lifespan as dbwarden_lifespan
    from dbwarden.fastapi.lifespan import migration_context as migration_context
    from dbwarden.fastapi.page import DBWardenStatusPage as DBWardenStatusPage
    from dbwarden.fastapi.sessions import get_session as get_session
    from dbwarden.fastapi.tenants import tenant_session as tenant_session

_HOMES = {
    "DBWardenHealthRouter": "health_router",
    "DBWardenStatusPage": "page",
    "dbwarden_lifespan": "lifespan",
    "get_session": "sessions",
    "install_error_handlers": "failures",
    "migration_context": "lifespan",
    "tenant_session": "tenants",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'dbwarden.fastapi' has no attribute {name!r}")
    import importlib

    try:
        value = getattr(importlib.import_module(f"dbwarden.fastapi.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name not in ("fastapi", "starlette"):
            raise
        raise ModuleNotFoundError(
            f"dbwarden.fastapi.{name} needs FastAPI: pip install 'dbwarden[fastapi]'. "
            "For other frameworks, see dbwarden.asgi.",
            name=error.name,
        ) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
