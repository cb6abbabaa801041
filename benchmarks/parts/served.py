"""FastAPI: what a session costs a request, ``/health`` and the start with many databases."""

import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
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
from benchmarks.migrations import write_folder
from benchmarks.ours import Project
from benchmarks.stage import Place, Stage, distance, far_away
from dbwarden.fastapi import DBWardenHealthRouter, get_session, migration_context

PART = "FastAPI"
MIGRATIONS = 5
DATABASES = 50
OURS, BY_HAND, PINGED = "dbwarden", "SQLAlchemy by hand", "by hand, pool_pre_ping"
HEALTH_SERIAL = "by hand, one by one"
ONE = "one database"
QUESTION = text("SELECT count(*) FROM item_0001")


async def served(stage: Stage, report: Report, quick: bool) -> None:
    names = tuple(f"served_{number:02d}" for number in range(10 if quick else DATABASES))
    project = Project(stage.new_folder("served"), names, MIGRATIONS)
    await stage.make(names)
    await project.migrate(stage.places(names), 50)
    await _requests(stage, report, names[0], quick)
    for milliseconds in (0, 20):
        with far_away(stage, milliseconds) as (port, _):
            places = stage.places(names, port)
            case = f"{len(names)} databases {distance(milliseconds)}"
            await _health(Scene(stage, places, case, 5 if quick else 15, milliseconds), report)
            await _startup(Scene(stage, places, case, 3 if quick else 7, milliseconds), report)
    await stage.drop(names)


@dataclass(frozen=True, slots=True)
class Scene:
    """Some databases at one distance, in milliseconds a round trip."""

    stage: Stage
    places: Sequence[Place]
    case: str
    rounds: int
    milliseconds: int

    def project(self, places: Sequence[Place]) -> Path:
        """A folder with a project of these databases, which are migrated already."""
        return write_project(self.stage.new_folder("project"), places)


def write_project(folder: Path, places: Sequence[Place]) -> Path:
    lines = ["from dbwarden import database_config"]
    for number, place in enumerate(places):
        write_folder(folder / "migrations" / place.name, place.name, MIGRATIONS)
        lines.append(
            f"database_config(database_name={place.name!r}, database_type='postgresql', "
            f"database_url={place.url!r}, default={number == 0}, connect_timeout=60.0)"
        )
    (folder / "dbwarden.py").write_text("\n".join(lines) + "\n")
    return folder


@asynccontextmanager
async def serving(folder: Path, **options: Any) -> AsyncIterator[None]:
    """The project in *folder*, as an application that starts there has it."""
    with contextlib.chdir(folder):
        async with migration_context(**options):
            yield


def asker(app: FastAPI, path: str) -> Run:
    """One GET, handed to the application without a network in between, which would hide it."""
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "scheme": "http",
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def ask() -> None:
        codes = []

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                codes.append(message["status"])

        await app(dict(scope), receive, send)
        if codes != [200]:
            raise RuntimeError(f"{path} answered {codes}")

    return ask


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
            bars=(Bar(subject=OURS, beside=BY_HAND, limit=1.05),),
        )
    )


# -- health ---------------------------------------------------------------------------------------


async def _health(scene: Scene, report: Report) -> None:
    app = FastAPI()
    app.include_router(
        DBWardenHealthRouter(ttl=0.0, probe_timeout=60.0, deadline=120.0), prefix="/health"
    )
    engines = [create_async_engine(place.alchemy_url) for place in scene.places]
    add_serial(app, engines)
    async with AsyncExitStack() as stack:
        for engine in engines:
            stack.push_async_callback(engine.dispose)
        await stack.enter_async_context(
            serving(scene.project(scene.places), all_databases=True, mode="check")
        )
        timings = await measure(
            [
                Subject(name=OURS, run=asker(app, "/health")),
                Subject(name=HEALTH_SERIAL, run=asker(app, "/by-hand")),
            ],
            rounds=scene.rounds,
        )
    bar = Bar(subject=OURS, beside=HEALTH_SERIAL, limit=10, kind="at least")
    report.add(
        Figure(
            part=PART,
            case=f"/health, {scene.case}",
            timings=timings,
            bars=(bar,) if scene.milliseconds else (),
        )
    )


def add_serial(app: FastAPI, engines: Sequence[AsyncEngine]) -> None:
    """The endpoint that everybody writes: each database in turn, its newest version."""
    newest = text("SELECT max(key) FROM dbwarden_ledger")

    async def health() -> list[dict[str, Any]]:
        found = []
        for engine in engines:
            async with engine.connect() as connection:
                version = (await connection.execute(newest)).scalar_one()
                found.append({"version": version, "pending": int(version) < MIGRATIONS})
        return json.loads(json.dumps(found))  # type: ignore[no-any-return]

    app.add_api_route("/by-hand", health)


# -- the start ------------------------------------------------------------------------------------


async def _startup(scene: Scene, report: Report) -> None:
    many, one = scene.project(scene.places), scene.project(scene.places[:1])

    def start(folder: Path) -> Run:
        async def run() -> None:
            async with serving(folder, all_databases=True, mode="check"):
                pass

        return run

    timings = await measure(
        [Subject(name=OURS, run=start(many)), Subject(name=ONE, run=start(one))],
        rounds=scene.rounds,
    )
    report.add(Figure(part=PART, case=f"start and stop, {scene.case}", timings=timings))
