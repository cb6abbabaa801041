"""Record revisions: up, up again in a copy, and down in that copy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from dbwarden.authoring.scratch_session import ScratchSession
from dbwarden.errors import ImportFailed
from dbwarden.files.migration import Origin
from dbwarden.imports.alembic.project import (
    AlembicDirection,
    AlembicProject,
    RecordedRun,
    Revision,
    ServedDatabase,
)
from dbwarden.imports.file_text import ImportedFile
from dbwarden.imports.loops import TIMES, counts_to_try
from dbwarden.imports.rendering import Recorded
from dbwarden.imports.schemas import describe, read_schema
from dbwarden.imports.statements import Rules, script_of
from dbwarden.schema import Schema
from dbwarden.types import Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What one revision sent in each run, and the schemas that Alembic arrived at.

    ``restored`` is the schema after the downgrade, ``None`` if it failed. ``upgrade_tries`` and
    ``downgrade_tries`` are runs in which statements seemed to change rows, by their number.
    """

    revision: Revision
    upgrade: RecordedRun
    again: RecordedRun
    upgrade_tries: Mapping[int, Sequence[Recorded]]
    downgrade: RecordedRun
    downgrade_tries: Mapping[int, Sequence[Recorded]]
    before: Schema = field(repr=False)
    after: Schema = field(repr=False)
    restored: Schema | None = field(repr=False)


async def advance(project: AlembicProject, revision: Revision) -> RecordedRun:
    """Run *revision* in the database of Alembic.

    Raises:
        ImportFailed: It fails on the empty database.
    """
    answer = await project.run(revision, "upgrade", project.databases)
    if answer.problem is not None:
        raise ImportFailed(
            f"revision {revision.id} of Alembic failed in an empty database: {answer.problem}",
            location=Location(path=project.config.root / revision.path) if revision.path else None,
            detail=answer.output,
            next_step="Check that `alembic upgrade head` works on an empty database. What has to "
            "exist before belongs in scratch_setup (extensions) or in --base (tables).",
        )
    return answer


async def record(project: AlembicProject, revision: Revision, before: Schema) -> Recording:
    """Run *revision* up, up again in a copy, and down in that copy.

    Raises:
        ImportFailed: It fails on the empty database.
    """
    copies = await project.copies()
    again = await project.run(revision, "upgrade", copies)
    upgrade_tries = await _try_counts(project, revision, "upgrade", again)
    upgrade = await advance(project, revision)
    downgrade, restored = RecordedRun((), "the second upgrade failed"), None
    if again.problem is None:
        downgrade = await project.run(revision, "downgrade", copies)
    downgrade_tries = await _try_counts(project, revision, "downgrade", downgrade)
    if downgrade.problem is None:
        restored = await read_schema(copies[project.own][1], project.table)
    await _discard(copies)
    return Recording(
        revision=revision,
        upgrade=upgrade,
        again=again,
        upgrade_tries=upgrade_tries,
        downgrade=downgrade,
        downgrade_tries=downgrade_tries,
        before=before,
        after=await read_schema(project.database, project.table),
        restored=restored,
    )


async def _discard(databases: Sequence[ServedDatabase]) -> None:
    """Drop *databases*, which are copies."""
    for server, database in databases:
        await server.discard(database)


async def _try_counts(
    project: AlembicProject, revision: Revision, direction: AlembicDirection, answer: RecordedRun
) -> Mapping[int, Sequence[Recorded]]:
    """Run *revision* with other counts, in copies, if *answer* says that it reads them."""
    tries = dict[int, Sequence[Recorded]]()
    for count in counts_to_try(answer.inside):
        copies = await project.copies()
        run = await project.run(revision, direction, copies, count=count, times=TIMES)
        tries[count] = run.inside
        await _discard(copies)
    return tries


async def compose(
    session: ScratchSession, recording: Recording, rules: Rules, table: str | None
) -> ImportedFile:
    """Return the file of *recording*; *table* is Alembic's table if it is not the default one."""
    revision = recording.revision
    again = recording.again.inside
    up = script_of(recording.upgrade.inside, rules, again, recording.upgrade_tries)
    down = script_of(recording.downgrade.inside, rules, tries=recording.downgrade_tries)
    reviews = [*up.reviews, *(f"in the rollback, {why}" for why in down.reviews)]
    file = ImportedFile(
        purpose=revision.message or revision.id,
        origin=Origin(tool="alembic", id=revision.id, after=revision.after, table=table),
        upgrade=up.texts,
        rollback=down.texts,
        reviews=reviews,
    )
    if recording.restored is None:
        why = recording.downgrade.problem or ""
        note = f"Alembic's downgrade fails: {why.splitlines()[0] if why else why}"
        return replace(file, rollback=None, notes=[note])
    left = await describe(session, recording.restored, recording.before)
    if left and not down.texts:
        return replace(file, rollback=None, notes=["Alembic's downgrade is empty."])
    return replace(file, facts={"rollback-differs": left}) if left else file
