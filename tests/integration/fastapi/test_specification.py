"""The page of the specification, block by block as it is written, as one application.

Only the addresses of its databases are ours, and what it leaves out with "...".
"""

import json
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.integration.fastapi.programs import run, uvicorn

CONFIGURATION = """
# dbwarden.py
from dbwarden import database_config

# Primary database
database_config(
    database_name="primary",
    default=True,
    database_type="postgresql",
    database_url="postgresql://user:password@localhost/myapp",
    model_paths=["app.models.primary"],
)

# Analytics database
database_config(
    database_name="analytics",
    database_type="postgresql",
    database_url="postgresql://user:password@localhost/analytics",
    model_paths=["app.models.analytics"],
)

# Logging database
database_config(
    database_name="logging",
    database_type="postgresql",
    database_url="postgresql://user:password@localhost/logs",
    model_paths=["app.models.logging"],
)
"""

DEPENDENCIES = """
# app/dependencies.py
from typing import Annotated
from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession
from dbwarden.fastapi import get_session

# Primary database
PrimarySessionDep = Annotated[AsyncSession, Depends(get_session())]

# Analytics database
AnalyticsSessionDep = Annotated[AsyncSession, Depends(get_session("analytics"))]

# Logging database
LoggingSessionDep = Annotated[AsyncSession, Depends(get_session("logging"))]

# app/dependencies.py
WriteSessionDep = Annotated[AsyncSession, Depends(get_session("primary"))]
ReadSessionDep = Annotated[AsyncSession, Depends(get_session("replica"))]
"""

BASE = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
class Base(DeclarativeBase): pass
"""

MODELS = {
    "primary": """
# Primary DB - User
class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
""",
    "analytics": """
# Analytics DB - Event with user email
class Event(Base):
    __tablename__ = "events"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_email: Mapped[str]  # Denormalized from User
    event_type: Mapped[str]
    user_id: Mapped[int]
""",
    "logging": """
class AuditLog(Base):
    __tablename__ = "audit_log"
    id: Mapped[int] = mapped_column(primary_key=True)
    action: Mapped[str]
    user_id: Mapped[int]
""",
}

LIFESPAN = """
from contextlib import asynccontextmanager
from dbwarden.fastapi import migration_context

@asynccontextmanager
async def lifespan(app: FastAPI):
    async with migration_context(
        mode="check",
        all_databases=True,  # ← Check all databases
        fail_fast=True,
    ):
        yield
"""

HEALTH = """
from dbwarden.fastapi import DBWardenHealthRouter

app.include_router(DBWardenHealthRouter(), prefix="/health")
"""

ROUTES = """
@app.get("/users")
async def list_users(session: PrimarySessionDep):
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
    # Query primary database
    users = await primary_session.execute(select(User))

    # Query analytics database
    events = await analytics_session.execute(select(Event))

    # Query logging database
    logs = await logging_session.execute(select(AuditLog))

    return {
        "users": users.scalars().all(),
        "events": events.scalars().all(),
        "logs": logs.scalars().all(),
    }

@app.get("/report")
async def get_report(
    primary_session: PrimarySessionDep,
    analytics_session: AnalyticsSessionDep,
):
    # Get user IDs from primary
    user_result = await primary_session.execute(select(User.id))
    user_ids = [row[0] for row in user_result.all()]

    # Get events for those users from analytics
    event_result = await analytics_session.execute(
        select(Event).where(Event.user_id.in_(user_ids))
    )

    return {"events": event_result.scalars().all()}

@app.get("/enriched-events")
async def get_enriched_events(
    primary_session: PrimarySessionDep,
    analytics_session: AnalyticsSessionDep,
):
    # Get all users
    users_result = await primary_session.execute(select(User))
    users = {u.id: u for u in users_result.scalars().all()}

    # Get all events
    events_result = await analytics_session.execute(select(Event))
    events = events_result.scalars().all()

    # Join in Python
    enriched = [
        {
            "event": event,
            "user": users.get(event.user_id)
        }
        for event in events
    ]

    return enriched

@app.post("/users")
async def create_user(
    user_data: UserCreate,
    primary_session: PrimarySessionDep,
    logging_session: LoggingSessionDep,
):
    # Create user in primary
    user = User(**user_data.dict())
    primary_session.add(user)
    await primary_session.commit()

    # Log action in logging database
    log = AuditLog(action="create_user", user_id=user.id)
    logging_session.add(log)
    await logging_session.commit()

    return user
"""

REPLICA = """
# Routes
@app.post("/written-users")
async def create_user(session: WriteSessionDep):
    # Write to primary
    session.add(User(email="grace@example.com"))
    await session.commit()

@app.get("/read-users")
async def list_users(session: ReadSessionDep):
    # Read from replica
    return (await session.execute(select(User))).scalars().all()
"""

TENANTS = """
def get_tenant_session(tenant_id: str):
    return Annotated[AsyncSession, Depends(get_session(f"tenant_{tenant_id}"))]

@app.get("/data")
async def get_data(tenant_id: str):
    TenantSessionDep = get_tenant_session(tenant_id)
    # Use tenant-specific database
    async with TenantSessionDep.__metadata__[0].dependency as session:
        return (await session.execute(text("SELECT current_database()"))).scalar_one()
