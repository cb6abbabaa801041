"""Cold start: a whole process each, compared with Alembic and bare Python."""

import sys
from pathlib import Path

from benchmarks.measure import Bar, Figure, Report, Run, Subject, measure
from benchmarks.ours import Project
from benchmarks.rivals import Alembic, program, run_process
from benchmarks.stage import Place, Stage

PART = "cold start"
MIGRATIONS = 20


def _process(*command: str, cwd: Path | None = None) -> Run:
    async def run() -> None:
        await run_process(command, cwd=cwd)

    return run


def _bare(code: str) -> Run:
    return _process(sys.executable, "-c", code)


async def cold_start(stage: Stage, report: Report, quick: bool) -> None:
    rounds = 5 if quick else 15
    await _without_database(stage, report, rounds)
    await _with_database(stage, report, rounds)


async def _without_database(stage: Stage, report: Report, rounds: int) -> None:
    subjects = [
        Subject(name="python", run=_bare("pass")),
        Subject(name="import cyclopts", run=_bare("import cyclopts")),
        Subject(name="dbwarden --help", run=_process(program("dbwarden"), "--help")),
        Subject(name="dbwarden --version", run=_process(program("dbwarden"), "--version")),
        Subject(name="alembic --help", run=_process(program("alembic"), "--help")),
    ]
    timings = await measure(subjects, rounds=rounds)
    bare = ("python", "import cyclopts")
    for case, rival in (("--help", "alembic --help"), ("--version", None)):
        ours = f"dbwarden {case}"
        names = [ours, *bare, *([rival] if rival else [])]
        bars = [Bar(subject=ours, compared_with="import cyclopts", limit=2.0)]
        bars += (
            [Bar(subject=ours, compared_with=rival, limit=1.0, kind="at least")] if rival else []
        )
        report.add(
            Figure(
                part=PART,
                case=case,
                timings={name: timings[name] for name in names},
                bars=tuple(bars),
            )
        )


async def _with_database(stage: Stage, report: Report, rounds: int) -> None:
    await stage.make(["cold", "cold_alembic"])
    (ours,) = stage.places(["cold"])
    (theirs,) = stage.places(["cold_alembic"])
    project = Project(stage.new_folder("cold"), ["cold"], MIGRATIONS)
    alembic = Alembic(stage.new_folder("alembic"), MIGRATIONS)
    await project.command([ours], "migrate")
    await alembic.each("upgrade", "head")(theirs)

    def dbwarden(*arguments: str) -> Run:
        return lambda: project.command([ours], *arguments)

    def rival(place: Place, *arguments: str) -> Run:
        return lambda: alembic.each(*arguments)(place)

    asyncpg = Subject(name="import asyncpg, cyclopts", run=_bare("import asyncpg, cyclopts"))
    pairs = (
        ("status", ("status",), ("current",)),
        ("migrate, nothing to do", ("migrate",), ("upgrade", "head")),
    )
    for case, mine, other in pairs:
        name, command = f"dbwarden {mine[0]}", f"alembic {' '.join(other)}"
        subjects = [
            asyncpg,
            Subject(name=name, run=dbwarden(*mine)),
            Subject(name=command, run=rival(theirs, *other)),
        ]
        timings = await measure(subjects, rounds=rounds)
        bars = (Bar(subject=name, compared_with=command, limit=1.0, kind="at least"),)
        report.add(Figure(part=PART, case=case, timings=timings, bars=bars))
    await stage.drop(["cold", "cold_alembic"])
