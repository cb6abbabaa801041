"""From what history decided to what a connection runs. Pure but for the dialect's splitting."""

from collections.abc import Sequence

from dbwarden.dialects.base import PendingMigration, steps_checksum
from dbwarden.errors import PartialMigration
from dbwarden.files.migration import Migration
from dbwarden.history import LedgerRow
from dbwarden.operations.operation import Cutter
from dbwarden.types import Direction


def fresh_works(
    dialect: Cutter, migrations: Sequence[Migration], rows: Sequence[LedgerRow] = ()
) -> tuple[PendingMigration, ...]:
    """Upgrade *migrations*; every file is cut into steps, so that a fault in any is found first.

    *rows* are the live ones: a repeatable that ran before updates its row.
    """
    by_key = {(row.kind, row.key): row for row in rows if row.live}
    return tuple(
        PendingMigration(
            migration=migration,
            direction="upgrade",
            steps=dialect.steps(migration, migration.upgrade),
            row=by_key.get((migration.kind, migration.key)),
        )
        for migration in migrations
    )


def rollback_work(dialect: Cutter, migration: Migration, row: LedgerRow) -> PendingMigration:
    """Roll *migration* back; its row says that it is applied."""
    assert migration.rollback is not None
    return PendingMigration(
        migration=migration,
        direction="rollback",
        steps=dialect.steps(migration, migration.rollback),
        row=row,
    )


def resumed_work(
    dialect: Cutter, migration: Migration, row: LedgerRow, direction: Direction
) -> PendingMigration:
    """Go on with a migration that stopped between two steps.

    Raises:
        PartialMigration: The text of the steps that are done was edited since.
    """
    section = migration.section(direction)
    steps = dialect.steps(migration, section) if section is not None else ()
    done = steps[: row.step]
    if row.step and (len(done) < row.step or steps_checksum(done) != row.steps_checksum):
        raise PartialMigration(
            f"{row.key} stopped after step {row.step}, and the text of the steps that are done "
            "was edited since",
            database=migration.database,
            location=migration.at(section.line if section else None),
            next_step="Put the done steps back as they were (the later ones may change), or say "
            f"how far it is with: dbwarden repair -d {migration.database} --at {row.key}=STEP",
        )
    return PendingMigration(
        migration=migration,
        direction=direction,
        steps=steps,
        done=row.step,
        interrupted=row.running is not None,
        row=row,
    )