"""

IMPORTS = """
from typing import Annotated
from fastapi import Depends, FastAPI
from pydantic import BaseModel
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from app.dependencies import *
from app.models.analytics import Event
from app.models.logging import AuditLog
from app.models.primary import User
from dbwarden.fastapi import get_session
"""

APPLICATION = "app = FastAPI(lifespan=lifespan)\nclass UserCreate(BaseModel): email: str\n"

EXPECTED_HEALTH = """
{
  "status": "ok",
  "databases": [
    {
      "database": "primary",
      "status": "ok",
      "connected": true,
      "pending_migrations": 0,
      "lock_active": false,
      "error": null
    },
    {
      "database": "analytics",
      "status": "ok",
      "connected": true,
      "pending_migrations": 0,
      "lock_active": false,
      "error": null
    },
    {
      "database": "logging",
      "status": "ok",
      "connected": true,
      "pending_migrations": 0,
      "lock_active": false,
      "error": null
    }
  ]
}
"""

MORE = """
database_config(database_name="replica", database_url="{replica}", replica_of="primary")
from dbwarden import tenant_databases
tenant_databases(name="tenant_{{tenant_id}}", database_type="postgresql",
                 database_url="{server}/{{tenant_id}}", tenants=["{tenant}"])
"""


def write(root: Path, urls: dict[str, str], *, more: str = "", routes: str = "") -> None:
    configuration = CONFIGURATION
    for name, url in urls.items():
        place = f"postgresql://user:password@localhost/{name}"
        assert configuration.count(place) == 1
        configuration = configuration.replace(place, url)
    (root / "dbwarden.py").write_text(configuration + more)
    (root / "app" / "models").mkdir(parents=True, exist_ok=True)
    for name, text in MODELS.items():
        (root / "app" / "models" / f"{name}.py").write_text(BASE + text)
    (root / "app" / "dependencies.py").write_text(DEPENDENCIES)
    (root / "app" / "main.py").write_text(IMPORTS + LIFESPAN + APPLICATION + HEALTH + routes)


def test_every_block_of_the_page_runs_as_shown(
    tmp_path: Path, databases: Callable[[int], list[str]]
) -> None:
    urls = dict(zip(("myapp", "analytics", "logs"), databases(3), strict=True))
    write(tmp_path, urls)
    run(tmp_path, 'dbwarden make-migrations -d primary -m "add users table"')
    run(tmp_path, 'dbwarden make-migrations -d analytics -m "add events table"')
    run(tmp_path, 'dbwarden make-migrations -d logging -m "add audit log"')
    run(tmp_path, "dbwarden migrate --all")
    written = sorted(path.name for path in (tmp_path / "migrations").glob("*/*.sql"))
    assert written == [
        "analytics__0001_add_events_table.sql",
        "logging__0001_add_audit_log.sql",
        "primary__0001_add_users_table.sql",
    ]

    dependencies = tmp_path / "app" / "dependencies.py"
    dependencies.write_text(DEPENDENCIES.replace('"replica"', '"primary"'))
    (tmp_path / "app" / "main.py").write_text((tmp_path / "app" / "main.py").read_text() + ROUTES)
    with uvicorn(tmp_path) as client:
        health = client.get("/health")
        assert health.status_code == 200
        assert json.dumps(health.json()) == json.dumps(json.loads(EXPECTED_HEALTH))
        one = client.get("/health/analytics").json()
        assert one == json.loads(EXPECTED_HEALTH)["databases"][1]
        use(client)


def use(client: httpx.Client) -> None:
    user = client.post("/users", json={"email": "ada@example.com"}).json()
    assert user == {"id": 1, "email": "ada@example.com"}
    assert client.get("/users").json() == [user]
    assert client.get("/analytics/events").json() == []
    dashboard = client.get("/dashboard").json()
    assert dashboard == {
        "users": [user],
        "events": [],
        "logs": [{"id": 1, "action": "create_user", "user_id": 1}],
    }
    assert client.get("/report").json() == {"events": []}
    assert client.get("/enriched-events").json() == []


def test_its_patterns_of_replica_and_tenants_run_as_shown(
    tmp_path: Path, databases: Callable[[int], list[str]]
) -> None:
    *three, tenant = databases(4)
    urls = dict(zip(("myapp", "analytics", "logs"), three, strict=True))
    server, _, name = tenant.rpartition("/")
    replica = f"{urls['myapp']}?options=-c%20default_transaction_read_only%3Don"
    more = MORE.format(replica=replica, server=server, tenant=name)
    write(tmp_path, urls, more=more, routes=REPLICA + TENANTS)
    run(tmp_path, 'dbwarden make-migrations -d primary -m "add users table"')
    run(tmp_path, "dbwarden migrate --all")
    with uvicorn(tmp_path) as client:
        assert client.post("/written-users").status_code == 200
        assert client.get("/read-users").json() == [{"id": 1, "email": "grace@example.com"}]
        assert client.get("/data", params={"tenant_id": name}).json() == name
        assert client.get("/health/replica").json()["status"] == "ok"
        assert client.get(f"/health/tenant_{name}").json()["status"] == "ok"
