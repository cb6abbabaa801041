"""The start of a FastAPI application with many databases, and its ``/health``."""

import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import TaskGroup
from fastapi import FastAPI
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from benchmarks.measure import Bar, Figure, Report, Run, Subject, Timing, measure
from benchmarks.migrations import write_folder
from benchmarks.ours import TEMPLATE, Project, make_template
from benchmarks.rivals import Alembic
from benchmarks.stage import Place, Stage, distance, far_away
from dbwarden.errors import StartupFailed
from dbwarden.fastapi import DBWardenHealthRouter, migration_context

PART = "concurrent startup"
MIGRATIONS = 5
SIZES = (3, 10, 50)
OURS = "dbwarden"
BY_HAND, ALEMBIC = "SQLAlchemy by hand, one by one", "Alembic's check, one by one"
PROCESSES = "alembic current, a process each"
LIMIT = "the time limit of the dead database"
LIMIT_SECONDS = 1.0
NEWEST = text("SELECT max(key) FROM dbwarden_ledger")

START_BARS = {(0, 50): 1.0, (20, 3): 3.0, (20, 10): 6.0, (20, 50): 20.0}
"""How many times as fast as the start by hand, by distance and number of databases."""
HEALTH_BARS = {
    (0, 3): 0.33,
    (0, 10): 0.33,
    (0, 50): 0.33,
    (20, 3): 2.5,
    (20, 10): 6.0,
    (20, 50): 10.0,
}
"""The same for ``/health``. On loopback there are no round trips to save, and the loop by hand
reads neither lock nor files."""
SMALL = 0.5
"""The bar of few databases on loopback, where all takes milliseconds."""
DEAD_BAR = 1.25
"""How much longer than the dead database's time limit the failed start may take."""


async def startup(stage: Stage, report: Report, quick: bool) -> None:
    sizes = SIZES[:2] if quick else SIZES
    names = tuple(f"startup_{number:02d}" for number in range(max(sizes)))
    project = Project(stage.new_folder("startup"), (TEMPLATE,), MIGRATIONS)
    alembic = Alembic(stage.new_folder("alembic"), MIGRATIONS)
    await make_template(stage, project, alembic, "head")
    await stage.make(names, template=TEMPLATE)
    for milliseconds in (0, 20):
        with far_away(stage, milliseconds) as (port, _):
            places = stage.places(names, port)
            process = await _process(alembic, places[0], 1 if quick else 3)
            for size in sizes:
                rounds = 3 if quick else 7
                scene = Scene(stage, places[:size], milliseconds, rounds, alembic, process)
                await _start(scene, report)
                await _start_with_a_dead_one(scene, report)
                await _health(scene, report)
    await stage.drop([*names, TEMPLATE])


async def _process(alembic: Alembic, place: Place, rounds: int) -> Timing:
    run = lambda: alembic.each("current")(place)  # noqa: E731
    return (await measure([Subject(name=PROCESSES, run=run)], rounds=rounds))[PROCESSES]


@dataclass(frozen=True, slots=True)
class Scene:
    """Some databases at one distance, in milliseconds a round trip."""

    stage: Stage
    places: Sequence[Place]
    milliseconds: int
    rounds: int
    alembic: Alembic
    process: Timing

    @property
    def case(self) -> str:
        return f"{len(self.places)} databases {distance(self.milliseconds)}"

    @property
    def key(self) -> tuple[int, int]:
        return self.milliseconds, len(self.places)

    @property
    def slow(self) -> bool:
        """Whether one database after the other takes so long that one round is enough."""
        return self.milliseconds * len(self.places) >= 200

    def project(self, dead: Place | None = None) -> Path:
        """A folder with a project of these databases, and of one that does not answer."""
        folder = self.stage.new_folder("project")
        return write_project(folder, [*self.places, *([dead] if dead else [])], dead)


