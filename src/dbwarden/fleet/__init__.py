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

if TYPE_CHECKING:
    from dbwarden.fleet.rollout import migrate_all as migrate_all
    from dbwarden.fleet.sharding import Shard as Shard

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


_LAZY = {"Shard": "sharding", "migrate_all": "rollout"}
"""Names that few commands use, and their modules, so that the others start fast."""


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module 'dbwarden.fleet' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"dbwarden.fleet.{_LAZY[name]}"), name)
