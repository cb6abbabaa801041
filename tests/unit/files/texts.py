"""Migrations that are read from text."""

from pathlib import Path

import pytest

from dbwarden.errors import MigrationFileError
from dbwarden.files.migration import Migration
from dbwarden.files.parsing import parse
from dbwarden.types import DatabaseName, DialectName

PRIMARY = DatabaseName("primary")
PATH = Path("migrations/primary/primary__0007_create_users.sql")


def read(text: str, dialect: DialectName = "postgresql") -> Migration:
    return parse(text, path=PATH, database=PRIMARY, dialect=dialect)


def problems(text: str, dialect: DialectName = "postgresql") -> list[tuple[str, str]]:
    """Place (line and column) and message of every problem."""
    with pytest.raises(MigrationFileError) as caught:
        read(text, dialect)
    for problem in caught.value.problems:
        assert problem.database == PRIMARY
        assert problem.next_step
    found = [(str(problem.location), problem.message) for problem in caught.value.problems]
    return [(place.removeprefix(f"{PATH}:"), message) for place, message in found]


UPGRADE = "-- upgrade\nSELECT 1;\n"


def advice(text: str) -> str:
    with pytest.raises(MigrationFileError) as caught:
        read(text)
    (problem,) = caught.value.problems
    return problem.next_step or ""
