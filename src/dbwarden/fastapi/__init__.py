"""FastAPI: sessions, startup, health, tenants, a page to look at."""

from dbwarden.fastapi.sessions import get_session
from dbwarden.fastapi.tenants import tenant_session

__all__ = ["get_session", "tenant_session"]
