"""Read the effect of a statement outside a transaction from the catalog; remove its leftovers.

CREATE INDEX CONCURRENTLY leaves an INVALID index behind if it fails or is interrupted, which
``IF NOT EXISTS`` would then accept. Such an index is dropped, but never one that another session
is building.
"""

from collections.abc import Sequence
from typing import Literal, assert_never

import anyio

from dbwarden import telemetry
from dbwarden.dialects.postgresql.migrate.session import Session
from dbwarden.dialects.postgresql.migrate.statement_effects import (
    EnumValueAdded,
    IndexBuilt,
    IndexDropped,
    ObjectDropped,
    ObjectMade,
    PartitionDetached,
    Probe,
    QualifiedName,
    Reindexed,
    Repeatable,
    SessionSetting,
    Transactional,
    Unknown,
)
from dbwarden.dialects.postgresql.sql.quoting import literal
from dbwarden.quoting import quoted

BUILDING_PAUSE = 0.2
"""Seconds between two checks of a table on which another session builds an index."""

Effect = Literal["done", "not done", "unknown"]

_OBJECTS = {
    "database": "pg_database WHERE datname",
    "tablespace": "pg_tablespace WHERE spcname",
    "subscription": "pg_subscription WHERE subdbid = (SELECT oid FROM pg_catalog.pg_database"
    " WHERE datname = current_database()) AND subname",
}


def is_concurrent(probe: Probe) -> bool:
    """Return whether the statement waits for other transactions and needs no ``lock_timeout``."""
    return isinstance(probe, IndexBuilt | IndexDropped | Reindexed | PartitionDetached)


async def before(session: Session, probe: Probe) -> Effect:
    """Remove obstacles before a statement that this run has not tried yet.

    Returns:
        ``done`` if it is done already and must not run again, else ``not done``.
    """
    if isinstance(probe, IndexBuilt) and probe.index is not None:
        await drop_invalid_indexes(session, _index_of(probe.table, probe.index))
    if isinstance(probe, PartitionDetached):
        return "done" if await _finalize_detach(session, probe) else "not done"
    return "not done"


async def find_effect(session: Session, probe: Probe) -> Effect:
    """Return whether an interrupted statement took effect, and remove its leftovers."""
    match probe:
        case IndexBuilt(index=index, table=table):
            if index is None:
                return "unknown"
            await drop_invalid_indexes(session, _index_of(table, index))
            return await _query_effect(
                session, f"SELECT FROM {_INDEXES} AND {_index_of(table, index)}"
            )
        case IndexDropped(indexes=indexes):
            there = " OR ".join(f"to_regclass({_name(name)}) IS NOT NULL" for name in indexes)
            return _negate(await _query_effect(session, f"SELECT WHERE {there}"))
        case Reindexed():
            await drop_invalid_indexes(session, _rebuilt(probe))
            return "not done"
        case PartitionDetached():
            if await _finalize_detach(session, probe):
                return "done"
            return _negate(await _query_effect(session, f"SELECT FROM {_inherits(probe)}"))
        case EnumValueAdded(type=name, value=value):
            there = f"enumtypid = to_regtype({_name(name)}) AND enumlabel = {literal(value)}"
            return await _query_effect(session, f"SELECT FROM pg_catalog.pg_enum WHERE {there}")
        case ObjectMade(kind=kind, name=obj):
            return await _query_effect(session, _object(kind, obj))
        case ObjectDropped(kind=kind, name=obj):
            return _negate(await _query_effect(session, _object(kind, obj)))
        case Repeatable() | SessionSetting():
            return "not done"
        case Transactional() | Unknown():
            return "unknown"
        case _:
            assert_never(probe)


async def clean_up(session: Session, probe: Probe, known: frozenset[str]) -> bool:
    """Remove the leftovers of a statement that failed on the server.

    Args:
        session: The session that ran it.
        probe: The probe for the statement.
        known: The earlier invalid indexes, from ``invalid_indexes``.

    Returns:
        Whether the database is in its state before the statement.
    """
    match probe:
        case IndexBuilt(table=table):
            left = await invalid_indexes(session, table) - known
            for index in sorted(left):
                await _drop(session, index)
            return True
        case Reindexed():
            await drop_invalid_indexes(session, _rebuilt(probe))
            return True
        case IndexDropped(indexes=indexes):
            names = ", ".join(f"to_regclass({_name(name)})" for name in indexes)
            half = f"SELECT FROM {_INDEXES} AND NOT x.indisvalid AND x.indexrelid IN ({names})"
            return await _query_effect(session, half) == "not done"
        case PartitionDetached():
            return await _query_effect(session, f"SELECT FROM {_pending(probe)}") == "not done"
    return True


