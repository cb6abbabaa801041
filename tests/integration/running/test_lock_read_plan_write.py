"""Writes are decided under the lock, also when another process wrote in the meantime."""

from typing import Any

import pytest

import dbwarden
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import HistoryError, StatementFailed, UsageError
from dbwarden.migration_history import State
from dbwarden.operations.lock import unlock
from tests.integration.running.conftest import (
    another_migrator,
    interleaved,
    rows,
    states,
    write,
    write_tables,
)


async def applied(config: DatabaseConfig) -> None:
    write_tables(config, 1, 2)
    await dbwarden.migrate(config)


@pytest.mark.parametrize("choice", [{"accept": ["0002"]}, {"forget": ["0002"]}])
async def test_repair_does_not_change_a_migration_rolled_back_in_the_meantime(
    config: DatabaseConfig, choice: dict[str, Any]
) -> None:
    await applied(config)
    write(config, "0002_t2", "CREATE TABLE t2 (id int); -- edited\nSELECT 1;", "DROP TABLE t2;")

    error = await interleaved(
        config, lambda: dbwarden.repair(config, **choice), lambda other: other.roll_back("0002")
    )

    assert isinstance(error, UsageError)
    assert error.message.startswith("0002 is not ")
    assert await states(config) == {"0001": "applied", "0002": "rolled_back"}
    assert (await dbwarden.status(config)).pending == ("0002",)


async def test_repair_marks_no_step_of_a_migration_finished_in_the_meantime(
    config: DatabaseConfig,
) -> None:
    path = write(config, "0001_t", "CREATE TABLE t (id int);\nVACUUM;\nSELECT 1 FROM gone;", "")
    with pytest.raises(StatementFailed):
        await dbwarden.migrate(config)
    path.write_text(path.read_text().replace("SELECT 1 FROM gone", "SELECT 1"))

    error = await interleaved(
        config, lambda: dbwarden.repair(config, at={"0001": 1}), lambda other: other.finish("0001")
    )

    assert isinstance(error, UsageError)
    row = (await rows(config))["0001"]
    assert (row.state, row.step) == (State.APPLIED, 3)


async def test_a_rollback_takes_back_only_the_migration_that_was_newest(
    config: DatabaseConfig,
) -> None:
    await applied(config)

    error = await interleaved(
        config, lambda: dbwarden.rollback(config), lambda other: other.roll_back("0002")
    )

    assert isinstance(error, HistoryError)
    assert "0002 was to be rolled back, and now it would be 0001; nothing ran" in error.message
    assert await states(config) == {"0001": "applied", "0002": "rolled_back"}


async def test_a_rollback_to_a_version_takes_back_the_remaining_migrations(
    config: DatabaseConfig,
) -> None:
    await applied(config)

    error = await interleaved(
        config, lambda: dbwarden.rollback(config, to="0"), lambda other: other.roll_back("0002")
    )

    assert error is None
    assert await states(config) == {"0001": "rolled_back", "0002": "rolled_back"}


async def test_a_migrate_applies_the_remaining_migrations(config: DatabaseConfig) -> None:
    write_tables(config, 1, 2)

    error = await interleaved(
        config, lambda: dbwarden.migrate(config), lambda other: other.apply("0001")
    )

    assert error is None
    assert await states(config) == {"0001": "applied", "0002": "applied"}


async def test_a_baseline_marks_the_remaining_migrations(config: DatabaseConfig) -> None:
    write_tables(config, 1, 2)

    error = await interleaved(
        config, lambda: dbwarden.baseline(config, to="2"), lambda other: other.apply("0001")
    )

    assert error is None
    found = await rows(config)
    assert {key: row.marked for key, row in found.items()} == {"0001": False, "0002": True}


async def test_unlock_ends_only_the_migrator_that_was_shown(
    config: DatabaseConfig,
) -> None:
    async with another_migrator(config):
        seen = (await dbwarden.lock_status(config)).holder
    assert seen is not None
    write_tables(config, 1)
    async with another_migrator(config) as other:
        result = await unlock(config, holder=seen)
        await other.apply("0001")

    assert not result.ended
    assert result.holder is not None
    assert result.holder != seen
    assert await states(config) == {"0001": "applied"}
