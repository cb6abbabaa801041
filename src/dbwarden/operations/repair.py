"""Correct named rows of the migration history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.base import Dialect, steps_checksum
from dbwarden.errors import UsageError
from dbwarden.files.migration import Migration
from dbwarden.migration_history import DatabaseStatus, LedgerRow, State
from dbwarden.operations.operation import dialect_of, migration_files, operation, refuse_read_only
from dbwarden.operations.outside_changes import record_outside_change
from dbwarden.operations.steps_to_run import direction_of
from dbwarden.planning.comparing import HistoryComparison, compare
from dbwarden.types import DatabaseName, Version, format_version

ActionName = Literal["accept", "forget", "mark"]
_STATES: Mapping[ActionName, str] = {
    "accept": "changed",
    "forget": "in the history",
    "mark": "partial",
}
"""The state that a row must have."""

Request = tuple[ActionName, str, int | None]
"""A change, the key of its row, and the number of finished steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairAction:
    """One change to the migration history: ``accept`` the edited file, ``forget`` a row, or
    ``mark`` ``step`` steps of a partial migration as done (all of them finish it)."""

    action: ActionName
    key: str
    description: str
    step: int | None = None

    def __str__(self) -> str:
        match self.action:
            case "accept":
                return f"accept {self.key} ({self.description}) as its file is now"
            case "forget":
                return f"forget that {self.key} ({self.description}) was applied"
            case "mark":
                return f"mark {self.key} ({self.description}) as done up to step {self.step}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairResult:
    """The changes that a repair made, or would make (``dry_run``), and the rows that need one."""

    database: DatabaseName
    actions: tuple[RepairAction, ...]
    dry_run: bool
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()


ChosenRow = tuple[RepairAction, LedgerRow, Migration | None]
"""A change, its row, and its file if the change needs it."""


@operation("repair")
async def repair(
    config: DatabaseConfig,
    *,
    accept: Sequence[str] = (),
    forget: Sequence[str] = (),
    at: Mapping[str, int] | None = None,
    dry_run: bool = False,
) -> RepairResult:
    """Change exactly the named rows of the migration history; runs no migration SQL.

    Args:
        config: The database, its name, or ``None`` for the default one.
        accept: Changed migrations whose edited file is right; their checksums are updated.
        forget: Rows to delete: their files are lost, or they were never really applied.
        at: The number of finished steps of partial migrations.
        dry_run: Return the changes without making them; read-only, enforced by the server.

    Raises:
        UsageError: A key is not in the history, or is not in the required state.
    """
    files = await migration_files(config)
    dialect = dialect_of(config)
    requests: list[Request] = [("accept", key, None) for key in accept]
    requests += [("forget", key, None) for key in forget]
    requests += [("mark", key, step) for key, step in (at or {}).items()]
    preview = dry_run or not requests
    async with dialect.connect(config, read_only=preview) as connection:
        reading = await connection.read()
        planned_for = partial(plan, config, files, requests)
        chosen, history = planned_for(reading)
        if not preview:
            refuse_read_only(config, reading)
            async with connection.lock():
                reading = await connection.read()
                chosen, history = planned_for(reading)
                await record_outside_change(connection, reading)
                for action, row, migration in chosen:
                    if action.action == "forget":
                        await connection.delete_row(row)
                    elif migration is not None:
                        corrected = _corrected(dialect, row, migration, action)
                        await connection.update_row(row, corrected)
                await connection.record_fingerprint()
        return RepairResult(
            database=config.database_name,
            actions=tuple(action for action, *_ in chosen),
            dry_run=dry_run,
            changed=tuple(item.row.key for item in history.changed),
            missing=tuple(row.key for row in history.missing),
            partial=tuple(row.key for row, _ in history.partial),
        )


def plan(
    config: DatabaseConfig,
    files: Sequence[Migration],
    requests: Sequence[Request],
    reading: DatabaseStatus,
) -> tuple[Sequence[ChosenRow], HistoryComparison]:
    """Return the requested changes and the history that they were checked against.

    Raises:
        UsageError: A key is not in the history, or is not in the required state.
    """
    history = compare(files, reading.rows, config.database_name)
    rows: Mapping[ActionName, Mapping[str, tuple[LedgerRow, Migration | None]]] = {
        "accept": {item.row.key: (item.row, item.migration) for item in history.changed},
        "forget": {row.key: (row, None) for row in reading.rows or () if row.live},
        "mark": {row.key: (row, migration) for row, migration in history.partial},
    }
    chosen: list[ChosenRow] = []
    for action, key, step in requests:
        name = format_version(Version(int(key))) if key.isdecimal() else key
        if name not in rows[action]:
            state = _STATES[action]
            raise UsageError(
                f"{key} is not {state}; {state}: {', '.join(rows[action]) or 'none'}",
                database=config.database_name,
                next_step=f"See: dbwarden check -d {config.database_name}",
            )
        row, migration = rows[action][name]
        made = RepairAction(action=action, key=name, description=row.description, step=step)
        chosen.append((made, row, migration))
    return chosen, history


def _corrected(
    dialect: Dialect, row: LedgerRow, migration: Migration, action: RepairAction
) -> LedgerRow:
    """Return *row* with the checksums of *migration*, and the step of *action*."""
    accepted = replace(
        row,
        upgrade_checksum=migration.upgrade.checksum,
        rollback_checksum=migration.rollback.checksum if migration.rollback else None,
    )
    if action.step is None:
        return accepted
    direction = direction_of(row)
    section = migration.section(direction)
    steps = dialect.steps(migration, section) if section is not None else ()
    if not 0 <= action.step <= len(steps):
        raise UsageError(
            f"{row.key} has {len(steps)} steps; {action.step} is not one of them",
            database=migration.database,
            location=migration.at(section.line if section else None),
        )
    done = steps[: action.step]
    checksum = steps_checksum(done) if done else row.steps_checksum
    marked = replace(accepted, step=action.step, steps_checksum=checksum)
    if action.step < len(steps):
        return marked
    ended = State.ROLLED_BACK if direction == "rollback" else State.APPLIED
    return replace(marked, state=ended)
