"""Prove all migration files, including hand-written ones, for CI."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from dbwarden import telemetry
from dbwarden.authoring.collect.current import files_source
from dbwarden.authoring.labels import display_name
from dbwarden.authoring.prove.concurrent_writes import prove_writes
from dbwarden.authoring.prove.quiet_run import MigrationSet
from dbwarden.authoring.prove.row_trials import (
    NOTHING,
    RowTrial,
    by_table,
    fails_on_any_row,
    try_rows,
    type_change_effects,
)
from dbwarden.authoring.prove.verdict import Verdict, differences
from dbwarden.authoring.scratch_session import ScratchSession, open_scratch_session
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.authoring import ScratchDatabase
from dbwarden.errors import DBWardenError, NotProven, ScratchRefused
from dbwarden.files.declarations import covers
from dbwarden.files.migration import Migration
from dbwarden.operations.operation import migration_files, operation
from dbwarden.planning.phases import deployment_order, is_post, online_sets
from dbwarden.printable import shorten
from dbwarden.schema import Schema
from dbwarden.types import DatabaseName

SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """The verdict on one file.

    ``verdict`` is one of :class:`Verdict`, and names losses: ``loses users.email``. ``fails`` has a
    ``problem``.
    ``findings`` are effects on rows that the file's header does not declare; they are no problem.
    """

    key: str
    path: str
    verdict: str
    problem: str | None = None
    loses: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyResult:
    """The verdicts; ``clean`` if no file fails."""

    database: DatabaseName
    server: str
    migrations: tuple[Verified, ...]

    @property
    def clean(self) -> bool:
        """True if no file fails."""
        return all(item.problem is None for item in self.migrations)


@operation("verify")
async def verify(config: DatabaseConfig) -> VerifyResult:
    """Run every file up, down and up again in scratch, then all of them down and up.

    Each file is also tried with a few generated rows in its tables.

    Args:
        config: The database, its name, or ``None`` for the default one.

    Raises:
        MigrationFileError: A file cannot be read.
        UsageError: There is no place for a scratch database.
    """
    files = await migration_files(config)
    async with open_scratch_session(config) as session:
        results = await _prove_each(session, files)
        for prove in (_prove_all, _prove_phases, _prove_sets):
            if all(item.problem is None for item in results):
                failed = await prove(session, files)
                results = [failed if failed and failed.key == it.key else it for it in results]
        server = (await session.scratch_server()).version
    return VerifyResult(database=config.database_name, server=server, migrations=tuple(results))


async def _prove_each(session: ScratchSession, files: Sequence[Migration]) -> list[Verified]:
    server = await session.scratch_server()
    database = await server.create()
    before = await database.read()
    results: list[Verified] = []
    for number, migration in enumerate(files):
        telemetry.doing(f"proving {migration.key} ({number + 1} of {len(files)})")
        try:
            back = _leads_back(migration)
            seen = await try_rows(session, database, before, migration, back=back)
            await database.replay(migration, migration.upgrade)
        except ScratchRefused as error:
            return [*results, _failed(migration, f"upgrade: {_message_of(error)}")]
        after = await database.read()
        problem = await _prove_rollback(session, database, migration, before, after)
        if problem is not None:
            results.append(_failed(migration, problem))
            database = await server.create()
            await files_source(files[: number + 1]).build(database)
        else:
            less = NOTHING
            if back:
                less = type_change_effects(session.authoring_dialect, before, after, migration)
            loses = by_table(before, (*seen.loses, *less.loses))
            seen = replace(seen, loses=loses, refuses=less.refuses)
            results.append(judge(migration, seen))
        before = after
    return results


async def _prove_rollback(
    session: ScratchSession,
    database: ScratchDatabase,
    migration: Migration,
    before: Schema,
    after: Schema,
) -> str | None:
    if not _leads_back(migration):
        return None
    try:
        if migration.rollback is not None:
            await database.replay(migration, migration.rollback)
        if left := await _describe_differences(session, await database.read(), before):
            return f"rollback does not lead back: {left}"
        await database.replay(migration, migration.upgrade)
        if left := await _describe_differences(session, await database.read(), after):
            return f"a second upgrade leads elsewhere: {left}"
    except ScratchRefused as error:
        return f"rollback or second upgrade: {_message_of(error)}"
    return None


def judge(migration: Migration, seen: RowTrial) -> Verified:
    """Return the verdict on a reversible file, whose header may declare effects on rows. Pure."""
    declared = migration.declares
    # An imported file ran long ago, where it is: what it does to rows is no failure any more.
    ran = migration.origin is not None
    findings = [f"to review: {why}" for why in migration.reviews]
    for error, way, expected in (
        (seen.fails or seen.collides, "fails", "fails-on-rows" in declared),
        (seen.back_fails, "the rollback fails", "rollback-fails-on-rows" in declared),
    ):
        if error is None or expected:
            continue
        message = f"{_place_of(error)}{error.reason}"
        if fails_on_any_row(error) and not ran:
            problem = f"{way} where tables have rows: {message}"
            return _failed(migration, problem)
        findings.append(f"{way} on generated rows: {message}")
    # Earlier versions reported refused values as a loss.
    refuses = [text for name, text in seen.refuses if not declared.covers("loses", name)]
    if refuses and "fails-on-rows" not in declared:
        findings.append(f"fails on rows where {shorten(refuses)}")
    untried = tuple(name for name in seen.untried if not covers(seen.loses, name))
    if silent := [name for name in untried if not declared.covers("untried", name)]:
        findings.append(f"no values could be generated for {shorten(silent)}")
    if silent := [name for name in seen.loses if not ran and not declared.covers("loses", name)]:
        findings.append(f"its header does not declare -- dbwarden: loses {shorten(silent)}")
    word = f"{Verdict.LOSES} {shorten(seen.loses)}" if seen.loses else _expected_verdict(migration)
    if word == Verdict.EXACT and (seen.fails or seen.back_fails or untried):
        word = Verdict.WITHOUT_ROWS
    return Verified(
        key=migration.key,
        path=str(migration.path),
        verdict=word,
        loses=seen.loses,
        findings=tuple(findings),
    )


def _message_of(error: DBWardenError) -> str:
    return f"{_place_of(error)}{error.message}"


def _place_of(error: DBWardenError) -> str:
    """Return the place of *error* without its folder, as the beginning of a line."""
    at = error.location
    parts = (at.path.name, at.line, at.column) if at is not None else ()
    return "".join(f"{part}:" for part in parts if part) + " " * bool(parts)


async def _describe_differences(
    session: ScratchSession, actual: Schema, expected: Schema
) -> str | None:
    changes = await differences(session, actual, expected)
    names = [display_name(change.ref, expected.default_namespace) for change in changes]
    return shorten(names, SHOWN) or None


def _leads_back(migration: Migration) -> bool:
    """Return whether the rollback must lead exactly back, so that it is run."""
    return _expected_verdict(migration) in (Verdict.EXACT, Verdict.BACKFILL)


def _expected_verdict(migration: Migration) -> Verdict:
    """Return the verdict on a file if nothing is found."""
    if migration.version is None:
        return Verdict.REPEATABLE
    if not migration.is_reversible:
        return Verdict.IRREVERSIBLE
    if migration.way_back is None:
        return Verdict.BACKFILL
    differs = "rollback-differs" in migration.declares
    return Verdict.ROLLBACK_DIFFERS if differs else Verdict.EXACT


def _failed(migration: Migration, problem: str) -> Verified:
    return Verified(
        key=migration.key, path=str(migration.path), verdict=Verdict.FAILS, problem=problem
    )


async def _prove_all(session: ScratchSession, files: Sequence[Migration]) -> Verified | None:
    """Roll back from the newest file to the last irreversible one, and upgrade again."""
    versioned = [migration for migration in files if migration.version is not None]
    stuck = [n for n, migration in enumerate(versioned) if not _leads_back(migration)]
    going = versioned[stuck[-1] + 1 :] if stuck else versioned
    if not going:
        return None
    telemetry.doing("running all files down and up")
    database = await session.copy(files_source(versioned))
    expected = await database.read()
    try:
        for migration in reversed(going):
            if migration.rollback is not None:
                await database.replay(migration, migration.rollback)
        for migration in going:
            await database.replay(migration, migration.upgrade)
        left = await _describe_differences(session, await database.read(), expected)
    except ScratchRefused as error:
        return _failed(going[-1], f"all the way down and up: {_message_of(error)}")
    return _failed(going[-1], f"all the way down and up leads elsewhere: {left}") if left else None


async def _prove_phases(session: ScratchSession, files: Sequence[Migration]) -> Verified | None:
    """Run the files in the order of a deployment that skips releases, if that is another one."""
    versioned = [migration for migration in files if migration.version is not None]
    ordered = deployment_order(files)
    if list(ordered) == versioned:
        return None
    telemetry.doing("running the files in the order of their phases")
    wanted = await (await session.database(files_source(versioned))).read()
    database = await (await session.scratch_server()).create()
    # The newest one that overtakes is the likeliest cause, unless an earlier one fails.
    culprit = next(item for item in reversed(versioned) if not is_post(item))
    for migration in ordered:
        try:
            await database.replay(migration, migration.upgrade)
        except ScratchRefused as error:
            culprit = culprit if is_post(migration) else migration
            problem = f"it fails then: {_message_of(error)}"
            break
    else:
        left = await _describe_differences(session, await database.read(), wanted)
        if left is None:
            return None
        problem = f"that leads elsewhere: {left}"
    overtaken = [item.key for item in versioned if is_post(item)]
    return _failed(
        culprit,
        f"in a deployment that skips releases, it runs before {shorten(overtaken)} (phase post), "
        f"and {problem}. If it needs one of these, add -- depends_on to its header",
    )


async def _prove_sets(session: ScratchSession, files: Sequence[Migration]) -> Verified | None:
    """Run each set of files for tables in use while an application writes."""
    sets, ran = online_sets(files), 0
    if not sets:
        return None
    server = await session.scratch_server()
    database = await server.create()
    for items in sets:
        first, last = files.index(items[0]), files.index(items[-1]) + 1
        await files_source(files[ran:first]).build(database)
        before, original = await database.read(), await server.create(copy_of=database)
        await files_source(files[first:last]).build(database)
        ran = last
        run = MigrationSet(before=before, after=await database.read(), migrations=items)
        try:
            await prove_writes(session, partial(server.create, copy_of=original), run)
        except (NotProven, ScratchRefused) as error:
            file = error.location.path if error.location is not None else items[0].path
            parts = (_message_of(error), error.next_step)
            culprit = next((item for item in files if item.path == file), items[0])
            return _failed(culprit, ". ".join(filter(None, parts)))
        await server.discard(original)
    return None
