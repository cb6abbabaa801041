"""Say what a row of the ledger contains, and which process writes it."""

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from dbwarden import __version__
from dbwarden.dialects.base import PendingMigration, Step, steps_checksum
from dbwarden.migration_history import State

Value = str | int | float | None

LedgerValues = Mapping[str, Value]
"""Columns of the ledger and their values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """The program, its host and process, and the version of dbwarden."""

    application: str
    host: str
    pid: int
    dbwarden_version: str

    @staticmethod
    def this_process() -> "Writer":
        """Return the writer of the running process."""
        return _of_process(sys.argv[0] if sys.argv else "", os.getpid())


@lru_cache(maxsize=8)
def _of_process(program: str, pid: int) -> Writer:
    # Cached because a fleet asks for each database; the pid distinguishes a fork from its parent.
    name = os.path.basename(program)
    return Writer(
        application="dbwarden" if name in ("", "-c", "-m", "__main__.py") else name,
        host=socket.gethostname(),
        pid=pid,
        dbwarden_version=__version__,
    )


def writer_columns(writer: Writer) -> dict[str, Value]:
    """Return the columns of the ledger and of backfills that describe *writer*."""
    return {"application": writer.application, "host": writer.host, "pid": writer.pid}


def migration_columns(pending: PendingMigration, writer: Writer) -> dict[str, Value]:
    """Return the columns that describe *pending* and its *writer*."""
    migration = pending.migration
    phase: dict[str, Value] = {"phase": migration.phase} if migration.phase == "post" else {}
    return {
        **phase,
        "key": migration.key,
        "description": migration.description,
        "kind": migration.kind.value,
        "upgrade_checksum": migration.upgrade.checksum,
        "rollback_checksum": migration.rollback.checksum if migration.rollback else None,
        **writer_columns(writer),
        "dbwarden_version": writer.dbwarden_version,
    }


def progress_columns(
    state: State, done: Sequence[Step], running: str | None = None
) -> dict[str, Value]:
    """Return the columns that tell the progress: the steps *done*, and the statement *running*."""
    return {
        "state": state.value,
        "step": len(done),
        "running": running,
        "steps_checksum": steps_checksum(done),
    }
