"""A migration: one file, its name, its sections. Values only."""

from dataclasses import dataclass
from pathlib import Path

from dbwarden.files.lexing import has_code
from dbwarden.history import HistoryKind
from dbwarden.types import Checksum, DatabaseName, Location, Version, format_version


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The SQL of one direction, as written; ``line`` is the line of the file on which it begins."""

    text: str
    line: int
    checksum: Checksum

    @property
    def empty(self) -> bool:
        """Whether there is nothing to run: only blanks and comments."""
        return not has_code(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What another database must have first: ``-- requires: primary@0042``."""

    database: DatabaseName
    version: Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One migration file.

    ``version`` is ``None`` for repeatable ones; ``key`` is what the ledger calls it.
    ``rollback`` is ``None`` when the file has no such section.
    """

    database: DatabaseName
    kind: HistoryKind
    version: Version | None
    name: str
    path: Path
    upgrade: Section
    rollback: Section | None
    irreversible: bool = False
    depends_on: tuple[Version, ...] = ()
    requires: tuple[Requirement, ...] = ()

    @property
    def key(self) -> str:
        """What the ledger calls this migration: its version, or its name when it is repeatable."""
        return format_version(self.version) if self.version is not None else self.name

    @property
    def always(self) -> bool:
        """Whether this runs with every migrate."""
        return self.kind is HistoryKind.ALWAYS

    @property
    def description(self) -> str:
        """The name as a person reads it."""
        return self.name.replace("_", " ")

    def section(self, direction: str) -> Section | None:
        """The SQL of *direction* (``"upgrade"`` or ``"rollback"``)."""
        return self.upgrade if direction == "upgrade" else self.rollback

    def at(self, line: int | None = None, column: int | None = None) -> Location:
        """A place in this file."""
        return Location(path=self.path, line=line, column=column)
