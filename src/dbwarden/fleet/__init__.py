"""Run one operation on many databases concurrently, with an :class:`Outcome` for each."""

from typing import TYPE_CHECKING

from dbwarden.fleet.dispatching import dispatch, run
from dbwarden.fleet.running import (
    CONCURRENCY,
    PER_SERVER,
    Limits,
    Operation,
    Outcome,
    OutcomeState,
    Stop,
    Task,
    blocked_by,
    run_tasks,
)
from dbwarden.fleet.sharding import Shard

if TYPE_CHECKING:
    from dbwarden.fleet.rollout import migrate_all as migrate_all

__all__ = [
    "CONCURRENCY",
    "PER_SERVER",
    "Limits",
    "Operation",
    "Outcome",
    "OutcomeState",
    "Shard",
    "Stop",
    "Task",
    "blocked_by",
    "dispatch",
    "migrate_all",
    "run",
    "run_tasks",
]


def __getattr__(name: str) -> object:
    """Import ``migrate_all`` lazily, so that other commands start fast."""
    if name != "migrate_all":
        raise AttributeError(f"module 'dbwarden.fleet' has no attribute {name!r}")
    from dbwarden.fleet import rollout

    return rollout.migrate_all
