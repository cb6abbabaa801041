"""Edit files so that findings go away, if the edited files are proven to do the same."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread

from dbwarden import telemetry
from dbwarden.authoring.collect.current import files_source
from dbwarden.authoring.prove.row_trials import try_rows
from dbwarden.authoring.prove.verdict import differences
from dbwarden.authoring.scratch_session import ScratchSession, Source
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import MigrationFileError, ScratchRefused, UsageError
from dbwarden.files.disk import read_regular
from dbwarden.files.migration import Migration
from dbwarden.files.parsing import decode
from dbwarden.linting.facts import FileFacts
from dbwarden.linting.findings import LintFinding
from dbwarden.linting.fixes import apply, edit_for, place_of_edit
from dbwarden.linting.running_rules import Choice, judge
from dbwarden.operations.migrations_folder import lock_folder
from dbwarden.operations.operation import parse_file
from dbwarden.schema import Schema
from dbwarden.types import Location

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """An edit for a finding of *rule*; not ``proven`` if the edited file would not do the same."""

    rule: str
    path: Path
    line: int
    proven: bool
    why: str = ""


async def fix_files(
    session: ScratchSession,
    migrations: Sequence[Migration],
    facts: Sequence[FileFacts],
    choice: Choice,
) -> tuple[Fix, ...]:
    """Edit the files of *facts*, and return what was proven and written, and what was not.

    Raises:
        UsageError: A file has changed since it was read, or cannot be written.
    """
    fixes: list[Fix] = []
    for file in facts:
        findings = [one for one in judge(file, choice) if one.reason is None]
        if findings:
            place = migrations.index(file.migration)
            fixes += await _fix_file(session, migrations[: place + 1], file, findings)
    return tuple(fixes)


async def _fix_file(
    session: ScratchSession,
    migrations: Sequence[Migration],
    file: FileFacts,
    findings: Sequence[LintFinding],
) -> list[Fix]:
    config, path = session.config, file.migration.path
    data = await anyio.to_thread.run_sync(read_regular, path)
    old = decode(data, path=path, database=config.files_of)
    text, fixes = old, []
    proof = await _proof_of(session, migrations)
    # From the end, so that the places of earlier findings stay as they are.
    for finding in sorted(findings, key=lambda one: place_of_edit(file, one), reverse=True):
        edit = edit_for(file, finding, text, session.authoring_dialect.safer_form)
        if edit is None:
            continue
        edited = apply(text, edit)
        why = await proof.problem(path, edited)
        text = text if why else edited
        fixes.append(Fix(rule=finding.rule, path=path, line=finding.line, proven=not why, why=why))
    if text != old:
        async with lock_folder(config):
            await anyio.to_thread.run_sync(_write, config, path, data, text)
    return fixes[::-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class _FileProof:
    """The schemas before and after a file, against which its edited text is proven.

    ``fails`` is true if the file fails where tables have rows.
    """

    session: ScratchSession
    source: Source
    before: Schema
    after: Schema
    fails: bool

    async def problem(self, path: Path, text: str) -> str:
        """Return why the edited *text* does not do the same as the file; empty if it does."""
        telemetry.doing(f"proving an edit of {path.name}")
        try:
            return await self._difference(parse_file(self.session.config, path, text))
        except (MigrationFileError, ScratchRefused) as error:
            return error.message

    async def _difference(self, edited: Migration) -> str:
        session, back = self.session, edited.way_back
        async with session.borrow_copy(self.source) as database:
            rows = await try_rows(session, database, self.before, edited, back=back is not None)
            if rows.fails is not None and not self.fails:
                return "it fails where tables have rows, and the file as it is does not"
            await database.replay(edited, edited.upgrade)
            if await differences(session, await database.read(), self.after):
                return "it leads to another schema"
            if back is not None:
                await database.replay(edited, back)
                if await differences(session, await database.read(), self.before):
                    return "its rollback does not lead back"
        return ""


async def _proof_of(session: ScratchSession, migrations: Sequence[Migration]) -> _FileProof:
    """Return what edits of the last one of *migrations* must lead to."""
    source = files_source(migrations[:-1])
    before = await session.schema(source)
    async with session.borrow_copy(source) as database:
        rows = await try_rows(session, database, before, migrations[-1], back=False)
        await database.replay(migrations[-1], migrations[-1].upgrade)
        after = await database.read()
    return _FileProof(
        session=session, source=source, before=before, after=after, fails=rows.fails is not None
    )


def _write(config: DatabaseConfig, path: Path, old: bytes, text: str) -> None:
    """Replace the content *old* of *path* by *text*, all of it or nothing.

    Raises:
        UsageError: The file has changed since, or cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.urandom(4).hex()}.draft")
    start = old[: len(_BOM)] if old.startswith(_BOM) else b""
    why = "it has changed since it was read"
    try:
        if read_regular(path) == old:
            draft.write_bytes(start + text.encode())
            draft.chmod(path.stat().st_mode)
            draft.replace(path)
            return
    except OSError as error:
        why = f"it cannot be written: {error.strerror}"
    finally:
        draft.unlink(missing_ok=True)
    raise UsageError(
        f"the file was not fixed, because {why}",
        database=config.database_name,
        location=Location(path=path),
        next_step="Run the command again, and check the permissions of the folder.",
    )
