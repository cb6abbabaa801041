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
class HistoryComparison:
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
) -> HistoryComparison:
    """Compare *files* with the *rows* of the ledger (``None`` if there is no ledger yet).

    *database* is the owner of the ledger if that is not the owner of the files: a tenant, whose
    name the pending migrations then get.
    """
    ordered = sort_migrations(files)
    live = {(row.kind, _identity(row)): row for row in rows or () if row.live}
    backfilling = tuple(row.key for row in live.values() if row.state is State.BACKFILLING)
    pending: list[Migration] = []
    partial: list[tuple[LedgerRow, Migration | None]] = []
    applied, changed, superseded = list[Applied](), list[Applied](), list[Applied]()
    for migration in ordered:
        identity = migration.name if migration.version is None else migration.version
        row = live.pop((migration.kind, identity), None)
        if row is None:
            pending.append(migration)
            continue
        if row.state not in _WHOLE:
            partial.append((row, migration))
            continue
        agrees = row.upgrade_checksum == migration.upgrade.checksum and (
            migration.version is None or not rollback_edited(migration, row)
        )
        if migration.always or (migration.version is None and not agrees):
            pending.append(migration)
        otherwise = superseded if migration.version is None else changed
        (applied if agrees else otherwise).append(Applied(migration=migration, row=row))
    orphans = sorted(live.values(), key=_row_order)  # the rows without a file
    partial += [(row, None) for row in orphans if row.state not in _WHOLE]
    whole = [row for row in orphans if row.state in _WHOLE]
    versioned = [row for row in whole if row.kind is HistoryKind.VERSIONED]
    newest = max((item.version for item in ordered if item.version is not None), default=None)
    history = HistoryComparison(
        database=ordered[0].database if ordered else None,
        applied=tuple(applied),
        pending=tuple(pending),
        changed=tuple(changed),
        superseded=tuple(superseded),
        missing=tuple(it for it in versioned if newest is None or version_of(it) <= newest),
        ahead=tuple(it for it in versioned if newest is not None and version_of(it) > newest),
        retired=tuple(row for row in whole if row.kind is not HistoryKind.VERSIONED),
        partial=tuple(partial),
        out_of_order=_out_of_order(ordered, pending, orphans),
        backfilling=backfilling,
    )
    if database is None or history.database in (None, database):
        return history
    return _for_tenant(history, database)


def _for_tenant(history: HistoryComparison, tenant: DatabaseName) -> HistoryComparison:
    """Return *history* with the name of *tenant* instead of the owner of its files."""
    return replace(
        history,
        database=tenant,
        pending=tuple(replace(item, database=tenant) for item in history.pending),
        out_of_order=tuple(replace(item, database=tenant) for item in history.out_of_order),
        partial=tuple(
            (row, item and replace(item, database=tenant)) for row, item in history.partial
        ),
    )


def rollback_edited(migration: Migration, row: LedgerRow) -> bool:
    """Return whether *migration* was applied with a rollback that has changed since."""
    if row.rollback_checksum is None or row.rollback_checksum == NOTHING:
        return False
    return migration.rollback is None or migration.rollback.checksum != row.rollback_checksum


def _out_of_order(
    ordered: Sequence[Migration], pending: Sequence[Migration], orphans: Sequence[LedgerRow]
) -> tuple[Migration, ...]:
    newest_orphan = max(
        (version_of(row) for row in orphans if row.kind is HistoryKind.VERSIONED), default=0
    )
    versions = {item.version for item in pending}
    versioned = [item.version for item in ordered if item.version is not None]
    ran = [place for place, version in enumerate(versioned) if version not in versions]
    overtaken = set(versioned[: max(ran, default=0)])  # files before the last one that ran
    return tuple(
        item
        for item in pending
        # A migration after the deployment is overtaken by those before a later deployment.
        if item.version is not None
        and item.phase != "post"
        and (item.version in overtaken or item.version < newest_orphan)
    )


def version_of(row: LedgerRow) -> Version:
    """Return the version of a versioned migration's row."""
    return Version(int(row.key))


def _identity(row: LedgerRow) -> Version | str:
    return version_of(row) if row.kind is HistoryKind.VERSIONED else row.key


def _row_order(row: LedgerRow) -> tuple[bool, int, str]:
    versioned = row.kind is HistoryKind.VERSIONED
    return not versioned, version_of(row) if versioned else 0, row.key


def applied_rows(history: HistoryComparison) -> Iterator[LedgerRow]:
    """Yield the rows of all applied versions."""
    for item in (*history.applied, *history.changed):
        if item.migration.version is not None:
            yield item.row
    yield from history.missing
    yield from history.ahead


def files_of(history: HistoryComparison) -> Mapping[Version, Migration]:
    """Return the versioned files of *history*, in the order in which they run."""
    files = [item.migration for item in (*history.applied, *history.changed)]
    files += [*history.pending, *(item for _, item in history.partial if item is not None)]
    return {item.version: item for item in sort_migrations(files) if item.version is not None}
