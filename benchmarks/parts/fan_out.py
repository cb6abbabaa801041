"""One operation on many databases: concurrent, one by one, and as others do it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.measure import Bar, Figure, Report, Run, Subject, Timing, measure
from benchmarks.ours import TEMPLATE, Project, make_template
from benchmarks.rivals import (
    Alembic,
    Each,
    alchemy_check,
    all_at_once,
    one_by_one,
    raw_check,
    raw_check_folders,
)
from benchmarks.stage import Place, Stage, distance, far_away

PART = "fan-out"
MIGRATIONS = 5
AT_ONCE = 250
"""How many connections at a time, for everybody."""
PATIENCE = 8.0
"""Seconds that a measurement one by one may take; beyond, a sample is scaled up."""

OURS, OURS_SERIAL, OURS_COMMAND = "dbwarden", "dbwarden, one by one", "dbwarden, whole process"
OURS_FOLDERS = "dbwarden, a folder of migrations each"
RAW, RAW_FOLDERS = "asyncpg by hand", "asyncpg by hand, a folder of migrations each"
ALCHEMY, ALCHEMY_SERIAL = "SQLAlchemy", "SQLAlchemy, one by one"
ALEMBIC = "Alembic, a process each"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The databases of this part, all up to date, and who looks at them."""

    project: Project
    folders: Project
    alembic: Alembic
    names: tuple[str, ...]
    raw: Each
    raw_folders: Each
    alchemy: Each


async def fan_out(stage: Stage, report: Report, quick: bool) -> None:
    sizes = [1, 10, 50] if quick else [1, 3, 10, 50, 200, 1000]
    fleet = await _raise_fleet(stage, report, max(sizes))
    sizes = [size for size in sizes if size <= len(fleet.names)]
    for milliseconds in [0, 20] if quick else [0, 20, 100]:
        with far_away(stage, milliseconds) as (port, _):
            places = stage.places(fleet.names, port)
            theirs = await _alembic(fleet, places[0], rounds=1 if quick else 3)
            for size in sizes:
                case = f"{size} database{'s' if size > 1 else ''} {distance(milliseconds)}"
                scene = Scene(
                    stage=stage,
                    fleet=fleet,
                    places=places[:size],
                    case=case,
                    seconds=milliseconds / 1000,
                    rounds=3 if quick else 7 if size <= 200 else 2,
                    thorough=not quick and milliseconds == 20 and size in (50, 200),
                )
                await _check(scene, report, theirs["current"])
                await _migrate(scene, report, theirs["upgrade"])
    await stage.drop([*fleet.names, TEMPLATE])


async def _raise_fleet(stage: Stage, report: Report, wanted: int) -> Fleet:
    size = min(wanted, stage.room())
    if size < wanted:
        report.remark(f"the disk has room for {size} databases, not for {wanted}")
    names = tuple(f"tenant_{number:04d}" for number in range(1, size + 1))
    project = Project(stage.new_folder("tenants"), names, MIGRATIONS, tenants=True)
    folders = Project(stage.new_folder("folders"), names, MIGRATIONS)
    alembic = Alembic(stage.new_folder("alembic"), MIGRATIONS)
    await make_template(stage, project, alembic, "head")
    await stage.make(names, template=TEMPLATE)
    return Fleet(
        project=project,
        folders=folders,
        alembic=alembic,
        names=names,
        raw=raw_check(project.migrations(TEMPLATE), "dbwarden_ledger"),
        raw_folders=raw_check_folders(folders.migrations, "dbwarden_ledger"),
        alchemy=alchemy_check("dbwarden_ledger"),
    )


