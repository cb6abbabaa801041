"""Drift stops a migrate that asks, is ignored by pattern, and can be adopted as a migration."""

import pytest

from dbwarden.errors import DriftFound, UsageError
from dbwarden.operations.adopt_drift import adopt_drift
from dbwarden.operations.diff import drift
from dbwarden.operations.migrate import migrate
from dbwarden.operations.verify import verify
from tests.integration.authoring.conftest import Project
from tests.integration.authoring.handwritten import USERS

ORDERS = "-- upgrade\nCREATE TABLE orders (id int);\n\n-- rollback\nDROP TABLE orders;\n"
VIEW = "-- upgrade\nDROP VIEW IF EXISTS ids;\nCREATE VIEW ids AS SELECT {} AS id;\n"


async def test_drift_stops_a_migrate_that_asks(project: Project) -> None:
    project.migration(1, USERS)
    view = project.file("migrations/primary/primary__ROC__ids.sql", VIEW.format(1))
    config = project.config
    assert [each.key for each in (await migrate(config, check_drift="fail")).applied]
    await project.execute("ALTER TABLE users ADD COLUMN sneaky int")
    project.migration(2, ORDERS)
    view.write_text(VIEW.format("'other'"), encoding="utf-8")

    with pytest.raises(DriftFound, match=r"nothing ran: column users\.sneaky differs") as found:
        await migrate(config, check_drift="fail")
    assert "dbwarden diff --adopt -d primary" in str(found.value.next_step)
    assert await project.fetch("SELECT to_regclass('orders')::text") == [(None,)]

    warned = await migrate(config, check_drift="warn")
    assert warned.drift == ("column users.sneaky",)
    assert [each.key for each in warned.applied] == ["0002", "ids"]


async def test_a_new_database_that_is_not_empty_drifts_too(project: Project) -> None:
    project.migration(1, ORDERS)
    await project.execute("CREATE TABLE foreign_table (id int)")
    with pytest.raises(DriftFound, match="table foreign_table"):
        await migrate(project.config, check_drift="fail")
    ignoring = project.with_options(ignore_drift=("table foreign_*",)).config
    assert (await migrate(ignoring, check_drift="fail")).applied


async def test_patterns_name_what_is_no_drift(project: Project) -> None:
    project.migration(1, USERS)
    await project.migrate()
    await project.execute(
        "CREATE TABLE audit_log (id serial PRIMARY KEY); CREATE INDEX ix_tmp ON users (id);"
        "ALTER TABLE users ADD COLUMN sneaky int"
    )
    found = await drift(project.config, ignore=["audit_*", "index *ix_tmp"])
    assert [item.what for item in found.differences] == ["column users.sneaky"]
    assert "audit_log" not in found.sql
    assert (await drift(project.config, ignore=["*"])).clean


async def test_drift_is_adopted_as_a_proven_migration(project: Project) -> None:
    project.migration(1, USERS)
    await project.migrate()
    with pytest.raises(UsageError, match="as its files say"):
        await adopt_drift(project.config, message="nothing")
    await project.execute("CREATE INDEX ix_hot ON users (id); CREATE TABLE hot (id int)")

    adopted = await adopt_drift(project.config, message="hot fix", ignore=["table hot"])
    assert (adopted.version, adopted.verdict) == ("0002", "exact")
    text = adopted.path.read_text(encoding="utf-8")
    assert "CREATE INDEX ix_hot ON users" in text and "DROP INDEX ix_hot;" in text
    assert "TABLE hot" not in text
    assert (await migrate(project.config)).applied == ()
    assert [item.what for item in (await drift(project.config)).differences] == ["table hot"]
    assert (await verify(project.config)).clean

    project.migration(3, ORDERS)
    with pytest.raises(UsageError, match="history and the files do not agree"):
        await adopt_drift(project.config, message="too early")


async def test_adopting_a_loss_needs_consent(project: Project) -> None:
    project.migration(1, "-- upgrade\nCREATE TABLE users (id int, email text);\n")
    await project.migrate()
    await project.execute("ALTER TABLE users DROP COLUMN email")
    with pytest.raises(UsageError, match=r"users\.email"):
        await adopt_drift(project.config, message="lost")
    adopted = await adopt_drift(project.config, message="lost", allow_drop=["users.email"])
    assert adopted.verdict == "loses users.email"
    assert (await drift(project.config)).clean
