"""Files and ledger, compared. Pure: what to do is decided here, and done elsewhere."""

from dataclasses import dataclass

from dbwarden.files.migration import Migration
from dbwarden.ledger import LedgerRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A file and the live ledger row that says it was applied."""

    migration: Migration
    row: LedgerRow


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """How the files and the ledger of one database stand to each other.

    Every tuple is in the order in which migrations run.

    - ``applied``: file and row agree (repeatable ones too).
    - ``pending``: files to run next, in order: versioned ones by version and dependencies, then
      repeatables (``RA`` always, ``ROC`` when new or changed).
    - ``changed``: applied versioned migrations whose upgrade or rollback was edited since.
    - ``missing``: live rows whose file is gone although newer files exist.
    - ``ahead``: live rows newer than any file: a newer app was here. Not a fault.
    - ``out_of_order``: pending files older than the newest applied version.
    - ``partial``: rows that stand between two steps, with their file where there is one.
    """

    applied: tuple[Applied, ...] = ()
    pending: tuple[Migration, ...] = ()
    changed: tuple[Applied, ...] = ()
    missing: tuple[LedgerRow, ...] = ()
    ahead: tuple[LedgerRow, ...] = ()
    out_of_order: tuple[Migration, ...] = ()
    partial: tuple[tuple[LedgerRow, Migration | None], ...] = ()
