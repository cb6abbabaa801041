"""Run a backfill to its end in a scratch database, without a record of its progress."""

from collections.abc import Sequence
from functools import partial

import asyncpg

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.backfill.code import work_of_steps
from dbwarden.dialects.backfill.running import Backfills
from dbwarden.dialects.base import Step
from dbwarden.dialects.postgresql.backfill.store import PostgresBatches
from dbwarden.dialects.postgresql.migrate.session import ServerRefused, Session
from dbwarden.dialects.postgresql.scratch.scratch_errors import refusal
from dbwarden.dialects.scratch_clients import Pacing, go_on
from dbwarden.errors import DBWardenError, ScratchRefused
from dbwarden.files.migration import Migration


async def replay_backfill(
    raw: asyncpg.Connection,
    config: DatabaseConfig,
    migration: Migration,
    steps: Sequence[Step],
    pause: Pacing = go_on,
) -> None:
    """Run the backfill *migration* on the connection *raw*, each batch in its own transaction.

    Raises:
        ScratchRefused: The server refused a statement, the code failed, or there is no such table
            or key; has file and line.
    """

    async def reconnect() -> asyncpg.Connection:
        raise NotImplementedError  # only a cancelled statement would need it

    database, line = config.database_name, migration.upgrade.line
    session = Session(raw, database, reconnect, grace=0)
    backfills = Backfills(PostgresBatches(session, config, config.ledger_table))
    try:
        await backfills.replay(await work_of_steps(migration, steps), partial(pause, line))
    except ServerRefused as refused:
        raise refusal(_of_server(refused), database, None, migration.at(line)) from refused
    except DBWardenError as error:
        if isinstance(error.__cause__, ServerRefused):
            server, place = _of_server(error.__cause__), error.location or migration.at(line)
            raise refusal(server, database, error.statement, place) from error
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