async def _alembic(fleet: Fleet, place: Place, *, rounds: int) -> dict[str, Timing]:
    """What one process on one database takes: the same for every size of fleet."""
    return await measure(
        [
            Subject(name="current", run=lambda: fleet.alembic.each("current")(place)),
            Subject(name="upgrade", run=lambda: fleet.alembic.each("upgrade", "head")(place)),
        ],
        rounds=rounds,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Some of the fleet's databases at one distance (``seconds`` a round trip)."""

    stage: Stage
    fleet: Fleet
    places: Sequence[Place]
    case: str
    seconds: float
    rounds: int
    thorough: bool

    @property
    def limit(self) -> int:
        return min(len(self.places), AT_ONCE)

    def scaled(self, process: Timing) -> Timing:
        size = len(self.places)
        values = tuple(value * size for value in process.values)
        return Timing(values=values, sample=f"scaled up from 1 of {size}" if size > 1 else None)

    def concurrent(self, name: str, each: Each) -> Subject:
        async def run() -> None:
            await all_at_once(each, self.places, self.limit)

        return self.subject(name, run)

    def subject(self, name: str, run: Run) -> Subject:
        """Starts when the server has seen off whom the one before it left behind."""
        return Subject(name=name, run=run, prepare=self.stage.quiet)

    def serial(self, name: str, each: Each, *, flights: int) -> Subject:
        """One by one; a sample of them where all would take too long."""
        size = len(self.places)
        per_database = flights * self.seconds + 0.010
        sample = size if self.thorough else min(size, max(5, int(PATIENCE / per_database)))

        async def run() -> None:
            await one_by_one(each, self.places[:sample])

        once = sample * per_database > 1
        return replace(self.subject(name, run), sample=sample, of=size, once=once)


async def _check(scene: Scene, report: Report, alembic: Timing) -> None:
    project, places, limit = scene.fleet.project, scene.places, scene.limit
    subjects = [
        scene.concurrent(RAW, scene.fleet.raw),
        scene.subject(OURS, lambda: project.check(places, limit)),
        scene.concurrent(RAW_FOLDERS, scene.fleet.raw_folders),
        scene.subject(OURS_FOLDERS, lambda: scene.fleet.folders.check(places, limit)),
        scene.concurrent(ALCHEMY, scene.fleet.alchemy),
        scene.serial(OURS_SERIAL, lambda place: project.check([place], 1), flights=3),
        scene.serial(ALCHEMY_SERIAL, scene.fleet.alchemy, flights=16),
        scene.subject(OURS_COMMAND, _command(scene, "check")),
    ]
    timings = await measure(subjects, rounds=scene.rounds)
    timings[ALEMBIC] = scene.scaled(alembic)
    pairs = ((OURS, RAW), (OURS_FOLDERS, RAW_FOLDERS))
    bars = [Bar(subject=mine, compared_with=rival, limit=1.3) for mine, rival in pairs]
    bars += [Bar(subject=OURS, compared_with=ALCHEMY_SERIAL, limit=20, kind="at least")]
    promised = scene.seconds == 0.020 and len(places) in (50, 200)
    report.add(
        Figure(
            part=PART,
            case=f"check, {scene.case}",
            timings=timings,
            bars=tuple(bars) if promised else (),
        )
    )


async def _migrate(scene: Scene, report: Report, alembic: Timing) -> None:
    project, places, limit = scene.fleet.project, scene.places, scene.limit
    subjects = [
        scene.concurrent(RAW, scene.fleet.raw),
        scene.subject(OURS, lambda: project.migrate(places, limit)),
        scene.serial(OURS_SERIAL, lambda place: project.migrate([place], 1), flights=3),
        scene.subject(OURS_COMMAND, _command(scene, "migrate")),
    ]
    timings = await measure(subjects, rounds=scene.rounds)
    timings[ALEMBIC] = scene.scaled(alembic)
    report.add(Figure(part=PART, case=f"migrate, up to date, {scene.case}", timings=timings))


def _command(scene: Scene, name: str) -> Run:
    limit = str(scene.limit)
    options = ("--all", "--concurrency", limit, "--per-server", limit)
    return lambda: scene.fleet.project.command(scene.places, name, *options)
