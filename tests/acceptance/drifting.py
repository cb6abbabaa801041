"""Whether a project's database has drifted: by comparison, and by its fingerprints."""

from dbwarden.operations.drift_check import find_drift
from dbwarden.operations.history import history
from dbwarden.operations.operation import migration_files, read_status
from dbwarden.planning.comparing import compare
from dbwarden.planning.outside_changes import OutsideChange
from tests.acceptance.project import Project


async def drift(project: Project) -> list[str]:
    """What ``migrate --check-drift`` finds."""
    config = project.config
    past = compare(await migration_files(config), (await read_status(config)).rows)
    return [item.what for item in await find_drift(config, past)]


async def open_changes(project: Project) -> list[OutsideChange]:
    """What ``history`` shows of the time since the last run."""
    return [it for it in (await history(project.config)).changes if it.until is None]


async def begin(project: Project, old: str) -> None:
    """Migrate to *old*, which is no change outside of migrations."""
    project.write("primary__0001_old.sql", f"-- upgrade\n{old or 'SELECT 1;'}\n")
    await project.migrate()
    assert await open_changes(project) == []
