"""Correct named rows of the migration history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from dbwarden.config.model import DatabaseConfig
from dbwarden.dialects.base import Connection, Dialect, steps_checksum
from dbwarden.errors import UsageError
from dbwarden.files.migration import Migration
from dbwarden.migration_history import LedgerRow, Reading, State
from dbwarden.operations.fingerprints import record_outside_change
from dbwarden.operations.operation import dialect_of, migration_files, operation, refuse_read_only
from dbwarden.operations.pending import direction_of
from dbwarden.planning.comparing import History, compare
from dbwarden.types import DatabaseName, Version, format_version

ActionName = Literal["accept", "forget", "mark"]


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
    preview = dry_run or not (accept or forget or at)
    async with dialect.connect(config, read_only=preview) as connection:
        reading = await connection.read()
        planned_for = partial(plan, config, files, accept=accept, forget=forget, at=at or {})
        actions, history = planned_for(reading)
        if not preview:
            refuse_read_only(config, reading)
            async with connection.lock():
                reading = await connection.read()
                actions, history = planned_for(reading)
                await record_outside_change(connection, reading)
                await _carry_out(dialect, connection, reading, history, actions)
                await connection.record_fingerprint()
        return RepairResult(
            database=config.database_name,
            actions=actions,
            dry_run=dry_run,
            changed=tuple(item.row.key for item in history.changed),
            missing=tuple(row.key for row in history.missing),
            partial=tuple(row.key for row, _ in history.partial),
        )


def plan(
    config: DatabaseConfig,
    files: Sequence[Migration],
    reading: Reading,
    *,
    accept: Sequence[str],
    forget: Sequence[str],
    at: Mapping[str, int],
) -> tuple[tuple[RepairAction, ...], History]:
    """Return the requested changes and the history that they were checked against.

    Raises:
        UsageError: A key is not in the history, or is not in the required state.
    """
    history = compare(files, reading.rows, config.database_name)
    changed = {item.row.key: item.row for item in history.changed}
    half_done = {row.key: row for row, _ in history.partial}
    live = {row.key: row for row in reading.rows or () if row.live}
    actions = (
        *(_action(config, "accept", key, changed, "changed") for key in accept),
        *(_action(config, "forget", key, live, "in the history") for key in forget),
        *(_action(config, "mark", key, half_done, "partial", step) for key, step in at.items()),
    )
    return actions, history


def _action(
    config: DatabaseConfig,
    action: ActionName,
    key: str,
    rows: Mapping[str, LedgerRow],
    state: str,
    step: int | None = None,
) -> RepairAction:
    name = format_version(Version(int(key))) if key.isdecimal() else key
    if name not in rows:
        there = ", ".join(rows) or "none"
        raise UsageError(
            f"{key} is not {state}; {state}: {there}",
            database=config.database_name,
            next_step=f"See: dbwarden check -d {config.database_name}",
        )
    return RepairAction(action=action, key=name, description=rows[name].description, step=step)


async def _carry_out(
    dialect: Dialect,
    connection: Connection,
    reading: Reading,
    history: History,
    actions: Sequence[RepairAction],
) -> None:
    rows = {row.key: row for row in reading.rows or () if row.live}
    files = {item.row.key: item.migration for item in history.changed}
    files |= {row.key: migration for row, migration in history.partial if migration is not None}
    for action in actions:
        row, migration = rows[action.key], files.get(action.key)
        if action.action == "forget":
            await connection.delete_row(row)
        elif migration is not None:
            corrected = _corrected(dialect, row, migration, action)
            await connection.update_row(row, corrected)


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
