"""The files that ``init`` writes."""

import json

from dbwarden.config.option import EMBEDDED
from dbwarden.types import DialectName

_CONFIGURATION = '''\
"""The databases of this project. dbwarden finds this file by its name."""

import os

from dbwarden.config import database_config

database_config(
    database_name="{name}",
    default=True,
{kind}    database_url=os.environ.get("DATABASE_URL", {url}),
{models})

# One more database is one more call:
#
# database_config(
#     database_name="analytics",
#     database_type="postgresql",
#     database_url=os.environ["ANALYTICS_URL"],
#     model_paths=["app.models.analytics"],
# )
'''

_KIND_OF_SERVER = """\
    database_type="{kind}",
    # Without DATABASE_URL: the development server (dbwarden dev-server start).
"""

_NO_MODELS = """\
    # The modules with your SQLAlchemy models, as in ["app.models"]:
    model_paths=[],
"""

MODELS = '''\
"""The tables of the application."""

from datetime import datetime

from sqlalchemy import func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The base of all models."""


class Note(Base):
    """A table to begin with; replace it with your own."""

    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
'''

_APPLICATION = '''\
"""The application. Start it with: uvicorn {module}:app --reload"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy import {words}
from sqlalchemy.ext.asyncio import AsyncSession

{imported}from dbwarden.fastapi import (
    DBWardenHealthRouter,
    DBWardenStatusPage,
    get_session,
    migration_context,
)

Session = Annotated[AsyncSession, Depends(get_session("{name}"))]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """Start only if every database matches its migration files."""
    async with migration_context(mode="check", all_databases=True):
        yield


app = FastAPI(title={title}, lifespan=lifespan)
app.include_router(DBWardenHealthRouter(), prefix="/health")
app.include_router(DBWardenStatusPage(), prefix="/dbwarden")

{route}'''

_ROUTE_OF_NOTES = '''
@app.get("/notes")
async def list_notes(session: Session) -> list[str]:
    """Return the text of every note."""
    return list(await session.scalars(select(Note.text).order_by(Note.id)))


@app.post("/notes", status_code=201)
async def add_note(text: str, session: Session) -> int:
    """Store a note and return its number."""
    note = Note(text=text)
    session.add(note)
    await session.commit()
    return note.id
'''

_ROUTE = '''
@app.get("/now")
async def now(session: Session) -> str:
    """Return the time of the database server."""
    return str(await session.scalar(text("SELECT CURRENT_TIMESTAMP")))
'''


def configuration(name: str, url: str, kind: DialectName, models: str | None) -> str:
    """Return the text of ``dbwarden.py``."""
    return _CONFIGURATION.format(
        name=name,
        url=json.dumps(url),
        kind=_KIND_OF_SERVER.format(kind=kind) if url == EMBEDDED else "",
        models=f"    model_paths=[{json.dumps(models)}],\n" if models else _NO_MODELS,
    )


def application(title: str, name: str, module: str, models: str | None) -> str:
    """Return the text of the application; with a route for the table of new *models*."""
    return _APPLICATION.format(
        title=json.dumps(title, ensure_ascii=False),
        name=name,
        module=module,
        words="select" if models else "text",
        imported=f"from {models} import Note\n" if models else "",
        route=_ROUTE_OF_NOTES if models else _ROUTE,
    )
