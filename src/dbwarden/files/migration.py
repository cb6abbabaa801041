"""Define the values of a migration: its file, name and sections."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dbwarden.files.declarations import Declarations
from dbwarden.files.lexing import has_code
from dbwarden.files.old_headers import old_declarations
from dbwarden.migration_history import HistoryKind
from dbwarden.types import Checksum, DatabaseName, Location, Version, format_version

Phase = Literal["pre", "post"]
"""Before or after the deployment of the code that goes with a migration."""

DEFAULT_BATCH = 1000
"""The rows of the first batch of a backfill whose header gives no number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """The options of a backfill, a migration whose upgrade runs in batches of rows.

    ``table`` is the table as written, on ``line`` of the file. ``batch`` is the number of rows of
    the first batch, ``batch_seconds`` the time that one should take, if given. ``until`` is the
    condition that every row satisfies at the end, if given, on ``until_line``.
    """

    table: str
    line: int
    batch: int = DEFAULT_BATCH
    batch_seconds: float | None = None
    until: str | None = None
    until_line: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The SQL of one direction, as written; ``line`` is its first line in the file."""

    text: str
    line: int
    checksum: Checksum

    @property
    def empty(self) -> bool:
        """Whether the section has only whitespace and comments."""
        return not has_code(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A migration that another database must have first: ``-- requires: primary@0042``."""

    database: DatabaseName
    version: Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The migration of another tool that a file was imported from.

    ``id`` is its revision or name, ``after`` are those that it follows. ``table`` is where the tool
    keeps its history, if it is not the tool's default.
    """

    tool: str
    id: str
    after: tuple[str, ...] = ()
    table: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """A comment that allows a finding of ``lint``, with its reason and place.

    It is about the whole file if it is in the header, else about the statement that follows it.
    """

    rule: str
    reason: str
    line: int
    column: int
    in_header: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One migration file.

    ``version`` is ``None`` for repeatable migrations; ``key`` identifies it in the ledger.
    ``rollback`` is ``None`` if the file has no such section. ``header`` is the text above the
    sections, ``declarations`` are those of its directives, if it has any. ``origin`` is set on an
    imported file; ``reviews`` are the reasons why a person should read it. ``allows`` are the
    findings of ``lint`` that it allows. ``backfill`` is set if the upgrade runs in batches.
    ``requires_backfill`` are backfills that must have ended first.
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
    header: str = ""
    declarations: Declarations | None = None
    origin: Origin | None = None
    reviews: tuple[str, ...] = ()
    allows: tuple[Allowance, ...] = ()
    backfill: Backfill | None = None
    requires_backfill: tuple[Version, ...] = ()
    phase: Phase | None = None

    @property
    def is_python(self) -> bool:
        """Whether the upgrade is a coroutine function of a Python file."""
        return self.path.suffix == ".py"

    @property
    def key(self) -> str:
        """The migration's key in the ledger: its version, or its name if it is repeatable."""
        return format_version(self.version) if self.version is not None else self.name

    @property
    def way_back(self) -> Section | None:
        """The rollback to run; ``None`` if it is irreversible, or has no SQL for it."""
        back = self.rollback
        return None if self.irreversible or back is None or back.empty else back

    @property
    def is_reversible(self) -> bool:
        """Whether it can be rolled back. A rollback of a backfill may leave its values."""
        return not self.irreversible and (self.backfill is not None or self.way_back is not None)

    @property
    def always(self) -> bool:
        """Whether every ``migrate`` runs this migration."""
        return self.kind is HistoryKind.ALWAYS

    @property
    def description(self) -> str:
        """The name with spaces instead of underscores."""
        return self.name.replace("_", " ")

    @property
    def declares(self) -> Declarations:
        """The declarations of the header, which earlier files have in English comments."""
        return self.declarations or old_declarations(self.header)

    def section(self, direction: str) -> Section | None:
        """Return the section of *direction* (``"upgrade"`` or ``"rollback"``)."""
        return self.upgrade if direction == "upgrade" else self.rollback

    def at(self, line: int | None = None, column: int | None = None) -> Location:
        """Return a location in this file."""
        return Location(path=self.path, line=line, column=column)
