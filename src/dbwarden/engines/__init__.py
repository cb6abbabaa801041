"""Provide one lazily created, shared AsyncEngine per database for the application's sessions."""

from dbwarden.engines.failures import failure_of, mark_error
from dbwarden.engines.opening import MAX_OPEN_ENGINES, Engines, closable, engines
from dbwarden.engines.served import PoolState, Served

__all__ = [
    "MAX_OPEN_ENGINES",
    "Engines",
    "PoolState",
    "Served",
    "closable",
    "engines",
    "failure_of",
    "mark_error",
]
