"""Statements that do not block continue after a failure."""

import asyncpg
import pytest

from dbwarden.errors import DBWardenError
from dbwarden.operations.diff import drift
from tests.integration.authoring.conftest import Project
from tests.integration.authoring.models_before_and_after import AFTER, BEFORE


async def test_non_blocking_changes_continue_where_rows_stopped_them(project: Project) -> None:
    project.models(BEFORE)
    await project.made("before")
    await project.fetch("INSERT INTO users (email, nick) VALUES ('a', 'x'), ('a', 'y')")
    project.models(AFTER)
    made = await project.make("after", online=True, allow_failing_on_rows=True)
    assert made.proven
    with pytest.raises(DBWardenError, match="could not create unique index"):
        await project.migrate()
    ((there,),) = await project.fetch(
        "SELECT count(*) FROM pg_constraint WHERE conname = 'boss_known' AND convalidated"
    )
    assert there == 1  # what came before it stays
    await project.fetch("UPDATE users SET email = email || id")
    await project.migrate()
    assert (await drift(project.config)).clean
    with pytest.raises(asyncpg.UniqueViolationError):
        await project.fetch("UPDATE users SET email = 'same'")
