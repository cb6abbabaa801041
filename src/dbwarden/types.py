"""The small words that every layer shares (DESIGN.md, section 3)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NewType

DatabaseName = NewType("DatabaseName", str)
"""The name of one configured database, as in ``database_config(database_name=...)``."""

Version = NewType("Version", int)
"""The number of a migration. ``0007`` and ``00007`` are the same version."""

Checksum = NewType("Checksum", str)
"""SHA-256, in hexadecimal, over what a section of a migration means."""

DialectName = Literal["postgresql", "sqlite"]
Direction = Literal["upgrade", "rollback"]


def format_version(version: Version) -> str:
    """Write *version* as file names and the ledger have it: at least four digits."""
    return f"{version:04d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place in a file; line and column count from 1."""

    path: Path
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        parts = [str(self.path), self.line, self.column]
        return ":".join(str(part) for part in parts if part is not None)
