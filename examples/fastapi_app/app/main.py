"""The application: every pattern of docs/fastapi.md, runnable."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import select

from app.dependencies import (
    AnalyticsSessionDep,
    LoggingSessionDep,
    PrimarySessionDep,
    ReadSessionDep,
    TenantSessionDep,
)
from app.models.analytics import Event
from app.models.logging import AuditLog
from app.models.primary import User
from app.models.tenant import Note
from dbwarden.fastapi import (
    DBWardenHealthRouter,
    DBWardenStatusPage,
    get_session,
    migration_context,
)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    async with migration_context(mode="check", all_databases=True, fail_fast=True):
        yield


app = FastAPI(lifespan=lifespan)
app.include_router(DBWardenHealthRouter(), prefix="/health")
app.include_router(DBWardenStatusPage(), prefix="/dbwarden")


class UserCreate(BaseModel):
    id: int
    email: str


# -- one session, or several ----------------------------------------------------------------------


@app.get("/users")
async def list_users(session: ReadSessionDep):
    result = await session.execute(select(User))
    return result.scalars().all()


@app.get("/analytics/events")
async def list_events(session: AnalyticsSessionDep):
    result = await session.execute(select(Event))
    return result.scalars().all()


@app.get("/dashboard")
async def get_dashboard(
    primary_session: PrimarySessionDep,
    analytics_session: AnalyticsSessionDep,
    logging_session: LoggingSessionDep,
):
    users = await primary_session.execute(select(User))
    events = await analytics_session.execute(select(Event))
    logs = await logging_session.execute(select(AuditLog))
    return {
        "users": users.scalars().all(),
        "events": events.scalars().all(),
        "logs": logs.scalars().all(),
    }


# -- across databases -----------------------------------------------------------------------------


@app.get("/report")
async def get_report(primary_session: PrimarySessionDep, analytics_session: AnalyticsSessionDep):
    user_result = await primary_session.execute(select(User.id))
    user_ids = [row[0] for row in user_result.all()]
    event_result = await analytics_session.execute(select(Event).where(Event.user_id.in_(user_ids)))
    return {"events": event_result.scalars().all()}


@app.get("/enriched-events")
async def get_enriched_events(
    primary_session: PrimarySessionDep, analytics_session: AnalyticsSessionDep
):
    users_result = await primary_session.execute(select(User))
    users = {u.id: u for u in users_result.scalars().all()}
    events_result = await analytics_session.execute(select(Event))
    return [
        {"event": event, "user": users.get(event.user_id)}
        for event in events_result.scalars().all()
    ]


# -- audit ----------------------------------------------------------------------------------------


@app.post("/users")
async def create_user(
    user_data: UserCreate,
    primary_session: PrimarySessionDep,
    analytics_session: AnalyticsSessionDep,
    logging_session: LoggingSessionDep,
):
    user = User(**user_data.model_dump())
    primary_session.add(user)
    await primary_session.commit()

    event = Event(id=user.id, user_id=user.id, user_email=user.email, event_type="signed_up")
    analytics_session.add(event)
    await analytics_session.commit()

    log = AuditLog(id=user.id, action="create_user", user_id=user.id)
    logging_session.add(log)
    await logging_session.commit()
    return user


# -- tenants --------------------------------------------------------------------------------------


@app.get("/tenants/{tenant_id}/notes")
async def list_notes(session: TenantSessionDep):
    return (await session.execute(select(Note))).scalars().all()


@app.post("/tenants/{tenant_id}/notes")
async def add_note(session: TenantSessionDep, id: int, body: str):
    note = Note(id=id, body=body)
    session.add(note)
    await session.commit()
    return note


@app.get("/data")
async def get_data(tenant_id: str):
    async with get_session(f"tenant_{tenant_id}") as session:
        return (await session.execute(select(Note))).scalars().all()
