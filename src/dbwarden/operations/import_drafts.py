"""Try the files of an import one after the other, and write all of them or none."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from dbwarden.authoring.scratch_session import ScratchSession
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.authoring import ScratchDatabase
from dbwarden.errors import ImportFailed, MigrationFileError, ScratchRefused, UsageError
from dbwarden.files.folder import next_version
from dbwarden.files.lexing import lexis_of
from dbwarden.files.migration import Migration
from dbwarden.files.naming import FileName, slug
from dbwarden.imports.file_text import ImportedFile, file_text
from dbwarden.imports.proof import ExpectedSchemas, describe_error, find_problems, roll_back_copy
from dbwarden.imports.schemas import describe, read_schema
from dbwarden.operations.foreign import Tool
from dbwarden.operations.migrations_folder import write_next
from dbwarden.operations.operation import forget_files, parse_file
from dbwarden.printable import shorten
from dbwarden.types import DatabaseName, format_version


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedRevision:
    """One file that was written.

    ``revision`` is what the other tool records. ``reviews`` are the reasons why a person should
    read the file; ``problems`` those of them that the proof found: the file is refused, or does not
    lead where the other tool leads.
    """

    key: str
    path: Path
    revision: str
    reviews: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportResult:
    """The files that were written; ``clean`` if the proof found no problem.

    ``known`` is the number of migrations that had a file before.
    """

    database: DatabaseName
    tool: Tool
    server: str
    files: tuple[ImportedRevision, ...]
    known: int = 0

    @property
    def clean(self) -> bool:
        """True if no file has a problem."""
        return not any(file.problems for file in self.files)


@dataclass(slots=True)
class Drafts:
    """The files of one import with their texts, in order, after the *existing* ones."""

    config: DatabaseConfig
    tool: Tool
    existing: tuple[Migration, ...]
    items: list[tuple[ImportedRevision, str]] = field(default_factory=list)
    _names: list[Migration | FileName] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._names += self.existing
        for migration in self.existing:
            if migration.origin is None or migration.origin.tool != self.tool:
                raise UsageError(
                    f"{migration.path.name} was not imported from {self.tool}, so that its "
                    "migrations cannot follow it",
                    database=self.config.database_name,
                    location=migration.at(),
                    next_step="Import into an empty folder (migrations_dir), or write the new "
                    "migrations by hand: dbwarden new.",
                )

    @property
    def known(self) -> frozenset[str]:
        """The ids under which the other tool records the existing files."""
        return frozenset(each.origin.id for each in self.existing if each.origin is not None)

    def path(self, name: str, *, repeatable: bool = False) -> Path:
        """Return the path of the next file."""
        words = slug(name) if any(char.isalnum() for char in name) else "migration"
        number = format_version(next_version(self._names))
        middle = f"_ROC__{words}" if repeatable else f"_{number}_{words}"
        return self.config.migrations_dir / f"{self.config.files_of}_{middle}.sql"

    def add(
        self, migration: Migration, text: str, revision: str, problems: tuple[str, ...] = ()
    ) -> None:
        """Add the next file."""
        self._names.append(migration)
        result = ImportedRevision(
            key=migration.key,
            path=migration.path,
            revision=revision,
            reviews=migration.reviews,
            problems=problems,
        )
        self.items.append((result, text))

    async def write(self, server: str, known: int) -> ImportResult:
        """Write all files, or none, and return the result.

        Raises:
            UsageError: Another process has written files since.
        """
        texts = [(result.path.name, text) for result, text in self.items]
        await write_next(self.config, self.existing, texts)
        await forget_files(self.config)
        return ImportResult(
            database=self.config.database_name,
            tool=self.tool,
            server=server,
            files=tuple(result for result, _ in self.items),
            known=known,
        )


@dataclass(slots=True)
class Trial:
    """The scratch database in which the files of an import run one after the other.

    ``advice`` is for a migration that cannot be written as a file.
    """

    session: ScratchSession
    drafts: Drafts
    database: ScratchDatabase
    advice: str

    async def replay_existing(self) -> None:
        """Run the files that exist."""
        for migration in self.drafts.existing:
            await self.database.replay(migration, migration.upgrade)

    async def add(
        self,
        path: Path,
        file: ImportedFile,
        expected: ExpectedSchemas,
        reached: ScratchDatabase | None = None,
    ) -> None:
        """Try *file* and add it; *reached* is where the other tool arrived.

        What its rollback does not restore is declared, unless *expected* says what it has to.

        Raises:
            ImportFailed: It cannot be written as a file.
        """
        text, migration = self._written(path, file)
        unknown = migration.rollback is not None and expected.restored is None
        before = await read_schema(self.database, expected.table) if unknown else None
        problems = await find_problems(self.session, self.database, migration, expected)
        differs: tuple[str, ...] = ()
        if problems and reached is not None:  # try the next files on what the other tool has
            server = await self.session.scratch_server()
            self.database = await server.create(copy_of=reached)
        elif not problems and before is not None:
            try:
                restored = await roll_back_copy(
                    self.session, self.database, migration, expected.table
                )
                differs = await describe(self.session, restored, before)
            except (ScratchRefused, MigrationFileError) as error:
                problems = (f"the rollback fails: {shorten([error.message])}",)
        if problems or differs:
            facts = {**file.facts, "rollback-differs": differs} if differs else file.facts
            file = replace(file, reviews=[*file.reviews, *problems], facts=facts)
            text, migration = self._written(path, file)
        self.drafts.add(migration, text, file.origin.id, problems)

    def _written(self, path: Path, file: ImportedFile) -> tuple[str, Migration]:
        """Return the text of *file*, and the migration that it is."""
        config = self.drafts.config
        text = file_text(file, lexis_of(config.database_type))
        try:
            return text, parse_file(config, path, text)
        except MigrationFileError as error:
            noun = "revision " if self.drafts.tool == "alembic" else ""
            raise ImportFailed(
                f"{noun}{file.origin.id} cannot be written as a file: {describe_error(error)}",
                next_step=self.advice,
            ) from error
