"""Write migration files from the revisions of Alembic, which are recorded and proven."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import anyio.to_thread

from dbwarden import telemetry
from dbwarden.authoring.generate.plan import Task, plan
from dbwarden.authoring.scratch_session import EMPTY, ScratchSession, open_scratch_session
from dbwarden.authoring.write.migration_text import Header, Note, migration_text
from dbwarden.config.model import DatabaseConfig
from dbwarden.dialects.authoring import ScratchDatabase
from dbwarden.errors import ImportFailed, UsageError
from dbwarden.files.directives import declare_origin
from dbwarden.files.folder import next_version, read_names, slug, write_migration
from dbwarden.files.lexing import lexis_of
from dbwarden.files.migration import Migration, Origin
from dbwarden.files.naming import FileName
from dbwarden.imports.alembic.project import (
    DEFAULT_TABLE,
    AlembicOptions,
    AlembicProject,
    Answer,
    Revision,
    open_project,
)
from dbwarden.imports.alembic.recording import advance, compose, record
from dbwarden.imports.file_text import ImportedFile
from dbwarden.imports.proof import Expected, parse_file, try_file
from dbwarden.imports.schemas import read_schema
from dbwarden.imports.statements import Rules, Text, script_of
from dbwarden.operations.migrations_folder import lock_folder
from dbwarden.operations.operation import forget_files, migration_files, operation
from dbwarden.planning.foreign import BASE
from dbwarden.schema import Schema
from dbwarden.types import DatabaseName, format_version


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedRevision:
    """One file that was written.

    ``reviews`` are the reasons why a person should read it; ``problems`` those of them that the
    proof found: the file does not lead where the revision of the other tool leads.
    """

    key: str
    path: Path
    revision: str
    reviews: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportResult:
    """The files that were written; ``clean`` if all of them lead where the other tool leads.

    ``known`` is the number of revisions that had a file before.
    """

    database: DatabaseName
    tool: str
    server: str
    files: tuple[ImportedRevision, ...]
    known: int = 0

    @property
    def clean(self) -> bool:
        """True if the files lead to the same schemas as the revisions."""
        return not any(file.problems for file in self.files)


@operation("import")
async def import_alembic(
    config: DatabaseConfig,
    *,
    options: AlembicOptions = AlembicOptions(),  # noqa: B008
) -> ImportResult:
    """Write a file for each revision of an Alembic project that has none yet.

    The project's own ``env.py`` runs in a process of its own, against scratch databases.

    Args:
        config: The database, its name, or ``None`` for the default one.
        options: Where the project is.

    Raises:
        ImportFailed: The project or a revision cannot be run in an empty database.
        UsageError: There are migrations already that were not imported.
    """
    existing = await migration_files(config)
    _refuse_others(config, existing)
    async with open_scratch_session(config, use_cache=False) as session:
        server = await session.scratch_server()
        async with open_project(config, server, options) as project:
            run = _Import(config, session, project, options, await server.create())
            await run.all(existing)
        version = server.version
    await _write(config, existing, run.drafts)
    await forget_files(config)
    return ImportResult(
        database=config.database_name,
        tool="alembic",
        server=version,
        files=tuple(draft.result for draft in run.drafts),
        known=run.known,
    )


def _refuse_others(config: DatabaseConfig, existing: Sequence[Migration]) -> None:
    """Raise if a file was not imported from Alembic: later revisions cannot follow it."""
    for migration in existing:
        if migration.origin is None or migration.origin.tool != "alembic":
            raise UsageError(
                f"{migration.path.name} was not imported from Alembic, so that its revisions "
                "cannot follow it",
                database=config.database_name,
                location=migration.at(),
                next_step="Import into an empty folder (migrations_dir), or write the new "
                "revisions of Alembic by hand: dbwarden new.",
            )


@dataclass(frozen=True, slots=True)
class _Draft:
    """The text of a file and what is reported about it."""

    text: str
    result: ImportedRevision


@dataclass(slots=True)
class _Import:
    """One import: ``proof`` is the database in which our files run."""

    config: DatabaseConfig
    session: ScratchSession
    project: AlembicProject
    options: AlembicOptions
    proof: ScratchDatabase
    drafts: list[_Draft] = field(default_factory=list)
    names: list[Migration | FileName] = field(default_factory=list)
    known: int = 0

    async def all(self, existing: Sequence[Migration]) -> None:
        """Record every revision that has no file."""
        self.names += existing
        rules = Rules(
            lexis=lexis_of(self.config.database_type),
            literal=self.session.authoring_dialect.literal,
            ignored=DEFAULT_TABLE,
            today=frozenset((datetime.now().date(), datetime.now(UTC).date())),
        )
        first = await self.project.find_databases(self.options.engine)
        rules = replace(rules, ignored=self.project.table)
        known = {migration.origin.id for migration in existing if migration.origin}
        await self._base(first, rules, write=not existing)
        older = self._older(known)
        await self._pass(older, existing)
        if self.options.since is not None and not existing:
            await self._baseline(self.options.since)
        newer = [each for each in self.project.revisions if each not in older]
        before = await read_schema(self.project.database, self.project.table)
        for number, revision in enumerate(newer, start=1):
            telemetry.doing(f"recording revision {revision.id} ({number} of {len(newer)})")
            before = await self._revision(revision, rules, before)

    def _older(self, known: set[str]) -> list[Revision]:
        """Return the revisions that are not recorded: known ones, and ``since`` with its past."""
        since = self.options.since
        revisions = {each.id: each for each in self.project.revisions}
        waiting = list(known & revisions.keys())
        if since is not None:
            found = [each for each in revisions if each.startswith(since)]
            if len(found) != 1:
                raise UsageError(
                    f"--since {since}: Alembic has no such revision, or several",
                    database=self.config.database_name,
                    next_step="List them with: alembic history",
                )
            self.options = replace(self.options, since=found[0])
            waiting += found
        older: set[str] = set()
        while waiting:
            if (one := waiting.pop()) not in older:
                older.add(one)
                waiting += revisions[one].after
        self.known = len(known & revisions.keys())
        return [each for each in self.project.revisions if each.id in older]

    async def _pass(self, older: Sequence[Revision], existing: Sequence[Migration]) -> None:
        for number, revision in enumerate(older, start=1):
            telemetry.doing(f"running revision {revision.id} ({number} of {len(older)})")
            await advance(self.project, revision)
        for migration in existing:
            await self.proof.replay(migration, migration.upgrade)

    async def _base(self, first: Answer, rules: Rules, *, write: bool) -> None:
        """Create what existed before the first revision: ``--base``, and what env.py creates."""
        texts = list(script_of([item for item in first.statements if not item.inside], rules).texts)
        base, database = self.options.base, self.project.database
        if base is not None and base.endswith(".sql"):
            sql = await anyio.to_thread.run_sync(_read, Path(base))
            texts.append(Text(sql))
            await database.execute([sql])
        elif base is not None:
            answer = await self.project.build_base(base)
            texts += script_of(answer.inside, rules).texts
        texts = [text for text in texts if not text.sql.lower().startswith(("set ", "pragma "))]
        if write and texts and self.options.since is None:
            file = ImportedFile(
                purpose="what existed before the first revision",
                origin=Origin(tool="alembic", id=BASE),
                upgrade=texts,
                rollback=None,
            )
            await self._draft(file, BASE, await read_schema(database, self.project.table), None)

    async def _baseline(self, since: str) -> None:
        """Write one file that builds the schema of the revision *since*."""
        empty = await self.session.schema(EMPTY)
        schema = await read_schema(self.project.database, self.project.table)
        planned = await plan(self.session.authoring_dialect, Task(current=empty, desired=schema))
        origin = Origin(tool="alembic", id=since, table=self._table)
        header = Header(
            purpose=f"the schema of Alembic's revision {since}",
            verdict="exact",
            server=await self.session.server_version(),
            notes=(
                Note("Rows that revisions up to this one inserted are not in this file."),
                Note("It replaces them:", (declare_origin(origin),)),
            ),
        )
        text = migration_text(header, planned, empty.default_namespace)
        path = self._path(f"baseline {since}")
        migration = parse_file(self.config, path, text)
        await self.proof.replay(migration, migration.upgrade)
        self._add(migration, text, since)

    @property
    def _table(self) -> str | None:
        return None if self.project.table == DEFAULT_TABLE else self.project.table

    async def _revision(self, revision: Revision, rules: Rules, before: Schema) -> Schema:
        """Record one revision and write its draft; return the schema after it."""
        recording = await record(self.project, revision, before)
        file = await compose(self.session, recording, rules, self._table)
        await self._draft(
            file, revision.message or revision.id, recording.after, recording.restored
        )
        return recording.after

    async def _draft(
        self, file: ImportedFile, name: str, after: Schema, restored: Schema | None
    ) -> None:
        path = self._path(name)
        expected = Expected(after=after, restored=restored, table=self.project.table)
        text, migration, problems = await try_file(self.session, self.proof, path, file, expected)
        if migration is None:
            raise ImportFailed(
                f"revision {file.origin.id} cannot be written as a file: {problems[0]}",
                database=self.config.database_name,
                next_step="Import the later part: --since REVISION.",
            )
        if problems:  # try the next files on what Alembic arrived at
            server = await self.session.scratch_server()
            self.proof = await server.create(copy_of=self.project.database)
        self._add(migration, text, file.origin.id, problems)

    def _path(self, name: str) -> Path:
        number = format_version(next_version(self.names))
        words = slug(name) if any(char.isalnum() for char in name) else "revision"
        return self.config.migrations_dir / f"{self.config.files_of}__{number}_{words}.sql"

    def _add(
        self, migration: Migration, text: str, revision: str, problems: tuple[str, ...] = ()
    ) -> None:
        self.names.append(migration)
        result = ImportedRevision(
            key=migration.key,
            path=migration.path,
            revision=revision,
            reviews=migration.reviews,
            problems=problems,
        )
        self.drafts.append(_Draft(text, result))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"--base {path} cannot be read: {error.strerror}",
            next_step="Name a file of SQL, or module:Base.metadata.",
        ) from error


async def _write(
    config: DatabaseConfig, seen: Sequence[Migration], drafts: Sequence[_Draft]
) -> None:
    """Write all drafts, or none.

    Raises:
        UsageError: Another process has written files since.
    """
    async with lock_folder(config):
        await anyio.to_thread.run_sync(_write_all, config, len(seen), drafts)


def _write_all(config: DatabaseConfig, seen: int, drafts: Sequence[_Draft]) -> None:
    if len(read_names(config.migrations_dir, config.files_of)) != seen:
        raise UsageError(
            f"the files in {config.migrations_dir} have changed since they were read; nothing was "
            "written",
            database=config.database_name,
            next_step="Run the command again.",
        )
    written: list[Path] = []
    try:
        for draft in drafts:
            path = draft.result.path
            written.append(write_migration(config.migrations_dir, path.name, draft.text))
    finally:
        if len(written) < len(drafts):
            for path in written:
                path.unlink(missing_ok=True)


__all__ = ["AlembicOptions", "ImportResult", "ImportedRevision", "import_alembic"]
