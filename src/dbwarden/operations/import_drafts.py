"""Collect the files of an import, and write all of them or none."""

from dataclasses import dataclass, field
from pathlib import Path

from dbwarden.config.model import DatabaseConfig
from dbwarden.errors import UsageError
from dbwarden.files.folder import next_version
from dbwarden.files.migration import Migration
from dbwarden.files.naming import FileName, slug
from dbwarden.operations.foreign import Tool
from dbwarden.operations.migrations_folder import write_next
from dbwarden.operations.operation import forget_files
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
        self._refuse_others()
        self._names += self.existing

    def _refuse_others(self) -> None:
        """Raise if a file was not imported from this tool: later ones cannot follow it."""
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
        """What the other tool records about the existing files."""
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
