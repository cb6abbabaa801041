"""FastAPI: sessions, startup, health, tenants, a page to look at."""

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
    "migration_context",
    "tenant_session",
]
