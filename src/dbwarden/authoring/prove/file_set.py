"""Prove the files that one change is split into: up, down and up again, one after the other."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from dbwarden import telemetry
from dbwarden.authoring.prove.proof import Ends, Proof, must_equal
from dbwarden.authoring.prove.quiet_run import Run
from dbwarden.authoring.prove.row_trials import NOTHING, RowTrial, untried, with_touched_tables
from dbwarden.authoring.prove.writers import prove_writes
from dbwarden.authoring.scratch_session import ScratchSession, Source
from dbwarden.dialects.authoring import ScratchDatabase, TracedStatement
from dbwarden.errors import ScratchRefused
from dbwarden.files.migration import Migration
from dbwarden.schema import Ref, Schema


async def prove_set(
    scratch: ScratchSession, source: Source, ends: Ends, migrations: Sequence[Migration]
) -> tuple[Proof, ...]:
    """Run *migrations* up, each of them down, and up again in copies of what *source* builds.

    All of them together must lead exactly from one end to the other. The rollback of each must lead
    exactly to the schema that was read before its upgrade.

    Raises:
        ScratchRefused: The server refused a statement.
        NotProven: A file ran, but led elsewhere; names the differences.
    """
    telemetry.doing(f"proving {len(migrations)} files: up, down and up again")
    database = await scratch.copy(source)
    states = [ends.current]
    for migration in migrations:
        await database.replay(migration, migration.upgrade)
        states.append(await _read(database, states[-1], migration))
    await must_equal(scratch, states[-1], ends.desired, migrations[-1], "upgrade", ends.left)
    if any(_is_stuck(migration) for migration in migrations):
        database = await scratch.copy(source)
    else:
        await _go_back(scratch, database, migrations, states, ends.left)
    locks = [await _trace(database, migration) for migration in migrations]
    again = await database.read()
    await must_equal(scratch, again, ends.desired, migrations[-1], "second upgrade", ends.left)
    rows = await _try_rows(await scratch.copy(source), ends.current, migrations)

    async def copy() -> ScratchDatabase:
        return await scratch.copy(source)

    run = Run(before=ends.current, after=ends.desired, migrations=tuple(migrations))
    await prove_writes(scratch, copy, run)
    server = (await scratch.scratch_server()).version
    return tuple(
        Proof(
            server=server,
            reversible=not _is_stuck(migration),
            after=states[place + 1],
            locks=locks[place],
            rows=rows[place],
        )
        for place, migration in enumerate(migrations)
    )


def _is_stuck(migration: Migration) -> bool:
    """Return whether a file has no way back. That of a backfill is to leave the values."""
    back = migration.rollback
    return migration.backfill is None and (migration.irreversible or back is None)


async def _read(database: ScratchDatabase, before: Schema, migration: Migration) -> Schema:
    """Return the schema after *migration*; a backfill does not change it."""
    return before if migration.backfill is not None else await database.read()


async def _go_back(
    scratch: ScratchSession,
    database: ScratchDatabase,
    migrations: Sequence[Migration],
    states: Sequence[Schema],
    left: AbstractSet[Ref],
) -> None:
    for migration, before in reversed(tuple(zip(migrations, states[:-1], strict=True))):
        if migration.rollback is None or migration.backfill is not None:
            continue
        await database.replay(migration, migration.rollback)
        there = await database.read()
        await must_equal(scratch, there, before, migration, "rollback", left)


async def _trace(database: ScratchDatabase, migration: Migration) -> tuple[TracedStatement, ...]:
    if migration.backfill is None:
        return await database.trace(migration, migration.upgrade)
    await database.replay(migration, migration.upgrade)
    return ()


@dataclass(frozen=True, slots=True)
class _Trial:
    """A database with rows, and the tables that are observed."""

    database: ScratchDatabase
    schema: Schema

    async def fingerprint(self) -> dict[str, str]:
        """Return a digest of the observed columns; empty while some have another name."""
        try:
            return await self.database.fingerprint(self.schema)
        except ScratchRefused:
            return {}


async def _try_rows(
    database: ScratchDatabase, current: Schema, migrations: Sequence[Migration]
) -> tuple[RowTrial, ...]:
    """Return the effect of each file on rows that were there before the first one."""
    found = [NOTHING] * len(migrations)
    touched = [with_touched_tables(current, migration).tables for migration in migrations]
    names = {table.name for tables in touched for table in tables}
    kept = tuple(table for table in current.tables if table.name in names)
    schema = replace(current, tables=kept)
    if not kept or not await database.add_rows(schema):
        return tuple(found)
    trial = _Trial(database, schema)
    prints = [await trial.fingerprint()]
    for place, migration in enumerate(migrations):
        found[place] = RowTrial(untried=untried(schema, prints[0], migration))
        try:
            await database.replay(migration, migration.upgrade)
        except ScratchRefused as error:
            found[place] = replace(found[place], fails=error)
            return tuple(found)
        prints.append(await trial.fingerprint())
    return await _roll_back_rows(trial, migrations, prints, found)


async def _roll_back_rows(
    trial: _Trial,
    migrations: Sequence[Migration],
    prints: Sequence[dict[str, str]],
    found: list[RowTrial],
) -> tuple[RowTrial, ...]:
    known: set[str] = set()
    for place in reversed(range(len(migrations))):
        migration, before = migrations[place], prints[place]
        if _is_stuck(migration):
            break
        try:
            if migration.rollback is not None:
                await trial.database.replay(migration, migration.rollback)
        except ScratchRefused as error:
            found[place] = replace(found[place], back_fails=error)
            break
        after = await trial.fingerprint()
        lost = [name for name in before if name in after and before[name] != after[name]]
        found[place] = replace(found[place], loses=tuple(it for it in lost if it not in known))
        known.update(lost)
    return tuple(found)
