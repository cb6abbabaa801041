"""An operation travels as its name and options."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

import dbwarden
from dbwarden.errors import UsageError
from dbwarden.fleet import Operation
from dbwarden.fleet.workers.lots import LotWork
from dbwarden.fleet.workers.operations import bind, find_operation, work_of
from dbwarden.migration_history import LockHolder
from dbwarden.operations import (
    backfill,
    create_database,
    lint,
    lock,
    make_migrations,
    migrate,
    repair,
    rollback,
    status,
)
from dbwarden.types import DatabaseName
from tests.unit.fleet.workers.fleets import task


def named(operation: Operation[Any]) -> LotWork:
    return work_of(replace(task("a"), operation=operation))


def test_the_options_of_partials_become_one() -> None:
    inner = partial(migrate.migrate, to="7", dry_run=True)

    work = named(partial(inner, to="8"))

    assert work.operation == "dbwarden.operations.migrate:migrate"
    assert work.options == {"to": "8", "dry_run": True}


def test_the_public_function_is_named_as_the_operation_it_calls() -> None:
    assert named(dbwarden.repair).operation == "dbwarden.operations.repair:repair"


@pytest.mark.parametrize(
    ("operation", "repeatable"),
    [
        (migrate.migrate, True),
        (partial(migrate.migrate, count=None), True),
        (partial(migrate.migrate, count=1), False),
        (rollback.rollback, False),
        (partial(rollback.rollback, to="0001"), True),
        (partial(rollback.rollback, dry_run=True), True),
        (create_database.create_database, False),
        (partial(create_database.create_database, if_not_exists=True), True),
        (status.status, True),
        (repair.repair, False),
        (lint.lint, True),
        (partial(lint.lint, fix=True), False),
        (make_migrations.make_migrations, False),
    ],
)
def test_only_what_may_run_twice_is_repeatable(operation: Any, repeatable: bool) -> None:
    assert named(operation).repeatable is repeatable


def test_options_arrive_with_their_types() -> None:
    holder = LockHolder(pid=7, since=datetime(2026, 11, 30, tzinfo=UTC))
    work = named(partial(lock.unlock_seen, holders={DatabaseName("a"): holder}))

    bound: Any = bind(replace(work, options=json.loads(json.dumps(work.options))))

    assert bound.func is lock.unlock_seen
    assert bound.keywords == {"holders": {"a": holder}}
    repaired: Any = bind(named(partial(repair.repair, accept=("0003", "0004"), at={"0007": 2})))
    assert repaired.keywords == {"accept": ("0003", "0004"), "at": {"0007": 2}}


def test_an_operation_with_positional_options_is_refused() -> None:
    with pytest.raises(UsageError, match="positional"):
        named(partial(migrate.migrate, "a"))


def test_an_option_that_json_cannot_hold_is_refused() -> None:
    async def pause() -> bool:
        return False

    with pytest.raises(UsageError, match="cannot be written as JSON"):
        named(partial(backfill.backfill, pause_when=pause))


@pytest.mark.parametrize("name", ["no_such_module:run", "dbwarden.operations.migrate:no_such"])
def test_an_operation_that_is_not_installed_is_named(name: str) -> None:
    with pytest.raises(UsageError, match=f"the operation {name} cannot be imported"):
        find_operation(name)
