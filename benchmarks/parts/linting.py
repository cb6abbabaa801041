"""``lint`` next to ``verify`` on the same files."""

import shutil
from functools import partial
from pathlib import Path

import anyio.to_thread

import dbwarden
from benchmarks.measure import Bar, Figure, Report, Subject, measure
from benchmarks.migrations import MARK_DOWN, MARK_UP, upgrade
from benchmarks.ours import Project
from benchmarks.stage import Stage

PART = "lint"
LINT, VERIFY = "dbwarden lint", "dbwarden verify"


async def linting(stage: Stage, report: Report, quick: bool) -> None:
    """Judge many files; each second one changes a table of an earlier one."""
    count = 40 if quick else 200
    project = Project(stage.new_folder("lint"), ["lint"], 0)
    write_changes(project.migrations("lint"), count)
    (place,) = stage.places(["lint"])
    config = project.config(place)

    async def new() -> None:
        """Forget the schemas of earlier rounds."""
        await anyio.to_thread.run_sync(
            partial(shutil.rmtree, project.folder / ".dbwarden", ignore_errors=True)
        )

    async def lint() -> None:
        assert len((await dbwarden.lint(config)).checked) == count

    async def verify() -> None:
        assert len((await dbwarden.verify(config)).migrations) == count

    subjects = [
        Subject(name=LINT, run=lint, prepare=new),
        Subject(name=VERIFY, run=verify, prepare=new),
    ]
    timings = await measure(subjects, rounds=1 if quick else 3, warm_up=False)
    bars = (Bar(subject=LINT, compared_with=VERIFY, limit=1.0),)
    case = f"{count} migrations"
    report.add(Figure(part=PART, case=case, timings=timings, bars=() if quick else bars))


def write_changes(folder: Path, count: int) -> None:
    """Write *count* files, by turns of a new table and of changes of it."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, count + 1):
        item = f"item_{number - number % 2:04d}"
        up, down = upgrade(number), f"DROP TABLE {item};"
        if number % 2:
            item = f"item_{number - 1:04d}"
            up = (
                f"ALTER TABLE {item} ADD COLUMN note text, ADD COLUMN size integer;\n"
                f"UPDATE {item} SET size = 0 WHERE id = 1;\n"
                f"CREATE INDEX {item}_size_idx ON {item} (size);"
            )
            down = f"ALTER TABLE {item} DROP COLUMN size, DROP COLUMN note;"
        if number == 1:
            up, down = "SELECT 1;", "SELECT 1;"
        text = f"{MARK_UP}\n{up}\n{MARK_DOWN}\n{down}\n"
        (folder / f"lint__{number:04d}_item.sql").write_text(text)
