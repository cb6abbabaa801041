"""Describe the proof of a migration: what it must lead to, and what was observed."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum

from dbwarden.authoring.compare.left_out import with_others, without
from dbwarden.authoring.compare.normalize import normalize_schema
from dbwarden.authoring.labels import display_name
from dbwarden.authoring.prove.row_trials import NOTHING, RowTrial
from dbwarden.authoring.scratch_session import ScratchSession
from dbwarden.dialects.authoring import TracedStatement
from dbwarden.diff import diff
from dbwarden.diff.changes import Change
from dbwarden.errors import NotProven
from dbwarden.files.migration import Migration
from dbwarden.printable import shorten
from dbwarden.schema import Ref, Schema

SHOWN = 5


class Verdict(StrEnum):
    """What the proof of a migration came to."""

    EXACT = "exact"
    WITHOUT_ROWS = "exact without rows"
    """Exact, but some affected table could not be tried with rows."""
    LOSES = "loses"
    """The rollback does not restore some values, which are named: ``loses users.email``."""
    IRREVERSIBLE = "irreversible"
    NOT_PROVEN = "not proven"
    BACKFILL = "backfill"
    """A rollback leaves the values, and the schema is the same."""
    REPEATABLE = "repeatable"
    ROLLBACK_DIFFERS = "rollback differs"
    """The rollback of an imported file leads elsewhere, as its header declares. It is not run."""
    FAILS = "fails"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The observations of a migration that ran in scratch databases.

    ``after`` is the schema after the upgrade. ``rows`` are the effects on a few generated rows.
    ``expected`` are rules of ``lint`` that the file breaks with a reason.
    """

    server: str
    reversible: bool
    after: Schema = field(repr=False)
    locks: tuple[TracedStatement, ...] = ()
    rows: RowTrial = NOTHING
    expected: tuple[str, ...] = ()


async def must_equal(
    session: ScratchSession,
    actual: Schema,
    expected: Schema,
    migration: Migration,
    what: str,
    left: AbstractSet[Ref],
) -> None:
    """Raise if *actual* differs from *expected*, without the objects in *left*.

    Raises:
        NotProven: Names the differences.
    """
    actual = with_others(without(actual, left), expected.others)
    if changes := await differences(session, actual, expected):
        default = expected.default_namespace
        listed = shorten([display_name(change.ref, default) for change in changes], SHOWN)
        raise NotProven(
            f"the {what} does not lead where it should: {listed} would still differ",
            database=migration.database,
            location=migration.at(),
        )


async def differences(
    session: ScratchSession, actual: Schema, expected: Schema
) -> tuple[Change, ...]:
    """Return the changes between two schemas, without those in spelling only."""
    left = diff(actual, expected)
    return diff(actual, await normalize_schema(session, actual, expected)) if left else ()


def verdict(*, proven: bool, reversible: bool, loses: Sequence[str], with_rows: bool = True) -> str:
    """Return the verdict of a proof as text.

    Args:
        proven: Whether the migration was tried.
        reversible: Whether it has a rollback.
        loses: The values that a rollback does not restore.
        with_rows: Whether all affected tables had rows in both directions.
    """
    if not proven:
        return Verdict.NOT_PROVEN
    if not reversible:
        return Verdict.IRREVERSIBLE
    if loses:
        return f"{Verdict.LOSES} {shorten(loses)}"
    return Verdict.EXACT if with_rows else Verdict.WITHOUT_ROWS
