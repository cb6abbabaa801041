"""Code as users write it, which mypy must accept. Never run."""

from functools import partial

import dbwarden
from dbwarden import DatabaseConfig, Outcome, database_config, fleet
from dbwarden.operations.check import CheckResult
from dbwarden.operations.migrate import MigrateResult

database_config(
    database_name="primary",
    default=True,
    database_type="postgresql",
    database_url="postgresql://user:password@localhost/myapp",
    model_paths=["app.models.primary"],
)


async def by_name() -> str | None:
    result: MigrateResult = await dbwarden.migrate("primary", to="0007", dry_run=True)
    await dbwarden.rollback("primary", count=2)
    return result.version


async def default_database() -> bool:
    found: CheckResult = await dbwarden.check()
    return found.clean and found.status.clean


async def all_of_them() -> tuple[Outcome[MigrateResult], ...]:
    project = dbwarden.load_project()
    return await fleet.run(
        partial(dbwarden.migrate, out_of_order=True),
        project.databases,
        concurrency=16,
        per_server=8,
        fail_fast=True,
        timeout=30,
    )


async def own_operation(database: DatabaseConfig) -> int:
    return len((await dbwarden.history(database)).rows)


async def own_operation_everywhere() -> list[int]:
    outcomes = await fleet.run(own_operation, dbwarden.load_project().databases)
    return [outcome.result for outcome in outcomes if outcome.result is not None]
