"""Round trips of one database, counted at the proxy; a count, so it holds on every machine."""

import anyio

from benchmarks.measure import Bar, Figure, Report, Run, Timing
from benchmarks.ours import Project
from benchmarks.rivals import Alembic, alchemy_check, raw_check
from benchmarks.stage import Stage, far_away
from tests.proxy import ProxyProcess

PART = "round trips"
MIGRATIONS = 20


async def round_trips(stage: Stage, report: Report, quick: bool) -> None:
    await stage.make(["trips", "trips_alembic"])
    project = Project(stage.new_folder("trips"), ["trips"], MIGRATIONS)
    alembic = Alembic(stage.new_folder("alembic"), MIGRATIONS)
    with far_away(stage, 1) as (port, proxy):
        assert proxy is not None
        ours, theirs = stage.places(["trips", "trips_alembic"], port)
        cases: list[tuple[str, float | None, dict[str, Run]]] = [
            (
                f"migrate, {MIGRATIONS} pending",
                None,
                {
                    "dbwarden": lambda: project.migrate([ours], 1),
                    "Alembic": lambda: alembic.each("upgrade", "head")(theirs),
                },
            ),
            (
                "check",
                3,
                {
                    "dbwarden": lambda: project.check([ours], 1),
                    "asyncpg by hand": lambda: raw_check(
                        project.migrations("trips"), "dbwarden_ledger"
                    )(ours),
                    "SQLAlchemy": lambda: alchemy_check("dbwarden_ledger")(ours),
                    "Alembic": lambda: alembic.each("current")(theirs),
                },
            ),
            (
                "migrate, nothing to do",
                3,
                {
                    "dbwarden": lambda: project.migrate([ours], 1),
                    "Alembic": lambda: alembic.each("upgrade", "head")(theirs),
                },
            ),
        ]
        for case, limit, runs in cases:
            timings = {name: await _count(proxy, run) for name, run in runs.items()}
            bars = (Bar(subject="dbwarden", compared_with=None, limit=limit),) if limit else ()
            report.add(Figure(part=PART, case=case, timings=timings, bars=bars, unit="flights"))
    await stage.drop(["trips", "trips_alembic"])


async def _count(proxy: ProxyProcess, run: Run) -> Timing:
    proxy.forget()
    await run()
    # The last word may still be on its way.
    while proxy.open():  # noqa: ASYNC110  # it is another process's event
        await anyio.sleep(0.01)
    return Timing(values=(float(sum(counts.flights for counts in proxy.counts())),))
