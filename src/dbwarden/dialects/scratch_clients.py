"""Define an application that writes while migrations run in a scratch database."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from dbwarden.files.migration import Migration, Section
from dbwarden.schema import QualifiedName, Schema, Table

RowTexts = Mapping[str, str | None]
"""The values of a row as text, by column."""

RowKey = tuple[str | None, ...]
"""The values of a row's key as text."""

Pacing = Callable[[int], Awaitable[None]]
"""What happens after each step of a migration, or batch of a backfill, on that line of its file."""


async def go_on(line: int) -> None:
    """Do nothing in a pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteRefused:
    """The server's message about a write, and the column or constraint that it names."""

    reason: str
    sqlstate: str | None
    column: str | None = None
    constraint: str | None = None


class ScratchClient(Protocol):
    """A second connection to a scratch database, next to the one that runs migrations."""

    async def replay(self, migration: Migration, section: Section, pause: Pacing) -> None:
        """Run a section as ``ScratchDatabase.replay`` does, with pauses.

        Raises:
            ScratchRefused: With file, line and column.
        """
        ...

    async def add_samples(
        self, schema: Schema, table: Table, numbers: Sequence[int], *, unchecked: bool = False
    ) -> Sequence[RowTexts]:
        """Insert generated rows, and return them as they are then; none if the server refused one.

        With *unchecked*, triggers do not fire and foreign keys may be violated.
        """
        ...

    async def sample_texts(
        self, schema: Schema, table: Table, numbers: Sequence[int]
    ) -> Mapping[int, RowTexts]:
        """Return the values of generated rows, without those that the server cannot compute."""
        ...

    async def read(self, table: Table, key: Sequence[str]) -> dict[RowKey, RowTexts]:
        """Return all rows by the columns *key*."""
        ...

    async def types(self, name: QualifiedName) -> Mapping[str, str]:
        """Return the types of a table's columns as they are now."""
        ...

    async def write(self, texts: Sequence[str]) -> Sequence[WriteRefused | None]:
        """Run statements, and return why the server refused each; ``None`` if it did not."""
        ...

    def insert(self, table: Table, row: RowTexts) -> str:
        """Return the SQL that inserts *row*."""
        ...

    def update(self, table: Table, key: RowTexts, values: RowTexts) -> str:
        """Return the SQL that changes *values* of the row with *key*."""
        ...

    def delete(self, table: Table, key: RowTexts | None) -> str:
        """Return the SQL that deletes the row with *key*, or all rows."""
        ...
