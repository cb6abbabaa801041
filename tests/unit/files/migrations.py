"""Migrations that were not read from files."""

from pathlib import Path

from dbwarden.files.checksum import checksum
from dbwarden.files.migration import Migration, Section
from dbwarden.migration_history import HistoryKind
from dbwarden.types import DatabaseName, Version

PRIMARY = DatabaseName("primary")


def migration(version: int, *needs: int) -> Migration:
    return Migration(
        database=PRIMARY,
        kind=HistoryKind.VERSIONED,
        version=Version(version),
        name="x",
        path=Path(f"primary__{version:04d}_x.sql"),
        upgrade=Section(text="SELECT 1", line=1, checksum=checksum("SELECT 1")),
        rollback=None,
        depends_on=tuple(Version(need) for need in needs),
    )
