"""Compute the fingerprint of a schema on SQLite: a hash of the SQL of its objects."""

import hashlib
import re
import sqlite3

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.migration_history import backfill_table

ALGORITHM = "v1:sqlite"

# What SQLite itself makes (sqlite_sequence, sqlite_stat1, indexes of keys) has no SQL of its own,
# or comes and goes with the use of the database.
_OBJECTS = (
    "SELECT type, name, tbl_name, sql FROM main.sqlite_master WHERE sql IS NOT NULL"
    " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND lower(tbl_name) NOT IN (?, ?)"
)
_BLANKS = re.compile(r"\s+")


def fingerprint_of(database: sqlite3.Connection, config: DatabaseConfig) -> str | None:
    """Return the fingerprint of the schema in *database*; ``None`` if parts of it are ignored."""
    if config.ignore_drift:
        return None
    tables = (config.ledger_table, backfill_table(config.ledger_table))
    rows = database.execute(_OBJECTS, tuple(name.lower() for name in tables)).fetchall()
    lines = sorted("|".join(_BLANKS.sub(" ", str(value)) for value in row) for row in rows)
    return f"{ALGORITHM}={hashlib.sha256(chr(10).join(lines).encode()).hexdigest()[:32]}"
