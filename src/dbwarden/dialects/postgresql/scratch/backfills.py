"""Run a backfill to its end in a scratch database, without a record of its progress."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from dbwarden.dialects.backfill_code import work_of_steps
from dbwarden.dialects.backfilling import REPLAYED, BackfillWork, no_cycle_left
from dbwarden.dialects.base import Step
from dbwarden.dialects.postgresql.backfill.walking import Walk
from dbwarden.dialects.postgresql.migrate.session import ServerRefused, Session
from dbwarden.dialects.postgresql.scratch.scratch_errors import refusal
from dbwarden.dialects.scratch_clients import Pause, go_on
from dbwarden.errors import DBWardenError, ScratchRefused
from dbwarden.files.migration import Migration
from dbwarden.types import DatabaseName


async def replay_backfill(
    raw: Any,
    database: DatabaseName,
    migration: Migration,
    steps: Sequence[Step],
    pause: Pause = go_on,
) -> None:
    """Run the backfill *migration* on the connection *raw*, each batch in its own transaction.

    Raises:
        ScratchRefused: The server refused a statement, the code failed, or there is no such table
            or key; has file and line.
    """

    async def reconnect() -> Any:
        raise NotImplementedError  # only a cancelled statement would need it

    session = Session(raw, database, reconnect, grace=0)
    try:
        await _run(session, database, await work_of_steps(migration, steps), pause)
    except ServerRefused as refused:
        place = migration.at(migration.upgrade.line)
        raise refusal(_of_server(refused), database, None, place) from refused
    except DBWardenError as error:
        if isinstance(error.__cause__, ServerRefused):
            server = _of_server(error.__cause__)
            raise refusal(server, database, error.statement, error.location) from error
        raise ScratchRefused(
            error.message,
            database=database,
            location=error.location,
            statement=error.statement,
            next_step=error.next_step,
        ) from error


def _of_server(refused: ServerRefused) -> asyncpg.PostgresError:
    assert isinstance(refused.__cause__, asyncpg.PostgresError)
    return refused.__cause__


async def _run(session: Session, database: DatabaseName, work: BackfillWork, pause: Pause) -> None:
    walk = Walk(session, database, work)
    table = await walk.find_key()
    left: int | None = None
    number = 0
    for cycle in range(1, 100):
        cursor, last = None, await walk.last_key(table)
        while last is not None:
            await session.send("BEGIN")
            try:
                size = REPLAYED << min(number, 10)
                found = await walk.next_rows(table, cycle, cursor, last, size)
                if found is not None:
                    number += 1
                    await walk.change(found, number)
            except Exception:
                await session.send("ROLLBACK")
                raise
            await session.send("COMMIT")
            if found is None:
                break
            cursor = found.cursor
            await pause(work.migration.upgrade.line)
        before, left = left, await walk.count_left(table)
        if left == 0:
            return
        if before is not None and left >= before:
            raise no_cycle_left(work, cycle, left, database)
