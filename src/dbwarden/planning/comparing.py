"""Compare the migration files with the ledger of one database. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dbwarden.files.checksum import NOTHING
from dbwarden.files.migration import Migration
from dbwarden.files.order import sort_migrations
from dbwarden.migration_history import HistoryKind, LedgerRow, State
from dbwarden.types import DatabaseName, Version, format_version

_WHOLE = (State.APPLIED, State.BACKFILLING)
"""The states of migrations that did not stop between two steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A file and the live ledger row of its migration."""

    migration: Migration
    row: LedgerRow


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The comparison of the files and the ledger of one database.

    Every tuple is in the order in which migrations run. Each live row is in exactly one of
    ``applied``, ``changed``, ``superseded``, ``missing``, ``ahead``, ``retired`` and ``partial``.

    - ``applied``: file and row agree (repeatable ones too).
    - ``pending``: files to run next, in order: versioned ones by version and dependencies, then
      repeatables (``RA`` always, ``ROC`` when new or changed).
    - ``changed``: applied versioned migrations whose upgrade or rollback was edited since. Adding
      a rollback where there was none is not an edit.
    - ``superseded``: repeatables whose row has an older text; they are pending too.
    - ``missing``: live rows without a file although newer files exist, or without any file at all.
    - ``ahead``: live rows newer than any file, applied by a newer app. Not an error.
    - ``retired``: rows of repeatables without a file: removed, or of a newer app. Not an error.
    - ``out_of_order``: members of ``pending`` that are older than the newest applied version.
    - ``partial``: rows of migrations that stopped between two steps, with their file if it exists.

    ``backfilling`` are the keys of the rows of backfills that have not ended, which are among
    the others.
    """

    database: DatabaseName | None = None
    applied: tuple[Applied, ...] = ()
    pending: tuple[Migration, ...] = ()
    changed: tuple[Applied, ...] = ()
    superseded: tuple[Applied, ...] = ()
    missing: tuple[LedgerRow, ...] = ()
    ahead: tuple[LedgerRow, ...] = ()
    retired: tuple[LedgerRow, ...] = ()
    out_of_order: tuple[Migration, ...] = ()
    partial: tuple[tuple[LedgerRow, Migration | None], ...] = ()
    backfilling: tuple[str, ...] = ()

    @property
    def version(self) -> str | None:
        """The newest applied version, as the ledger writes it."""
        newest = max((version_of(row) for row in applied_rows(self)), default=None)
        return format_version(newest) if newest is not None else None


def compare(
    files: Sequence[Migration],
    rows: Sequence[LedgerRow] | None,
    database: DatabaseName | None = None,
) -> History:
    """Compare *files* with the *rows* of the ledger (``None`` if there is no ledger yet).

    *database* is the owner of the ledger if that is not the owner of the files: a tenant, whose
    name the pending migrations then get.
    """
    ordered = sort_migrations(files)
    live = {(row.kind, _identity(row)): row for row in rows or () if row.live}
    comparison = _Comparison()
    for migration in ordered:
        identity = migration.name if migration.version is None else migration.version
        row = live.pop((migration.kind, identity), None)
        _place_file(comparison, migration, row)
    newest = max((item.version for item in ordered if item.version is not None), default=None)
    for row in sorted(live.values(), key=_row_order):
        _place_row(comparison, row, newest)
    owner = ordered[0].database if ordered else None
    if owner is not None and database not in (None, owner):
        owner = database
        comparison.pending = [_of(owner, item) for item in comparison.pending]
        comparison.partial = [
            (row, _of(owner, item) if item else None) for row, item in comparison.partial
        ]
    return History(
        database=owner,
        applied=tuple(comparison.applied),
        pending=tuple(comparison.pending),
        changed=tuple(comparison.changed),
        superseded=tuple(comparison.superseded),
        missing=tuple(comparison.missing),
        ahead=tuple(comparison.ahead),
        retired=tuple(comparison.retired),
        partial=tuple(comparison.partial),
        out_of_order=_out_of_order(ordered, comparison),
        backfilling=tuple(
            row.key for row in rows or () if row.live and row.state is State.BACKFILLING
        ),
    )


