"""Rows, readings and statuses of a replica."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from dbwarden.migration_history import DatabaseStatus, HistoryKind, LedgerRow, ReplicaState, State
from dbwarden.planning.replicas import ReplicaStatus
from dbwarden.planning.status_result import StatusResult
from dbwarden.types import Checksum, DatabaseName

PRIMARY = DatabaseName("primary")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def row(key: str, **values: Any) -> LedgerRow:
    fields: dict[str, Any] = {
        "id": int(key),
        "key": key,
        "description": "",
        "kind": HistoryKind.VERSIONED,
        "upgrade_checksum": Checksum("a"),
        "rollback_checksum": None,
        "state": State.APPLIED,
        "step": 1,
        "running": None,
        "steps_checksum": None,
        "started_at": NOW,
        "finished_at": NOW,
        "duration_ms": 1.0,
        "application": "test",
        "host": "here",
        "pid": 1,
        "dbwarden_version": "0",
    }
    return LedgerRow(**{**fields, **values})


def reading(*rows: LedgerRow, read_only: bool = True, lag: float | None = None) -> DatabaseStatus:
    return DatabaseStatus(
        server_version="18",
        namespace="public",
        rows=rows or None,
        holder=None,
        read_only=read_only,
        replica=ReplicaState(lag_seconds=lag, replayed="0/1"),
    )


ONE, TWO = row("0001"), row("0002")
GONE = replace(TWO, state=State.ROLLED_BACK)


def status(replica: ReplicaStatus | None, **values: Any) -> StatusResult:
    empty: tuple[str, ...] = ()
    fields: dict[str, Any] = dict.fromkeys(
        (
            *("applied", "pending", "repeatables", "changed", "missing", "partial"),
            *("out_of_order", "ahead"),
        ),
        empty,
    )
    fields |= {"version": "0001", "lock_holder": None, "server_version": "18", **values}
    return StatusResult(database=DatabaseName("replica"), replica=replica, **fields)


def replica_status(**values: Any) -> ReplicaStatus:
    return ReplicaStatus(**{"primary": PRIMARY, "writable": False, "caught_up": True, **values})
