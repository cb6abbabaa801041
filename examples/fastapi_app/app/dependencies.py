"""A session for each database."""

from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession

from dbwarden.fastapi import get_session, tenant_session

PrimarySessionDep = Annotated[AsyncSession, Depends(get_session())]
AnalyticsSessionDep = Annotated[AsyncSession, Depends(get_session("analytics"))]
LoggingSessionDep = Annotated[AsyncSession, Depends(get_session("logging"))]

WriteSessionDep = Annotated[AsyncSession, Depends(get_session("primary"))]
ReadSessionDep = Annotated[AsyncSession, Depends(get_session("replica"))]

TenantSessionDep = Annotated[AsyncSession, Depends(tenant_session("tenant_{tenant_id}"))]
