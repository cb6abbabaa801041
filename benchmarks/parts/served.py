"""FastAPI: what a session costs a request."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from benchmarks.measure import Bar, Figure, Report, Run, Subject, measure
from benchmarks.ours import Project
from benchmarks.parts.startup import asker, write_project
from benchmarks.stage import Stage
from dbwarden.fastapi import get_session, migration_context

PART = "FastAPI"
MIGRATIONS = 5
OURS, BY_HAND, PINGED = "dbwarden", "SQLAlchemy by hand", "by hand, pool_pre_ping"
QUESTION = text("SELECT count(*) FROM item_0001")


async def served(stage: Stage, report: Report, quick: bool) -> None:
    name = "served"
    project = Project(stage.new_folder("served"), (name,), MIGRATIONS)
    await stage.make([name])
    await project.migrate(stage.places([name]), 1)
    await _requests(stage, report, name, quick)
    await stage.drop([name])


@asynccontextmanager
async def serving(folder: Path, **options: Any) -> AsyncIterator[None]:
    """The project in *folder*, as an application that starts there has it."""
    with contextlib.chdir(folder):
        async with migration_context(**options):
            yield


def times(count: int, run: Run) -> Run:
    async def repeated() -> None:
        for _ in range(count):
            await run()

    return repeated


# -- a session a request --------------------------------------------------------------------------


def by_hand(engine: AsyncEngine) -> Callable[[], AsyncGenerator[AsyncSession]]:
    """The dependency that everybody writes."""
    maker = async_sessionmaker(engine, expire_on_commit=False)

    async def get_db() -> AsyncGenerator[AsyncSession]:
        async with maker() as session:
            yield session

    return get_db


def add_route(app: FastAPI, path: str, dependency: Any) -> None:
    async def count(session: Annotated[AsyncSession, Depends(dependency)]) -> int:
        return int((await session.execute(QUESTION)).scalar_one())

    app.add_api_route(path, count)


async def _requests(stage: Stage, report: Report, name: str, quick: bool) -> None:
    (place,) = stage.places([name])
    plain = create_async_engine(place.alchemy_url)
    pinged = create_async_engine(place.alchemy_url, pool_pre_ping=True)
    app = FastAPI()
    add_route(app, "/ours", get_session())
    add_route(app, "/by-hand", by_hand(plain))
    add_route(app, "/pinged", by_hand(pinged))
    many = 20 if quick else 50
    async with serving(write_project(stage.new_folder("project"), [place])):
        timings = await measure(
            [
                Subject(name=OURS, run=times(many, asker(app, "/ours"))),
                Subject(name=BY_HAND, run=times(many, asker(app, "/by-hand"))),
                Subject(name=PINGED, run=times(many, asker(app, "/pinged"))),
            ],
            rounds=11 if quick else 101,
        )
    await plain.dispose()
    await pinged.dispose()
    report.add(
        Figure(
            part=PART,
            case=f"{many} requests with a session and one query",
            timings=timings,
            bars=(Bar(subject=OURS, compared_with=BY_HAND, limit=1.05),),
        )
    )