async def invalid_indexes(session: Session, table: QualifiedName) -> frozenset[str]:
    """Return the invalid indexes of *table*, quoted and qualified."""
    on_table = f"x.indrelid = to_regclass({_name(table)})"
    return frozenset(await _names(session, f"{_INDEXES} AND NOT x.indisvalid AND {on_table}"))


_INDEXES = (
    "pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid"
    " JOIN pg_catalog.pg_namespace n ON n.oid = i.relnamespace WHERE true"
)


async def drop_invalid_indexes(session: Session, which: str) -> None:
    """Drop the invalid indexes that match *which*, once no session builds one on their tables."""
    invalid = f"{_INDEXES} AND NOT x.indisvalid AND {which}"
    waited = False
    while building := await _names(session, f"{invalid} AND {_BEING_BUILT}"):
        if not waited:
            telemetry.emit("waiting_for_index", index=", ".join(building))
        waited = True
        await anyio.sleep(BUILDING_PAUSE)
    for index in await _names(session, invalid):
        await _drop(session, index)


# CONCURRENTLY holds this lock on the table from beginning to end, and it conflicts with itself.
_BEING_BUILT = (
    "EXISTS (SELECT FROM pg_catalog.pg_locks k WHERE k.locktype = 'relation' AND k.granted"
    " AND k.mode = 'ShareUpdateExclusiveLock' AND k.relation = x.indrelid"
    " AND k.database = (SELECT d.oid FROM pg_catalog.pg_database d"
    " WHERE d.datname = current_database()) AND k.pid <> pg_backend_pid())"
)


async def _drop(session: Session, index: str) -> None:
    await session.send(f"DROP INDEX CONCURRENTLY IF EXISTS {index}")
    telemetry.emit("dropped_invalid_index", index=index)


def _index_of(table: QualifiedName, index: str) -> str:
    return f"x.indrelid = to_regclass({_name(table)}) AND i.relname = {literal(index)}"


def _rebuilt(probe: Reindexed) -> str:
    """Return the condition for the temporary indexes of this REINDEX CONCURRENTLY."""
    temporary = "i.relname ~ '_cc(new|old)[0-9]*$'"
    name = _name(probe.name) if probe.name is not None else "NULL"
    match probe.what:
        case "index":
            table = "(SELECT y.indrelid FROM pg_catalog.pg_index y WHERE y.indexrelid = {})"
            return f"{temporary} AND x.indrelid = {table.format(f'to_regclass({name})')}"
        case "table":
            toast = "SELECT c.reltoastrelid FROM pg_catalog.pg_class c WHERE c.oid = {}"
            table = f"to_regclass({name})"
            return f"{temporary} AND (x.indrelid = {table} OR x.indrelid = ({toast.format(table)}))"
        case "schema":
            return f"{temporary} AND i.relnamespace = to_regnamespace({name})"
        case "database" | "system":
            return temporary


def _inherits(probe: PartitionDetached) -> str:
    return (
        f"pg_catalog.pg_inherits WHERE inhrelid = to_regclass({_name(probe.partition)})"
        f" AND inhparent = to_regclass({_name(probe.parent)})"
    )


def _pending(probe: PartitionDetached) -> str:
    return f"{_inherits(probe)} AND inhdetachpending"


async def _finalize_detach(session: Session, probe: PartitionDetached) -> bool:
    """Finish an interrupted DETACH PARTITION; return whether there was one."""
    if await _query_effect(session, f"SELECT FROM {_pending(probe)}") != "done":
        return False
    parent, partition = _quoted(probe.parent), _quoted(probe.partition)
    await session.send(f"ALTER TABLE {parent} DETACH PARTITION {partition} FINALIZE")
    return True


def _object(kind: str, name: str) -> str:
    return f"SELECT FROM pg_catalog.{_OBJECTS[kind]} = {literal(name)}"


def _quoted(name: QualifiedName) -> str:
    parts = [name.namespace, name.name] if name.namespace is not None else [name.name]
    return ".".join(quoted(part) for part in parts)


def _name(name: QualifiedName) -> str:
    return literal(_quoted(name))


async def _query_effect(session: Session, query: str) -> Effect:
    return "done" if await session.value(f"SELECT EXISTS ({query})::text") == "true" else "not done"


def _negate(effect: Effect) -> Effect:
    return "not done" if effect == "done" else "done"


async def _names(session: Session, source: str) -> Sequence[str]:
    text = await session.value(
        "SELECT string_agg(quote_ident(n.nspname) || '.' || quote_ident(i.relname), E'\\n')"
        f" FROM {source}"
    )
    return text.split("\n") if text else ()
