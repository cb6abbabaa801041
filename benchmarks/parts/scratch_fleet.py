"""Commands that use scratch databases, on a fleet: concurrently, and one after the other."""

import shutil
from functools import partial

import anyio.to_thread

from benchmarks.measure import Bar, Figure, Report, Run, Subject, measure
from benchmarks.ours import Project
from benchmarks.stage import Stage

PART = "scratch databases of a fleet"
TOGETHER, IN_TURN = "dbwarden {} --all", "dbwarden {} --all --concurrency 1"
FILES = 5


async def scratch_fleet(stage: Stage, report: Report, quick: bool) -> None:
    """``verify --all`` and ``diff --all``, next to the same work one after the other."""
    size = 4 if quick else 20
    names = [f"scratch_{number:02d}" for number in range(1, size + 1)]
    project = Project(stage.new_folder("scratch"), names, FILES)
    places = stage.places(names)
    await stage.make(names)
    await project.migrate(places, size)

    async def new() -> None:
        """Forget the schemas of earlier rounds."""
        await anyio.to_thread.run_sync(
            partial(shutil.rmtree, project.folder / ".dbwarden", ignore_errors=True)
        )

    def command(*arguments: str) -> Run:
        return lambda: project.command(places, *arguments)

    for word in ("verify", "diff"):
        together, in_turn = TOGETHER.format(word), IN_TURN.format(word)
        subjects = [
            Subject(name=together, run=command(word, "--all"), prepare=new),
            Subject(name=in_turn, run=command(word, "--all", "--concurrency", "1"), prepare=new),
        ]
        timings = await measure(subjects, rounds=1 if quick else 3)
        bars = (Bar(subject=together, compared_with=in_turn, limit=1.1, kind="at least"),)
        case = f"{word} --all, {size} databases with {FILES} migrations each"
        report.add(Figure(part=PART, case=case, timings=timings, bars=() if quick else bars))
    await stage.drop(names)
