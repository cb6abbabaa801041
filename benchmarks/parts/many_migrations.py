"""Many pending migrations: on one database near and far, and on a fleet."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.measure import Bar, Figure, Report, Run, Subject, measure
from benchmarks.migrations import read_plain, write_folder, write_psql
from benchmarks.ours import TEMPLATE, Project, make_template
from benchmarks.rivals import Alembic, Each, all_at_once, one_by_one, psql_migrate, raw_migrate
from benchmarks.stage import Place, Stage, distance, far_away

PART = "many migrations"
OURS = "dbwarden"
RAW = "asyncpg by hand, 100 a message"
RAW_SINGLE = "asyncpg by hand, one a message"
ALEMBIC = "Alembic"
PSQL = "psql -f"
FLOOR = "asyncpg by hand, in a running loop"
COMMAND, PROCESSES = "dbwarden migrate --all", "Alembic, a process each"


async def many_migrations(stage: Stage, report: Report, quick: bool) -> None:
    """The bars are for the full numbers; with ``quick`` ones there are none."""
    few, many, databases = (50, 200, 10) if quick else (200, 1000, 50)
    await _far(stage, report, few, quick)
    await _near(stage, report, many, quick)
    await _fleet(stage, report, databases, quick)
    await _commands(stage, report, databases, quick)


def _anew(stage: Stage, names: Sequence[str]) -> Run:
    async def prepare() -> None:
        await stage.make(names)

    return prepare


async def _far(stage: Stage, report: Report, count: int, quick: bool) -> None:
    project = Project(stage.new_folder("far"), ["far"], count)
    alembic = Alembic(stage.new_folder("alembic"), count)
    folder = project.migrations("far")
    with far_away(stage, 20) as (port, _):
        (place,) = stage.places(["far"], port)
        new = _anew(stage, ["far"])
        subjects = [
            Subject(name=RAW, run=partial(raw_migrate(folder, 100), place), prepare=new),
            Subject(name=OURS, run=lambda: project.migrate([place], 1), prepare=new),
            _slow(RAW_SINGLE, partial(raw_migrate(folder, 1), place), new),
            _slow(ALEMBIC, partial(alembic.each("upgrade", "head"), place), new),
        ]
        timings = await measure(subjects, rounds=3 if quick else 7)
    bars = (
        Bar(subject=OURS, compared_with=RAW, limit=1.5),
        Bar(subject=OURS, compared_with=ALEMBIC, limit=1.0, kind="at least"),
    )
    case = f"{count} migrations on one database {distance(20)}"
    report.add(Figure(part=PART, case=case, timings=timings, bars=() if quick else bars))
    await stage.drop(["far"])


def _slow(name: str, run: Run, prepare: Run) -> Subject:
    return Subject(name=name, run=run, prepare=prepare, once=True)


async def _near(stage: Stage, report: Report, count: int, quick: bool) -> None:
    project = Project(stage.new_folder("near"), ["near"], count)
    alembic = Alembic(stage.new_folder("alembic"), count)
    folder = project.migrations("near")
    script = _script(stage, folder)
    (place,) = stage.places(["near"])
    new = _anew(stage, ["near"])
    subjects = [
        Subject(name=RAW, run=partial(raw_migrate(folder, 100), place), prepare=new),
        Subject(name=OURS, run=lambda: project.migrate([place], 1), prepare=new),
        Subject(name=PSQL, run=partial(_psql(stage, script), place), prepare=new),
        _slow(ALEMBIC, partial(alembic.each("upgrade", "head"), place), new),
    ]
    timings = await measure(subjects, rounds=3 if quick else 7)
    bars = (
        Bar(subject=OURS, compared_with=RAW, limit=1.3),
        Bar(subject=OURS, compared_with=ALEMBIC, limit=1.0, kind="at least"),
    )
    case = f"{count:,} migrations on one database {distance(0)}"
    report.add(Figure(part=PART, case=case, timings=timings, bars=() if quick else bars))
    await stage.drop(["near"])


def _script(stage: Stage, folder: Path) -> Path:
    script = stage.new_folder("psql") / "all.sql"
    write_psql(script, read_plain(folder))
    return script


def _psql(stage: Stage, script: Path) -> Each:
    return psql_migrate(stage.psql, script)


async def _fleet(stage: Stage, report: Report, size: int, quick: bool) -> None:
    names = [f"many_{number:02d}" for number in range(1, size + 1)]
    project = Project(stage.new_folder("many"), names, 20)
    raw = raw_migrate(project.migrations(names[0]), 100)
    with far_away(stage, 20) as (port, _):
        places = stage.places(names, port)
        new = _anew(stage, names)
        subjects = [
            Subject(name=RAW, run=lambda: all_at_once(raw, places), prepare=new),
            Subject(name=OURS, run=lambda: project.migrate(places, size), prepare=new),
            _slow("dbwarden, one by one", lambda: project.migrate(places, 1), new),
        ]
        timings = await measure(subjects, rounds=3 if quick else 7)
    bars = (Bar(subject=OURS, compared_with=RAW, limit=1.5),)
    case = f"20 migrations on each of {size} databases {distance(20)}"
    report.add(Figure(part=PART, case=case, timings=timings, bars=() if quick else bars))
    await stage.drop(names)


async def _commands(stage: Stage, report: Report, size: int, quick: bool) -> None:
    """Whole processes on both sides: one of ours for all, one of Alembic's for each."""
    for pending in (0, 1, 20):
        await _command_case(stage, report, size, pending, quick)


async def _command_case(stage: Stage, report: Report, size: int, pending: int, quick: bool) -> None:
    names = [f"many_{number:02d}" for number in range(1, size + 1)]
    project = Project(stage.new_folder("many"), names, 20)
    write_folder(project.migrations(TEMPLATE), TEMPLATE, 20 - pending)
    alembic = Alembic(stage.new_folder("alembic"), 20)
    await make_template(stage, project, alembic, f"{20 - pending:04d}" if pending < 20 else "base")
    places = stage.places(names)
    sample = 5 if quick else size

    async def new() -> None:
        await stage.make(names, template=TEMPLATE)

    async def theirs() -> None:
        await one_by_one(alembic.each("upgrade", "head"), places[:sample])

    subjects = [
        Subject(name=COMMAND, run=_command(project, places), prepare=new),
        Subject(name=PROCESSES, run=theirs, prepare=new, sample=sample, of=size, once=True),
    ]
    if pending == 20:  # how much of it is the server's own time
        raw = raw_migrate(project.migrations(names[0]), 100)
        subjects.append(Subject(name=FLOOR, run=lambda: all_at_once(raw, places), prepare=new))
    timings = await measure(subjects, rounds=3 if quick else 7)
    what = f"{pending} pending on each" if pending else "up to date"
    bars = (Bar(subject=COMMAND, compared_with=PROCESSES, limit=20, kind="at least"),)
    case = f"migrate --all, {size} databases on loopback, {what}"
    report.add(Figure(part=PART, case=case, timings=timings, bars=() if quick else bars))
    await stage.drop([*names, TEMPLATE])


def _command(project: Project, places: Sequence[Place]) -> Run:
    limit = str(len(places))
    options = ("--all", "--concurrency", limit, "--per-server", limit)
    return lambda: project.command(places, "migrate", *options)
