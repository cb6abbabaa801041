"""What a configured database costs while it is not open: never opened, and closed again."""

import json
import subprocess
import sys

import anyio

from benchmarks.measure import Bar, Figure, Report, Timing
from benchmarks.ours import Project
from benchmarks.stage import Stage

PART = "memory"

# A process of its own each time: configures some databases, perhaps checks them all, and says
# what is left: KiB resident, and KiB in Python's objects where it counts those (slow).
PROBE = """\
import gc, json, os, sys, tracemalloc

if "traced" in sys.argv:
    tracemalloc.start()
import anyio
import dbwarden
from dbwarden import fleet, telemetry

telemetry.configure(level="warning")
project = dbwarden.load_project()
if "check" in sys.argv:
    anyio.run(fleet.run, dbwarden.check, project.databases)
gc.collect()
with open("/proc/self/statm") as statm:
    resident = int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024
traced = tracemalloc.get_traced_memory()[0] / 1024
print(json.dumps({"resident": resident, "traced": traced}))
"""


async def memory(stage: Stage, report: Report, quick: bool) -> None:
    await _configured(stage, report, 200 if quick else 1000)
    await _checked(stage, report, 20 if quick else 100)


async def _configured(stage: Stage, report: Report, size: int) -> None:
    names = [f"quiet_{number:04d}" for number in range(size + 1)]
    project = Project(stage.new_folder("memory"), [], 0)
    few, many = [await _growth(stage, project, names[:count]) for count in (1, size + 1)]
    timings = {
        "resident": _each(few[0], many[0], size),
        "Python objects": _each(few[1], many[1], size),
    }
    report.add(_figure(f"{size:,} databases configured", timings))


async def _checked(stage: Stage, report: Report, size: int) -> None:
    names = [f"quiet_{number:04d}" for number in range(size + 1)]
    project = Project(stage.new_folder("memory"), names, 5)
    await stage.make(names)
    await project.migrate(stage.places(names), 32)
    few, many = [await _growth(stage, project, names[:count], "check") for count in (1, size + 1)]
    timings = {"Python objects": _each(few[1], many[1], size)}
    report.add(_figure(f"{size:,} databases checked and closed", timings))
    await stage.drop(names)


def _figure(case: str, timings: dict[str, Timing]) -> Figure:
    bars = tuple(Bar(subject=name, compared_with=None, limit=100) for name in timings)
    return Figure(part=PART, case=case, timings=timings, bars=bars, unit="KiB a database")


def _each(few: float, many: float, size: int) -> Timing:
    return Timing(values=((many - few) / size,))


async def _growth(
    stage: Stage, project: Project, names: list[str], *arguments: str
) -> tuple[float, float]:
    """KiB resident, and KiB in Python's objects, from two processes."""
    plain = await _probe(stage, project, names, *arguments)
    traced = await _probe(stage, project, names, *arguments, "traced")
    return plain["resident"], traced["traced"]


async def _probe(
    stage: Stage, project: Project, names: list[str], *arguments: str
) -> dict[str, float]:
    done = await anyio.run_process(
        [sys.executable, "-c", PROBE, *arguments],
        cwd=project.folder,
        env=project.environment(stage.places(names)),
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode())
    found: dict[str, float] = json.loads(done.stdout)
    return found
