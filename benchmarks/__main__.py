"""``python -m benchmarks [part ...] [--quick] [--json FILE]``, or ``--from FILE ...``."""

import argparse
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import anyio

from benchmarks.measure import Report
from benchmarks.parts.authoring import authoring
from benchmarks.parts.backfilling import backfilling
from benchmarks.parts.cold_start import cold_start
from benchmarks.parts.fan_out import fan_out
from benchmarks.parts.linting import linting
from benchmarks.parts.many_migrations import many_migrations
from benchmarks.parts.memory import memory
from benchmarks.parts.online import online
from benchmarks.parts.round_trips import round_trips
from benchmarks.parts.scratch_fleet import scratch_fleet
from benchmarks.parts.served import served
from benchmarks.parts.startup import startup
from benchmarks.parts.workers import workers
from benchmarks.report import PAGE, as_json, from_files, missed, table, write_all
from benchmarks.stage import Stage, open_stage
from dbwarden import telemetry

Part = Callable[[Stage, Report, bool], Awaitable[None]]

PARTS: dict[str, Part] = {
    "cold-start": cold_start,
    "round-trips": round_trips,
    "fan-out": fan_out,
    "many-migrations": many_migrations,
    "memory": memory,
    "authoring": authoring,
    "online": online,
    "scratch-fleet": scratch_fleet,
    "workers": workers,
    "lint": linting,
    "served": served,
    "startup": startup,
    "backfills": backfilling,
}


async def run(parts: Sequence[str], quick: bool, kept: Path | None) -> Report:
    """Run *parts*; what there is after each of them is in the file *kept*."""
    telemetry.configure(level="warning")  # as the command line does
    report = Report()
    async with open_stage() as stage:
        for part in parts:
            await PARTS[part](stage, report, quick)
            if kept is not None:
                await anyio.Path(kept).write_text(as_json(report, quick=quick))
    return report


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="small numbers, to try it out")
    parser.add_argument("--json", type=Path, help="write all values to this file too")
    parser.add_argument(
        "--from",
        dest="files",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="write the page from what runs of some parts wrote with --json, and measure nothing",
    )
    given = parser.parse_args(arguments)
    if given.files:
        return _written(from_files(given.files))
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    started = time.perf_counter()
    report = anyio.run(run, given.parts or list(PARTS), given.quick, given.json)
    print(f"\n{table(report.figures)}\n")
    if not given.parts and not given.quick:
        _written(report)
    return _verdict(report, time.perf_counter() - started)


def _written(report: Report) -> int:
    write_all(report)
    print(f"written to docs/{PAGE.name}")
    return 0


def _verdict(report: Report, seconds: float) -> int:
    lines = missed(report.figures)
    print(f"{len(lines)} bars missed, in {seconds / 60:.1f} minutes")
    for text in lines:
        print(f"  {text}")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
