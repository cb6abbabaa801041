"""One operation on many databases at once, with an :class:`Outcome` for each."""

from dbwarden.fleet.rollout import migrate_all
from dbwarden.fleet.running import (
    CONCURRENCY,
    PER_SERVER,
    Limits,
    Operation,
    Outcome,
    OutcomeState,
    Task,
    blocked_by,
    run,
    run_tasks,
)
from dbwarden.fleet.sharding import Shard

__all__ = [
    "CONCURRENCY",
    "PER_SERVER",
    "Limits",
    "Operation",
    "Outcome",
    "OutcomeState",
    "Shard",
    "Task",
    "blocked_by",
    "migrate_all",
    "run",
    "run_tasks",
]