def _of(database: DatabaseName, migration: Migration) -> Migration:
    return replace(migration, database=database)


class _Comparison:
    """The lists from which a history is built."""

    def __init__(self) -> None:
        self.applied: list[Applied] = []
        self.pending: list[Migration] = []
        self.changed: list[Applied] = []
        self.superseded: list[Applied] = []
        self.missing: list[LedgerRow] = []
        self.ahead: list[LedgerRow] = []
        self.retired: list[LedgerRow] = []
        self.partial: list[tuple[LedgerRow, Migration | None]] = []


def _place_file(comparison: _Comparison, migration: Migration, row: LedgerRow | None) -> None:
    if row is not None and row.state not in _WHOLE:
        comparison.partial.append((row, migration))
        return
    agrees = (
        row is not None
        and row.upgrade_checksum == migration.upgrade.checksum
        and (migration.version is None or not rollback_edited(migration, row))
    )
    if row is None or migration.always or (migration.version is None and not agrees):
        comparison.pending.append(migration)
    if row is not None:
        otherwise = comparison.superseded if migration.version is None else comparison.changed
        (comparison.applied if agrees else otherwise).append(Applied(migration=migration, row=row))


def _place_row(comparison: _Comparison, row: LedgerRow, newest: Version | None) -> None:
    """Classify a row that has no file."""
    if row.state not in _WHOLE:
        comparison.partial.append((row, None))
    elif row.kind is not HistoryKind.VERSIONED:
        comparison.retired.append(row)
    elif newest is not None and version_of(row) > newest:
        comparison.ahead.append(row)
    else:
        comparison.missing.append(row)


def rollback_edited(migration: Migration, row: LedgerRow) -> bool:
    """Return whether *migration* was applied with a rollback that has changed since."""
    if row.rollback_checksum is None or row.rollback_checksum == NOTHING:
        return False
    return migration.rollback is None or migration.rollback.checksum != row.rollback_checksum


def _out_of_order(ordered: Sequence[Migration], comparison: _Comparison) -> tuple[Migration, ...]:
    without_file = [row for row, migration in comparison.partial if migration is None]
    orphans = [*comparison.missing, *comparison.ahead, *without_file]
    newest_orphan = max(
        (version_of(row) for row in orphans if row.kind is HistoryKind.VERSIONED), default=0
    )
    pending = {item.version for item in comparison.pending}
    versioned = [item.version for item in ordered if item.version is not None]
    ran = [place for place, version in enumerate(versioned) if version not in pending]
    before = set(versioned[: max(ran, default=0)])
    return tuple(
        item
        for item in comparison.pending
        # A migration after the deployment is overtaken by those before a later deployment.
        if item.version is not None
        and item.phase != "post"
        and (item.version in before or item.version < newest_orphan)
    )


def version_of(row: LedgerRow) -> Version:
    """Return the version of a versioned migration's row."""
    return Version(int(row.key))


def _identity(row: LedgerRow) -> Version | str:
    return version_of(row) if row.kind is HistoryKind.VERSIONED else row.key


def _row_order(row: LedgerRow) -> tuple[bool, int, str]:
    versioned = row.kind is HistoryKind.VERSIONED
    return not versioned, version_of(row) if versioned else 0, row.key


def applied_rows(history: History) -> Iterator[LedgerRow]:
    """Yield the rows of all applied versions."""
    for item in (*history.applied, *history.changed):
        if item.migration.version is not None:
            yield item.row
    yield from history.missing
    yield from history.ahead


def files_of(history: History) -> Mapping[Version, Migration]:
    """Return the versioned files of *history*, in the order in which they run."""
    files = [item.migration for item in (*history.applied, *history.changed)]
    files += [*history.pending, *(item for _, item in history.partial if item is not None)]
    return {item.version: item for item in sort_migrations(files) if item.version is not None}