def write_project(folder: Path, places: Sequence[Place], dead: Place | None = None) -> Path:
    lines = ["from dbwarden import database_config"]
    for number, place in enumerate(places):
        write_folder(folder / "migrations" / place.name, place.name, MIGRATIONS)
        patience = LIMIT_SECONDS if place is dead else 60.0
        lines.append(
            f"database_config(database_name={place.name!r}, database_type='postgresql', "
            f"database_url={place.url!r}, default={number == 0}, connect_timeout={patience})"
        )
    (folder / "dbwarden.py").write_text("\n".join(lines) + "\n")
    return folder


# -- applications that start and stop -----------------------------------------------------------


class Started:
    """An application that was started through the ASGI lifespan protocol, as a server does."""

    def __init__(self, group: TaskGroup) -> None:
        self._group = group
        self._leave: anyio.Event | None = None
        self._left: anyio.Event | None = None

    async def start(self, app: FastAPI, *, fails: bool = False) -> None:
        """Start *app*, and return when it has started (or failed, where that is expected)."""
        answered, leave, left = anyio.Event(), anyio.Event(), anyio.Event()
        self._leave, self._left = leave, left
        answers: list[str] = []
        asked: list[str] = []

        async def receive() -> dict[str, Any]:
            if asked:
                await leave.wait()
                return {"type": "lifespan.shutdown"}
            asked.append("startup")
            return {"type": "lifespan.startup"}

        async def send(message: Any) -> None:
            answers.append(message["type"])
            answered.set()

        async def run() -> None:
            try:
                await app({"type": "lifespan", "asgi": {}, "state": {}}, receive, send)
            except StartupFailed:
                if not fails:
                    raise
            finally:
                left.set()

        self._group.start_soon(run)
        await answered.wait()
        if (answers[0] == "lifespan.startup.failed") is not fails:
            raise RuntimeError(f"the application answered {answers[0]}")

    async def stop(self) -> None:
        if self._leave is not None and self._left is not None:
            self._leave.set()
            await self._left.wait()
            self._leave = self._left = None


def our_app(folder: Path) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with contextlib.chdir(folder):
            async with migration_context(mode="check", all_databases=True, fail_fast=True):
                yield

    return FastAPI(lifespan=lifespan)


def app_by_hand(places: Sequence[Place], expected: str, arguments: dict[str, Any]) -> FastAPI:
    """The lifespan that everybody writes: an engine for each database, its version, in turn."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engines: list[AsyncEngine] = []
        try:
            for place in places:
                engine = create_async_engine(place.alchemy_url, connect_args=arguments)
                engines.append(engine)
                async with engine.connect() as connection:
                    if (await connection.execute(NEWEST)).scalar_one() != expected:
                        raise RuntimeError(f"{place.name} has pending migrations")
            yield
        finally:
            for engine in engines:
                await engine.dispose()

    return FastAPI(lifespan=lifespan)


def app_with_alembic(places: Sequence[Place], alembic: Alembic) -> FastAPI:
    """The recipe of Alembic's cookbook: is each database at the newest revision?"""
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    def heads(connection: Connection) -> set[str]:
        return set(MigrationContext.configure(connection).get_current_heads())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engines: list[AsyncEngine] = []
        try:
            scripts = ScriptDirectory.from_config(Config(str(alembic.folder / "alembic.ini")))
            for place in places:
                engine = create_async_engine(place.alchemy_url)
                engines.append(engine)
                async with engine.connect() as connection:
                    if await connection.run_sync(heads) != set(scripts.get_heads()):
                        raise RuntimeError(f"{place.name} has pending migrations")
            yield
        finally:
            for engine in engines:
                await engine.dispose()

    return FastAPI(lifespan=lifespan)


# -- the figures ----------------------------------------------------------------------------------


