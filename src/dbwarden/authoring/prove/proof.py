"""Prove a migration in scratch databases before its file is written."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from dbwarden import telemetry
from dbwarden.authoring.compare.left_out import with_others, without
from dbwarden.authoring.compare.normalize import normalize_schema
from dbwarden.authoring.concurrency import is_shared, run_concurrently
from dbwarden.authoring.labels import display_name, shorten
from dbwarden.authoring.prove.row_trials import (
    NOTHING,
    RowTrial,
    try_filled,
    with_touched_tables,
)
from dbwarden.authoring.scratch_session import ScratchSession, Source
from dbwarden.dialects.authoring import TracedStatement
from dbwarden.diff import diff
from dbwarden.diff.changes import Change
from dbwarden.errors import NotProven
from dbwarden.files.declarations import covers
from dbwarden.files.migration import Migration
from dbwarden.schema import Ref, Schema

SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The observations of a migration that ran in scratch databases.

    ``after`` is the schema after the upgrade. ``rows`` are the effects on a few generated rows.
    ``expected`` are rules of ``lint`` that the file breaks with a reason.
    """

    server: str
    reversible: bool
    after: Schema = field(repr=False)
    locks: tuple[TracedStatement, ...] = ()
    rows: RowTrial = NOTHING
    expected: tuple[str, ...] = ()


async def prove(
    scratch: ScratchSession,
    source: Source,
    current: Schema,
    desired: Schema,
    migration: Migration,
    left: AbstractSet[Ref] = frozenset(),
) -> Proof:
    """Run *migration* up, down and up again in copies of what *source* builds.

    Args:
        scratch: The session that provides the databases.
        source: Builds the database that the migration is for.
        current: The schema of that database.
        desired: The expected schema after the upgrade.
        migration: Parsed from the exact text that will be written.
        left: Objects that are not compared; neither schema has them.

    Raises:
        ScratchRefused: The server refused a statement.
        NotProven: The migration ran, but built another schema; names the differences.
    """

    async def empty() -> tuple[bool, Schema, tuple[TracedStatement, ...]]:
        return await _without_rows(scratch, source, Ends(current, desired, left), migration)

    async def filled() -> RowTrial:
        return await _with_rows(scratch, source, current, migration)

    telemetry.doing("proving the migration: up, down and up again")
    texts = (migration.upgrade, *((migration.rollback,) if migration.rollback else ()))
    apart = is_shared(section.text for section in texts)
    (reversible, after, locks), rows = await run_concurrently(empty, filled, apart=apart)
    return Proof(
        server=(await scratch.scratch_server()).version,
        reversible=reversible,
        after=after,
        locks=locks,
        rows=rows,
    )


@dataclass(frozen=True, slots=True)
class Ends:
    """The schemas before and after a migration, and the objects that are not compared."""

    current: Schema
    desired: Schema
    left: AbstractSet[Ref]


async def _without_rows(
    scratch: ScratchSession, source: Source, ends: Ends, migration: Migration
) -> tuple[bool, Schema, tuple[TracedStatement, ...]]:
    """Run a migration up, down and up again in empty tables.

    Return whether it is reversible, the schema after the upgrade, and the locks.
    """
    database = await scratch.copy(source)
    await database.replay(migration, migration.upgrade)
    after = await database.read()
    await must_equal(scratch, after, ends.desired, migration, "upgrade", ends.left)
    back = migration.rollback
    reversible = back is not None and not migration.irreversible
    if back is not None and reversible:
        await database.replay(migration, back)
        back_there = await database.read()
        await must_equal(scratch, back_there, ends.current, migration, "rollback", ends.left)
    else:
        database = await scratch.copy(source)
    locks = await database.trace(migration, migration.upgrade)
    again = await database.read()
    await must_equal(scratch, again, ends.desired, migration, "second upgrade", ends.left)
    return reversible, after, locks


async def must_equal(
    scratch: ScratchSession,
    actual: Schema,
    expected: Schema,
    migration: Migration,
    what: str,
    left: AbstractSet[Ref],
) -> None:
    """Raise if *actual* differs from *expected*, without the objects in *left*.

    Raises:
        NotProven: Names the differences.
    """
    actual = with_others(without(actual, left), expected.others)
    if changes := await differences(scratch, actual, expected):
        default = expected.default_namespace
        listed = ", ".join(display_name(change.ref, default) for change in changes[:SHOWN])
        more = f" and {len(changes) - SHOWN} more" if len(changes) > SHOWN else ""
        raise NotProven(
            f"the {what} does not lead where it should: {listed}{more} would still differ",
            database=migration.database,
            location=migration.at(),
        )


async def differences(
    scratch: ScratchSession, actual: Schema, expected: Schema
) -> tuple[Change, ...]:
    """Return the changes between two schemas, without those in spelling only."""
    left = diff(actual, expected)
    return diff(actual, await normalize_schema(scratch, actual, expected)) if left else ()


async def _with_rows(
    scratch: ScratchSession, source: Source, current: Schema, migration: Migration
) -> RowTrial:
    schema = with_touched_tables(current, migration)
    if not schema.tables:
        return NOTHING
    back = not migration.irreversible
    return await try_filled(await scratch.copy(source), schema, migration, back=back)


def verdict(*, proven: bool, reversible: bool, loses: Sequence[str], with_rows: bool = True) -> str:
    """Return ``exact``, ``exact without rows``, ``loses users.email``, ``irreversible`` or
    ``not proven``.

    Args:
        proven: Whether the migration was tried.
        reversible: Whether it has a rollback.
        loses: The values that a rollback does not restore.
        with_rows: Whether all affected tables had rows in both directions.
    """
    if not proven:
        return "not proven"
    if not reversible:
        return "irreversible"
    if loses:
        return f"loses {shorten(loses)}"
    return "exact" if with_rows else "exact without rows"


def untried_without_losses(proof: Proof, loses: Sequence[str]) -> tuple[str, ...]:
    """Return the columns and tables that were tried without values, except the lost ones."""
    return tuple(name for name in proof.rows.untried if not covers(loses, name))
