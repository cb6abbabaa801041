"""dbwarden, as the parts call it: inside one event loop, and as the command line does."""

from collections.abc import Sequence
from pathlib import Path

import dbwarden
from benchmarks.migrations import write_folder
from benchmarks.rivals import Alembic, environment, program, run_process
from benchmarks.stage import Place, Stage
from dbwarden import fleet
from dbwarden.types import DatabaseName

TEMPLATE = "up_to_date"

PROJECT = """\
import os

from dbwarden import database_config

for name in os.environ["BENCH_DATABASES"].split():
    database_config(
        database_name=name,
        database_type="postgresql",
        database_url=f"postgresql://postgres@127.0.0.1:{os.environ['BENCH_PORT']}/{name}"
        "?sslmode=disable",
        connect_timeout=120,
    )
"""

TENANTS = """\
import os

from dbwarden import tenant_databases

tenant_databases(
    name="tenant_{tenant_id}",
    database_type="postgresql",
    database_url="postgresql://postgres@127.0.0.1:" + os.environ["BENCH_PORT"]
    + "/tenant_{tenant_id}?sslmode=disable",
    connect_timeout=120,
    tenants=[name.removeprefix("tenant_") for name in os.environ["BENCH_DATABASES"].split()],
)
"""
SHARED = "tenant"
"""What the migrations that tenants share are called after."""


class Project:
    """A project: a folder of migrations for each database, or one that all tenants share."""

    def __init__(
        self, folder: Path, names: Sequence[str], count: int, *, tenants: bool = False
    ) -> None:
        self.folder, self.tenants = folder, tenants
        self._configs: dict[Place, dbwarden.DatabaseConfig] = {}
        (folder / "dbwarden.py").write_text(TENANTS if tenants else PROJECT)
        for name in [SHARED] if tenants else names:
            write_folder(folder / "migrations" / name, name, count)

    def migrations(self, name: str) -> Path:
        return self.folder / "migrations" / (SHARED if self.tenants else name)

    def config(self, place: Place) -> dbwarden.DatabaseConfig:
        """The configuration of one database: read once, as a project's is."""
        if place not in self._configs:
            self._configs[place] = self._configured(place)
        return self._configs[place]

    def _configured(self, place: Place) -> dbwarden.DatabaseConfig:
        return dbwarden.DatabaseConfig(
            database_name=DatabaseName(place.name),
            database_type="postgresql",
            database_url=place.url,
            root=self.folder,
            migrations_dir=self.migrations(place.name),
            migrations_name=DatabaseName(SHARED) if self.tenants else None,
            timeout=600.0,
            connect_timeout=120.0,
        )

    async def check(self, places: Sequence[Place], limit: int) -> None:
        """``check`` on all; each must be clean."""
        configs = [self.config(place) for place in places]
        outcomes = await fleet.run(
            dbwarden.check, configs, concurrency=limit, per_server=limit, fail_fast=True
        )
        for outcome in outcomes:
            if outcome.result is None or not outcome.result.clean:
                raise RuntimeError(f"{outcome}")

    async def migrate(self, places: Sequence[Place], limit: int) -> None:
        """``migrate`` on all; each must succeed."""
        configs = [self.config(place) for place in places]
        outcomes = await fleet.run(
            dbwarden.migrate, configs, concurrency=limit, per_server=limit, fail_fast=True
        )
        for outcome in outcomes:
            if not outcome.succeeded:
                raise RuntimeError(f"{outcome}")

    def environment(self, places: Sequence[Place]) -> dict[str, str]:
        """What ``dbwarden.py`` of this project reads."""
        names = " ".join(place.name for place in places)
        return environment(BENCH_DATABASES=names, BENCH_PORT=str(places[0].port))

    async def command(self, places: Sequence[Place], *arguments: str) -> None:
        """Run the command line in a process of its own."""
        command = [program("dbwarden"), *arguments]
        await run_process(command, cwd=self.folder, env=self.environment(places))


async def make_template(stage: Stage, project: Project, alembic: Alembic, head: str) -> None:
    """Make the database ``TEMPLATE``: what the project has for it is applied, for Alembic too.

    Args:
        stage: Where.
        project: Has migrations for ``TEMPLATE`` in addition to the others.
        alembic: Its project.
        head: The revision that Alembic shall believe to be at.
    """
    await stage.make([TEMPLATE])
    (template,) = stage.places([TEMPLATE])
    await project.migrate([template], 1)
    await alembic.each("stamp", head)(template)
    await stage.quiet()
