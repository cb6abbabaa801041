"""Provide sessions, startup, health, tenants, error handlers and a status page for FastAPI."""

from dbwarden.fastapi.failures import install_error_handlers
from dbwarden.fastapi.health import DBWardenHealthRouter
from dbwarden.fastapi.lifespan import dbwarden_lifespan, migration_context
from dbwarden.fastapi.page import DBWardenStatusPage
from dbwarden.fastapi.sessions import get_session
from dbwarden.fastapi.tenants import tenant_session

__all__ = [
    "DBWardenHealthRouter",
    "DBWardenStatusPage",
    "dbwarden_lifespan",
    "get_session",
    "install_error_handlers",
    "migration_context",
    "tenant_session",
]
