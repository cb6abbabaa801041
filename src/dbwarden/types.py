"""Define the basic types that every layer shares."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NewType

DatabaseName = NewType("DatabaseName", str)
"""The name of one configured database, as in ``database_config(database_name=...)``."""

Version = NewType("Version", int)
"""The number of a migration. ``0007`` and ``00007`` are the same version."""

Checksum = NewType("Checksum", str)
"""The hexadecimal SHA-256 of a migration section's meaning; see ``files.checksum``."""

LONGEST_NAME = 63
"""The bytes of the longest name on PostgreSQL, which cuts longer ones without an error.

https://www.postgresql.org/docs/current/limits.html
"""

DialectName = Literal["postgresql", "sqlite"]
Direction = Literal["upgrade", "rollback"]


def format_version(version: Version) -> str:
    """Format *version* as in file names and the ledger, with at least four digits."""
    return f"{version:04d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A location in a file; line and column count from 1."""

    path: Path
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        parts = [self.path, self.line, self.column]
        return ":".join(str(part) for part in parts if part is not None)
