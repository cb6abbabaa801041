"""Prove the files of one change in scratch databases, before they are written."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from dbwarden import telemetry
from dbwarden.authoring.compare.comparison import SchemaComparison
from dbwarden.authoring.concurrency import is_shared, run_concurrently
from dbwarden.authoring.prove.concurrent_writes import prove_writes
from dbwarden.authoring.prove.quiet_run import MigrationSet
from dbwarden.authoring.prove.row_trials import (
    NOTHING,
    RowTrial,
    try_filled,
    with_touched_tables,
)
from dbwarden.authoring.prove.verdict import Proof, must_equal
from dbwarden.authoring.scratch_session import ScratchSession
from dbwarden.dialects.authoring import TracedStatement
from dbwarden.files.migration import Migration
from dbwarden.schema import Schema

Locks = tuple[TracedStatement, ...]


async def prove(
    session: ScratchSession, ends: SchemaComparison, migrations: Sequence[Migration]
) -> tuple[Proof, ...]:
    """Run *migrations* up, each of them down, and up again in copies of what its source builds.

    All of them together must lead exactly from one end to the other. The rollback of each must lead
    exactly to the schema that was read before its upgrade.

    Args:
        session: The session that provides the databases.
        ends: The source and schema of the database that the migrations are for, and the expected
            schema after the upgrades.
        migrations: Parsed from the exact texts that will be written.

    Raises:
        ScratchRefused: The server refused a statement.
        NotProven: A file ran, but led elsewhere; names the differences. Or it loses a write of an
            application.
    """

    async def empty() -> tuple[Sequence[Schema], Sequence[Locks]]:
        return await _without_rows(session, ends, migrations)

    async def filled() -> tuple[RowTrial, ...]:
        touched = (with_touched_tables(ends.current, each).tables for each in migrations)
        names = {table.name for tables in touched for table in tables}
        kept = tuple(table for table in ends.current.tables if table.name in names)
        if not kept:
            return tuple(NOTHING for _ in migrations)
        schema = replace(ends.current, tables=kept)
        return await try_filled(await session.copy(ends.source), schema, migrations)

    what = "the migration" if len(migrations) == 1 else f"{len(migrations)} files"
    telemetry.doing(f"proving {what}: up, down and up again")
    sections = (part for each in migrations for part in (each.upgrade, each.rollback) if part)
    apart = is_shared(section.text for section in sections)
    (states, locks), rows = await run_concurrently(empty, filled, apart=apart)
    run = MigrationSet(before=ends.current, after=ends.desired, migrations=tuple(migrations))
    await prove_writes(session, partial(session.copy, ends.source), run)
    server = (await session.scratch_server()).version
    return tuple(
        Proof(
            server=server,
            reversible=migration.is_reversible,
            after=states[place],
            locks=locks[place],
            rows=rows[place],
        )
        for place, migration in enumerate(migrations)
    )


async def _without_rows(
    session: ScratchSession, ends: SchemaComparison, migrations: Sequence[Migration]
) -> tuple[Sequence[Schema], Sequence[Locks]]:
    """Run *migrations* in empty tables; return the schema after each, and its locks."""
    database = await session.copy(ends.source)
    last, left = migrations[-1], ends.left
    states = [ends.current]
    for migration in migrations:
        await database.replay(migration, migration.upgrade)
        # A backfill does not change the schema.
        states.append(states[-1] if migration.backfill is not None else await database.read())
    await must_equal(session, states[-1], ends.desired, last, "upgrade", left)
    if not all(migration.is_reversible for migration in migrations):
        database = await session.copy(ends.source)
    else:
        for migration, before in reversed(tuple(zip(migrations, states[:-1], strict=True))):
            if migration.rollback is not None and migration.backfill is None:
                await database.replay(migration, migration.rollback)
                there = await database.read()
                await must_equal(session, there, before, migration, "rollback", left)
    locks: list[Locks] = []
    for migration in migrations:
        if migration.backfill is None:
            locks.append(await database.trace(migration, migration.upgrade))
        else:
            await database.replay(migration, migration.upgrade)
            locks.append(())
    await must_equal(session, await database.read(), ends.desired, last, "second upgrade", left)
    return states[1:], locks