async def _start(scene: Scene, report: Report) -> None:
    apps = {
        OURS: our_app(scene.project()),
        BY_HAND: app_by_hand(scene.places, f"{MIGRATIONS:04d}", {}),
        ALEMBIC: app_with_alembic(scene.places, scene.alembic),
    }
    async with anyio.create_task_group() as group:
        started = Started(group)

        def starts(app: FastAPI) -> Run:
            return lambda: started.start(app)

        subjects = [
            replace(_subject(scene, started, name, starts(app)), once=scene.slow and name != OURS)
            for name, app in apps.items()
        ]
        timings = await measure(subjects, rounds=scene.rounds)
        await started.stop()
    size = len(scene.places)
    values = tuple(value * size for value in scene.process.values)
    timings[PROCESSES] = Timing(values=values, sample=f"scaled up from 1 of {size}")
    limit = START_BARS.get(scene.key, SMALL)
    bars = (Bar(subject=OURS, compared_with=BY_HAND, limit=limit, kind="at least"),)
    report.add(Figure(part=PART, case=f"start, {scene.case}", timings=timings, bars=bars))


def _subject(scene: Scene, started: Started, name: str, run: Run) -> Subject:
    async def prepare() -> None:
        await started.stop()
        await scene.stage.quiet()

    return Subject(name=name, run=run, prepare=prepare)


async def _start_with_a_dead_one(scene: Scene, report: Report) -> None:
    """With ``fail_fast`` a database that never answers costs its own time limit and no more."""
    with silent_server() as port:
        dead = Place(name="dead", port=port)
        app = our_app(scene.project(dead))
        async with anyio.create_task_group() as group:
            started = Started(group)
            run = lambda: started.start(app, fails=True)  # noqa: E731
            subject = _subject(scene, started, OURS, run)
            timings = await measure([subject], rounds=scene.rounds)
            await started.stop()
    timings[LIMIT] = Timing(values=(LIMIT_SECONDS,) * scene.rounds)
    bars = (Bar(subject=OURS, compared_with=LIMIT, limit=DEAD_BAR),)
    case = f"a start that fails, {scene.case} and a dead one"
    report.add(Figure(part=PART, case=case, timings=timings, bars=bars))


@contextlib.contextmanager
def silent_server() -> Iterator[int]:
    """A port where the system accepts connections and nobody ever answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield listener.getsockname()[1]


async def _health(scene: Scene, report: Report) -> None:
    app = our_app(scene.project())
    router = DBWardenHealthRouter(ttl=0.0, probe_timeout=60.0, deadline=120.0)
    app.include_router(router, prefix="/health")
    engines = [create_async_engine(place.alchemy_url) for place in scene.places]
    add_loop(app, engines)
    async with anyio.create_task_group() as group:
        started = Started(group)
        await started.start(app)
        timings = await measure(
            [
                Subject(name=OURS, run=asker(app, "/health")),
                Subject(name=BY_HAND, run=asker(app, "/by-hand")),
            ],
            rounds=scene.rounds,
        )
        await started.stop()
    for engine in engines:
        await engine.dispose()
    limit = HEALTH_BARS.get(scene.key, SMALL)
    bars = (Bar(subject=OURS, compared_with=BY_HAND, limit=limit, kind="at least"),)
    report.add(Figure(part=PART, case=f"/health, {scene.case}", timings=timings, bars=bars))


def add_loop(app: FastAPI, engines: Sequence[AsyncEngine]) -> None:
    """The endpoint that everybody writes: each database in turn, its newest version."""

    async def health() -> list[dict[str, Any]]:
        found = []
        for engine in engines:
            async with engine.connect() as connection:
                version = (await connection.execute(NEWEST)).scalar_one()
                found.append({"version": version, "pending": int(version) < MIGRATIONS})
        return json.loads(json.dumps(found))  # type: ignore[no-any-return]

    app.add_api_route("/by-hand", health)


def asker(app: FastAPI, path: str) -> Run:
    """Return one GET, given to the application without a network, whose time would hide it."""
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

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                codes.append(message["status"])

        await app(dict(scope), receive, send)
        if codes != [200]:
            raise RuntimeError(f"{path} answered {codes}")

    return ask
