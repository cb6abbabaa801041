"""Turn planned migrations into steps to run. Pure except for the dialect's splitting."""

from collections.abc import Sequence

from dbwarden.dialects.base import Dialect, PendingMigration, steps_checksum
from dbwarden.errors import PartialMigration
from dbwarden.files.migration import Migration
from dbwarden.migration_history import LedgerRow, State
from dbwarden.operations.operation import steps_of
from dbwarden.types import Direction


def fresh_migrations(
    dialect: Dialect, migrations: Sequence[Migration], rows: Sequence[LedgerRow] = ()
) -> tuple[PendingMigration, ...]:
    """Return the upgrades of *migrations*; all files are split first, to find faults early.

    *rows* are the live ones: a repeatable migration that ran before updates its row.
    """
    by_key = {(row.kind, row.key): row for row in rows if row.live}
    return tuple(
        PendingMigration(
            migration=migration,
            direction="upgrade",
            steps=steps_of(dialect, migration, migration.upgrade),
            row=by_key.get((migration.kind, migration.key)),
        )
        for migration in migrations
    )


def rollback_migration(dialect: Dialect, migration: Migration, row: LedgerRow) -> PendingMigration:
    """Return the rollback of *migration*, whose row says that it is applied.

    That of a backfill may be missing; then only the history changes.
    """
    back = migration.rollback
    assert back is not None or migration.backfill is not None
    return PendingMigration(
        migration=migration,
        direction="rollback",
        steps=steps_of(dialect, migration, back) if back is not None else (),
        row=row,
    )


def direction_of(row: LedgerRow) -> Direction:
    """Return the direction of a migration that stopped between two steps."""
    return "rollback" if row.state is State.ROLLING_BACK else "upgrade"


def resume_migration(dialect: Dialect, migration: Migration, row: LedgerRow) -> PendingMigration:
    """Return the rest of a migration that stopped between two steps.

    Raises:
        PartialMigration: The text of the finished steps was edited since.
    """
    direction = direction_of(row)
    section = migration.section(direction)
    steps = steps_of(dialect, migration, section) if section is not None else ()
    done = steps[: row.step]
    if row.step and (len(done) < row.step or steps_checksum(done) != row.steps_checksum):
        raise PartialMigration(
            f"{row.key} stopped after step {row.step}, and the text of the finished steps "
            "was edited since",
            location=migration.at(section.line if section else None),
            next_step="Restore the finished steps (the later ones may change), or set the number "
            f"of finished steps: dbwarden repair -d {migration.database} --at {row.key}=STEP",
        )
    return PendingMigration(
        migration=migration,
        direction=direction,
        steps=steps,
        done=row.step,
        interrupted=row.running is not None,
        row=row,
    )
