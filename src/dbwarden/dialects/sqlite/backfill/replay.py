"""Run a backfill to its end in a scratch database, without a record of its progress."""

from functools import partial

from dbwarden.dialects.backfilling import REPLAYED, BackfillWork, BatchRefused, no_cycle_left
from dbwarden.dialects.sqlite.backfill.store import SQLiteBackfills
from dbwarden.dialects.sqlite.backfill.walking import Walk
from dbwarden.dialects.sqlite.migrate.session import Session
from dbwarden.dialects.sqlite.migrate.threads import run_interruptible

LIMIT = 3600.0


async def replay_backfill(session: Session, work: BackfillWork) -> None:
    """Run all batches of *work*, each in its own transaction.

    Raises:
        StatementFailed: A statement or the code failed.
        MigrationFileError: The table does not exist, or has no key.
    """
    try:
        await _run(session, work)
    except BatchRefused as refused:
        raise refused.error from refused


async def _run(session: Session, work: BackfillWork) -> None:
    backfills, name = SQLiteBackfills(session), session.config.database_name
    walk = Walk(session.database, name, work)
    table = await run_interruptible(walk.find_key, session)
    left: int | None = None
    number = 0
    for cycle in range(1, 100):
        cursor = None
        last = await run_interruptible(partial(walk.last_key, table), session)
        while last is not None:
            async with backfills.transaction():
                found = await run_interruptible(
                    partial(walk.next_rows, table, cycle, cursor, last, REPLAYED), session
                )
                if found is None:
                    break
                number += 1
                await backfills.apply(work, found, number, LIMIT)
            cursor = found.cursor
        before, left = left, await run_interruptible(partial(walk.count_left, table), session)
        if left == 0:
            return
        if before is not None and left >= before:
            raise no_cycle_left(work, cycle, left, name)
