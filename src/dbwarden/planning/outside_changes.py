"""Tell from fingerprints when a schema was changed outside of migrations. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from dbwarden.migration_history import LedgerRow, State

_UNCLEAR = (State.UPGRADING, State.ROLLING_BACK)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideChange:
    """A change of the schema that no migration made, between two entries of the history.

    ``after`` is the key of the entry before it and ``since`` the time at which the schema was last
    known. ``until`` is the time at which the change was noticed, and ``before`` the key of the next
    entry. Both are ``None`` for a change that no command has recorded yet, and ``before`` alone if
    no migration was applied since.
    """

    after: str
    since: datetime
    before: str | None = None
    until: datetime | None = None


def changed_since(rows: Sequence[LedgerRow], fingerprint: str | None) -> LedgerRow | None:
    """Return the row whose fingerprint differs from *fingerprint*, if the schema has changed.

    The newest live row has the fingerprint of the last run. It says nothing if a migration began
    later (a run that was killed, or one of an earlier version of dbwarden), or has not ended.

    Args:
        rows: The rows of the history, oldest first.
        fingerprint: The fingerprint of the schema now.
    """
    live = [row for row in rows if row.live]
    if not live or fingerprint is None or any(row.state in _UNCLEAR for row in live):
        return None
    newest = live[-1]
    known, taken_at = newest.fingerprint, newest.fingerprint_at
    if known is None or taken_at is None or taken_at < max(row.started_at for row in live):
        return None
    return newest if is_changed(known, fingerprint) else None


def is_changed(before: str, after: str) -> bool:
    """Return whether two fingerprints can be compared and differ.

    The part before ``=`` says what can be compared: algorithm, server, options, database.
    """
    return before != after and before.split("=")[0] == after.split("=")[0]


def outside_changes(
    rows: Sequence[LedgerRow], fingerprint: str | None
) -> tuple[OutsideChange, ...]:
    """Return the changes outside of migrations, in order: recorded ones, and one until now."""
    recorded = sorted(_recorded(rows), key=lambda change: change.since)
    open_ = changed_since(rows, fingerprint)
    if open_ is None or open_.fingerprint_at is None:
        return tuple(recorded)
    return (*recorded, OutsideChange(after=open_.key, since=open_.fingerprint_at))


def _recorded(rows: Sequence[LedgerRow]) -> Iterator[OutsideChange]:
    for row in rows:
        for span in row.changed_outside:
            later = [other for other in rows if other.started_at >= span.until]
            first = min(later, key=lambda other: other.started_at, default=None)
            yield OutsideChange(
                after=row.key,
                since=span.since,
                before=first.key if first is not None else None,
                until=span.until,
            )
