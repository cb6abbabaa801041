"""Prove the migration files that are there, hand-written ones too: for CI."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import anyio.to_thread

from dbwarden import telemetry
from dbwarden.authoring.collect.current import files_source
from dbwarden.authoring.labels import display_name, shorten
from dbwarden.authoring.prove.proof import differences
from dbwarden.authoring.prove.row_trials import (
    NOTHING,
    RowTrial,
    declares_failing,
    declares_untried,
    fails_on_any_row,
    header_of,
    narrowed,
    try_rows,
    undeclared_losses,
)
from dbwarden.authoring.scratch_session import ScratchSession, open_scratch_session
from dbwarden.config.model import DatabaseConfig
from dbwarden.dialects.authoring import ScratchDatabase
from dbwarden.diff.changes import subject
from dbwarden.errors import StatementFailed
from dbwarden.files.migration import Migration
from dbwarden.operations.operation import migration_files, operation
from dbwarden.schema import Schema
from dbwarden.types import DatabaseName

SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """One file.

    ``verdict`` is ``exact``, ``exact without rows`` (none could go both ways in something), ``loses
    users.email``, ``irreversible``, ``repeatable``, or ``fails`` with a ``problem``. ``findings``
    are what is worth knowing of what happens to rows and stands not in the file's header; they are
    no problem.
    """

    key: str
    path: str
    verdict: str
    problem: str | None = None
    loses: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyResult:
    """What was found; ``clean`` when every file leads there and back."""

    database: DatabaseName
    server: str
    migrations: tuple[Verified, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return all(item.problem is None for item in self.migrations)


@operation("verify")
async def verify(config: DatabaseConfig) -> VerifyResult:
    """Run every file up, down and up again in scratch, then all the way down and up.

    Each is also tried where the tables that it is about hold a few generated rows.

    Args:
        config: The database, its name, or ``None`` for the default one.

    Raises:
        MigrationFileError: A file cannot be read.
        UsageError: There is no place for a scratch database.
    """
    files = await migration_files(config)
    async with open_scratch_session(config) as place:
        found = await _each(place, files)
        if all(item.problem is None for item in found):
            found = await _all_the_way(place, files, found)
        server = (await place.scratch_server()).version
    return VerifyResult(database=config.database_name, server=server, migrations=tuple(found))


async def _each(place: ScratchSession, files: Sequence[Migration]) -> list[Verified]:
    scratch = await place.scratch_server()
    database = await scratch.create()
    before = await database.read()
    found: list[Verified] = []
    for number, migration in enumerate(files):
        telemetry.doing(f"proving {migration.key} ({number + 1} of {len(files)})")
        try:
            seen = await _with_rows(place, database, before, migration)
            await database.replay(migration, migration.upgrade)
        except StatementFailed as error:
            return [*found, _told(migration, "fails", f"upgrade: {_said(error)}")]
        after = await database.read()
        problem = await _there_and_back(place, database, migration, before, after)
        if problem is not None:
            found.append(_told(migration, "fails", problem))
            database = await scratch.create()
            await files_source(files[: number + 1]).build(database)
        else:
            back = _goes_back(migration)
            less = narrowed(place.authoring_dialect, before, after, migration) if back else NOTHING
            found.append(await _judged(migration, _also(seen, less)))
        before = after
    return found


async def _with_rows(
    place: ScratchSession, database: ScratchDatabase, before: Schema, migration: Migration
) -> RowTrial:
    back = _goes_back(migration)
    return await try_rows(await place.scratch_server(), database, before, migration, back=back)


def _also(seen: RowTrial, types: RowTrial) -> RowTrial:
    """Return *seen* with what is known of the types that change."""
    loses = tuple(dict.fromkeys((*seen.loses, *types.loses)))
    return replace(seen, loses=loses, refuses=types.refuses)


async def _there_and_back(
    place: ScratchSession,
    database: ScratchDatabase,
    migration: Migration,
    before: Schema,
    after: Schema,
) -> str | None:
    back = migration.rollback
    if back is None or not _goes_back(migration):
        return None
    try:
        await database.replay(migration, back)
        if left := await _left(place, await database.read(), before):
            return f"rollback does not lead back: {left}"
        await database.replay(migration, migration.upgrade)
        if left := await _left(place, await database.read(), after):
            return f"a second upgrade leads elsewhere: {left}"
    except StatementFailed as error:
        return f"rollback or second upgrade: {_said(error)}"
    return None


async def _judged(migration: Migration, seen: RowTrial) -> Verified:
    """The verdict on a file that leads there and back, by what became of rows."""
    if seen == NOTHING:
        return _told(migration, _verdict(migration), None)
    header = await anyio.to_thread.run_sync(header_of, migration)
    return judged(migration, seen, header)


def judged(migration: Migration, seen: RowTrial, header: str) -> Verified:
    """The verdict on a file whose *header* may say itself what becomes of rows. Pure."""
    findings = []
    upgrade = seen.fails or seen.collides
    for error, rollback in ((upgrade, False), (seen.back_fails, True)):
        if error is None or declares_failing(header, rollback=rollback):
            continue
        way = "the rollback fails" if rollback else "fails"
        said = _said(error).replace("the scratch database refused: ", "")
        if fails_on_any_row(error):
            problem = f"{way} where tables have rows: {said}"
            return _told(migration, "fails", problem)
        findings.append(f"{way} on generated rows: {said}")
    # Earlier versions called what is refused a loss.
    refuses = [text for name, text in seen.refuses if undeclared_losses(header, [name])]
    if refuses and not declares_failing(header, rollback=False):
        findings.append(f"fails on rows where {shorten(refuses)}")
    untried = tuple(name for name in seen.untried if name not in seen.loses)
    if untried and not declares_untried(header):
        findings.append(f"no values could be generated for {shorten(untried)}")
    if silent := undeclared_losses(header, seen.loses):
        findings.append(f"its header does not say that it loses {shorten(silent)}")
    word = f"loses {shorten(seen.loses)}" if seen.loses else _verdict(migration)
    if word == "exact" and (seen.fails or seen.back_fails or untried):
        word = "exact without rows"
    return Verified(
        key=migration.key,
        path=str(migration.path),
        verdict=word,
        loses=seen.loses,
        findings=tuple(findings),
    )


def _said(error: StatementFailed) -> str:
    """What went wrong and where, without the database and the folder, which are known."""
    at = error.location
    where = at and f"{':'.join(str(part) for part in (at.path.name, at.line, at.column) if part)}: "
    return f"{where or ''}{error.message}"


async def _left(place: ScratchSession, found: Schema, wanted: Schema) -> str | None:
    changes = await differences(place, found, wanted)
    if not changes:
        return None
    more = f" and {len(changes) - SHOWN} more" if len(changes) > SHOWN else ""
    default = wanted.default_namespace
    return ", ".join(display_name(subject(change), default) for change in changes[:SHOWN]) + more


def _goes_back(migration: Migration) -> bool:
    return _verdict(migration) == "exact"


def _verdict(migration: Migration) -> str:
    if migration.version is None:
        return "repeatable"
    if migration.irreversible or migration.rollback is None or migration.rollback.empty:
        return "irreversible"
    return "exact"


def _told(migration: Migration, verdict: str, problem: str | None) -> Verified:
    return Verified(key=migration.key, path=str(migration.path), verdict=verdict, problem=problem)


async def _all_the_way(
    place: ScratchSession, files: Sequence[Migration], found: list[Verified]
) -> list[Verified]:
    """Down from the newest to the last one that cannot go back, and up again."""
    versioned = [migration for migration in files if migration.version is not None]
    stuck = [n for n, migration in enumerate(versioned) if not _goes_back(migration)]
    going = versioned[stuck[-1] + 1 :] if stuck else versioned
    if not going:
        return found
    telemetry.doing("going all the way down and up")
    source = files_source(versioned)
    database = await place.copy(source)
    wanted = await database.read()
    try:
        for migration in reversed(going):
            assert migration.rollback is not None
            await database.replay(migration, migration.rollback)
        for migration in going:
            await database.replay(migration, migration.upgrade)
        left = await _left(place, await database.read(), wanted)
    except StatementFailed as error:
        return [*found[:-1], _told(going[-1], "fails", f"all the way down and up: {_said(error)}")]
    if left is not None:
        problem = f"all the way down and up leads elsewhere: {left}"
        return [*found[:-1], _told(going[-1], "fails", problem)]
    return found


__all__ = ["Verified", "VerifyResult", "verify"]
