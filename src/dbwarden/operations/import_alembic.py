"""Write migration files from the revisions of Alembic, which are recorded and proven."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import anyio.to_thread

from dbwarden import telemetry
from dbwarden.authoring.prove.verdict import Verdict
from dbwarden.authoring.scratch_session import open_scratch_session
from dbwarden.authoring.write.migration_text import Header, Note, migration_text
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import UsageError
from dbwarden.files.directives import declare_origin
from dbwarden.files.lexing import lexis_of
from dbwarden.files.migration import Origin
from dbwarden.imports.alembic.project import (
    DEFAULT_TABLE,
    AlembicOptions,
    AlembicProject,
    RecordedRun,
    Revision,
    open_project,
)
from dbwarden.imports.alembic.recording import advance, compose, record
from dbwarden.imports.file_text import ImportedFile
from dbwarden.imports.proof import ExpectedSchemas
from dbwarden.imports.schemas import read_schema
from dbwarden.imports.statements import Rules, Text, script_of
from dbwarden.operations.import_drafts import Drafts, ImportResult, Trial
from dbwarden.operations.operation import migration_files, operation, parse_file
from dbwarden.operations.schema import plan_from_nothing
from dbwarden.planning.foreign import BASE
from dbwarden.schema import Schema
from dbwarden.schema.closure import reachable

_SETTING = re.compile(r"\s*(?:set|reset|pragma|select\s+(?:pg_catalog\.)?set_config)\b", re.I)
"""Begins a statement of ``env.py`` that only sets its session."""


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
    drafts = Drafts(config, "alembic", await migration_files(config))
    async with open_scratch_session(config, use_cache=False) as session:
        server = await session.scratch_server()
        async with open_project(config, server, options) as project:
            advice = "Import the later part: --since REVISION."
            trial = Trial(session, drafts, await server.create(), advice)
            run = _Import(config, trial, project, options)
            await run.all()
    return await drafts.write(server.version, run.known)


@dataclass(slots=True)
class _Import:
    """One import: ``known`` is the number of revisions that have a file."""

    config: DatabaseConfig
    trial: Trial
    project: AlembicProject
    options: AlembicOptions
    known: int = 0

    async def all(self) -> None:
        """Record every revision that has no file."""
        existing, dialect = self.trial.drafts.existing, self.trial.session.authoring_dialect
        first = await self.project.find_databases(self.options.engine)
        rules = Rules(
            lexis=lexis_of(self.config.database_type),
            literal=dialect.literal,
            now=dialect.now,
            repeat=lambda loop, commits: dialect.repeat(loop, commits=commits),
            ignored=self.project.table,
            today=frozenset((datetime.now().date(), datetime.now(UTC).date())),
        )
        await self._base(first, rules, write=not existing)
        older = self._older(self.trial.drafts.known)
        for number, revision in enumerate(older, start=1):
            telemetry.doing(f"running revision {revision.id} ({number} of {len(older)})")
            await advance(self.project, revision)
        await self.trial.replay_existing()
        if self.options.since is not None and not existing:
            await self._baseline(self.options.since)
        newer = [each for each in self.project.revisions if each not in older]
        before = await self._schema()
        for number, revision in enumerate(newer, start=1):
            telemetry.doing(f"recording revision {revision.id} ({number} of {len(newer)})")
            recording = await record(self.project, revision, before)
            file = await compose(self.trial.session, recording, rules, self._table)
            await self._draft(file, file.purpose, recording.after, recording.restored)
            before = recording.after

    def _older(self, known: frozenset[str]) -> list[Revision]:
        """Return the revisions that are not recorded: known ones, and ``since`` with its past."""
        since = self.options.since
        revisions = {each.id: each for each in self.project.revisions}
        last = list(known & revisions.keys())
        self.known = len(last)
        if since is not None:
            found = [each for each in revisions if each.startswith(since)]
            if len(found) != 1:
                raise UsageError(
                    f"--since {since}: Alembic has no such revision, or several",
                    database=self.config.database_name,
                    next_step="List them with: alembic history",
                )
            self.options = replace(self.options, since=found[0])
            last += found
        older = reachable(last, lambda one: revisions[one].after)
        return [each for each in self.project.revisions if each.id in older]

    async def _base(self, first: RecordedRun, rules: Rules, *, write: bool) -> None:
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
        texts = [text for text in texts if not _SETTING.match(text.sql)]
        if write and texts and self.options.since is None:
            file = ImportedFile(
                purpose="what existed before the first revision",
                origin=Origin(tool="alembic", id=BASE),
                upgrade=texts,
                rollback=None,
            )
            await self._draft(file, BASE, await self._schema(), None)

    async def _baseline(self, since: str) -> None:
        """Write one file that builds the schema of the revision *since*."""
        session, drafts = self.trial.session, self.trial.drafts
        planned, comparison = await plan_from_nothing(session, await self._schema())
        origin = Origin(tool="alembic", id=since, table=self._table)
        header = Header(
            purpose=f"the schema of Alembic's revision {since}",
            verdict=Verdict.EXACT,
            server=await session.server_version(),
            notes=(
                Note("Rows that revisions up to this one inserted are not in this file."),
                Note("It replaces them:", (declare_origin(origin),)),
            ),
        )
        text = migration_text(header, planned, comparison.current.default_namespace)
        migration = parse_file(self.config, drafts.path(f"baseline {since}"), text)
        await self.trial.database.replay(migration, migration.upgrade)
        drafts.add(migration, text, since)

    async def _schema(self) -> Schema:
        """Return the schema at which Alembic has arrived."""
        return await read_schema(self.project.database, self.project.table)

    @property
    def _table(self) -> str | None:
        return None if self.project.table == DEFAULT_TABLE else self.project.table

    async def _draft(
        self, file: ImportedFile, name: str, after: Schema, restored: Schema | None
    ) -> None:
        expected = ExpectedSchemas(after=after, restored=restored, table=self.project.table)
        path = self.trial.drafts.path(name)
        await self.trial.add(path, file, expected, reached=self.project.database)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"--base {path} cannot be read: {error.strerror}",
            next_step="Name a file of SQL, or module:Base.metadata.",
        ) from error


__all__ = ["AlembicOptions", "import_alembic"]
