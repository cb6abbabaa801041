"""Half-done migrations are finished, and the command then reaches its target."""

from typing import TypedDict, Unpack

import pytest

import dbwarden
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import DBWardenError, StatementFailed
from dbwarden.fleet import run
from tests.integration.running.conftest import states, write, write_tables

WRONG = "DROP TABLE a2;\nVACUUM;\nDROP TABLE nowhere;"
RIGHT = "DROP TABLE a2;\nVACUUM;\nDROP TABLE b2;"
UP = "CREATE TABLE a2 (id int);\nCREATE TABLE b2 (id int);"


class Choice(TypedDict, total=False):
    """The target of a command."""

    to: str
    count: int


async def half_rolled_back(config: DatabaseConfig, **choice: Unpack[Choice]) -> None:
    """0002 of three stops in the third step of its rollback; then its file is mended."""
    write_tables(config, 1, 3)
    write(config, "0002_two", UP, WRONG)
    await dbwarden.migrate(config)
    with pytest.raises(StatementFailed):
        await dbwarden.rollback(config, **choice)
    write(config, "0002_two", UP, RIGHT)
    assert (await states(config))["0002"] == "rolling_back"


@pytest.mark.parametrize(
    ("choice", "keys"),
    [({"to": "0"}, ["0002", "0001"]), ({"count": 2}, ["0002", "0001"]), ({}, ["0002"])],
)
async def test_a_resumed_rollback_reaches_its_target(
    config: DatabaseConfig, choice: Choice, keys: list[str]
) -> None:
    await half_rolled_back(config, to="0")

    result = await dbwarden.rollback(config, **choice)

    assert [item.key for item in result.rolled_back] == keys
    assert [item.resumed for item in result.rolled_back] == [True, False][: len(keys)]
    assert all(item.duration_ms is not None for item in result.rolled_back)
    assert {(await states(config))[key] for key in keys} == {"rolled_back"}
    assert result.version == (None if "0001" in keys else "0001")


async def test_a_dry_run_of_a_resumed_rollback_shows_all_of_it(config: DatabaseConfig) -> None:
    await half_rolled_back(config, to="0")

    planned = (await dbwarden.rollback(config, to="0", dry_run=True)).planned

    assert [item.key for item in planned] == ["0002", "0001"]
    assert planned[0].sql.strip() == "DROP TABLE b2;"


async def test_a_resumed_rollback_of_a_fleet_reaches_its_target(
    config: DatabaseConfig,
) -> None:
    await half_rolled_back(config, to="0")

    async def rollback(one: DatabaseConfig) -> object:
        return await dbwarden.rollback(one, to="0")

    (outcome,) = await run(rollback, [config])

    assert outcome.succeeded
    assert set((await states(config)).values()) == {"rolled_back"}


async def test_nothing_runs_when_another_migration_cannot_be_rolled_back(
    config: DatabaseConfig,
) -> None:
    await half_rolled_back(config, to="0")
    write(config, "0001_t1", "CREATE TABLE t1 (id int);", "-- nothing")

    with pytest.raises(DBWardenError):
        await dbwarden.rollback(config, to="0")

    assert (await states(config))["0002"] == "rolling_back"
    await dbwarden.rollback(config)
    assert (await states(config))["0002"] == "rolled_back"


@pytest.mark.parametrize(
    ("choice", "keys"),
    [
        ({}, ["0002", "0003", "0004"]),
        ({"count": 1}, ["0002"]),
        ({"count": 2}, ["0002", "0003"]),
        ({"to": "3"}, ["0002", "0003"]),
    ],
)
async def test_a_resumed_migrate_reaches_exactly_its_target(
    config: DatabaseConfig, choice: Choice, keys: list[str]
) -> None:
    write_tables(config, 1, 3, 4)
    write(config, "0002_two", "CREATE TABLE a2 (id int);\nVACUUM;\nDROP TABLE nowhere;", "")
    with pytest.raises(StatementFailed):
        await dbwarden.migrate(config)
    write(config, "0002_two", "CREATE TABLE a2 (id int);\nVACUUM;\nCREATE TABLE b2 (id int);", "")

    result = await dbwarden.migrate(config, **choice)

    assert [item.key for item in result.applied] == keys
    assert result.version == keys[-1]
