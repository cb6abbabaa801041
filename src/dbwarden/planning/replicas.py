"""Compare the migration history of a replica with that of its primary. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dbwarden.errors import DBWardenError
from dbwarden.migration_history import DatabaseStatus, LedgerRow
from dbwarden.types import DatabaseName


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaStatus:
    """A replica compared with its primary.

    ``writable`` means that it accepts writes, so it is not (or no longer) a replica. ``behind``
    lists the migrations that only the primary applied or rolled back so far. ``caught_up`` is
    ``None`` if the primary's history cannot be read, and ``primary_error`` says why.
    ``lag_seconds`` is the age of its data, ``None`` if the server does not know.
    """

    primary: DatabaseName
    writable: bool
    caught_up: bool | None
    behind: tuple[str, ...] = ()
    lag_seconds: float | None = None
    primary_error: str | None = None

    @property
    def clean(self) -> bool:
        """True if it is a replica and not known to be behind."""
        return not (self.writable or self.behind)


def compare_with_primary(
    primary: DatabaseName, reading: DatabaseStatus, answer: DatabaseStatus | DBWardenError
) -> ReplicaStatus:
    """Compare the reading of a replica with the answer of its primary. Pure."""
    lag = reading.replica.lag_seconds if reading.replica is not None else None
    status = ReplicaStatus(
        primary=primary, writable=not reading.read_only, caught_up=None, lag_seconds=lag
    )
    if isinstance(answer, DBWardenError):
        return replace(status, primary_error=answer.message)
    behind = differing_keys(answer.rows or (), reading.rows or ())
    return replace(status, caught_up=not behind, behind=behind)


def differing_keys(there: Sequence[LedgerRow], here: Sequence[LedgerRow]) -> tuple[str, ...]:
    """Return the keys whose state differs between the histories, oldest first. Pure."""
    rows = {(row.kind, row.key): _state(row) for row in there if row.live}
    mirrored = {(row.kind, row.key): _state(row) for row in here if row.live}
    return tuple(
        dict.fromkeys(
            item[1] for item in (*rows, *mirrored) if rows.get(item) != mirrored.get(item)
        )
    )


def _state(row: LedgerRow) -> tuple[object, ...]:
    """Return the columns of a row that an update changes."""
    return (row.state, row.step, row.running, row.upgrade_checksum)
