"""Read the effect of a statement outside a transaction from the catalog; remove its leftovers.

CREATE INDEX CONCURRENTLY leaves an INVALID index behind if it fails or is interrupted, which
``IF NOT EXISTS`` would then accept. Such an index is dropped, but never one that another session
is building.
"""

from collections.abc import Sequence
from typing import assert_never

import anyio

from dbwarden import telemetry
from dbwarden.dialects.postgresql.migrate.session import Session
from dbwarden.dialects.postgresql.migrate.statement_effects import (
    EnumValueAdded,
    IndexBuilt,
    IndexDropped,
    NameInText,
    ObjectDropped,
    ObjectMade,
    PartitionDetached,
    Probe,
    Reindexed,
    Repeatable,
    SessionSetting,
    Transactional,
    UnknownEffect,
)
from dbwarden.dialects.postgresql.sql.quoting import literal
from dbwarden.quoting import quoted

BUILDING_PAUSE = 0.2
"""Seconds between two checks of a table on which another session builds an index."""

_OBJECTS = {
    "database": "pg_database WHERE datname",
    "tablespace": "pg_tablespace WHERE spcname",
    "subscription": "pg_subscription WHERE subdbid = (SELECT oid FROM pg_catalog.pg_database"
    " WHERE datname = current_database()) AND subname",
}


def is_concurrent(probe: Probe) -> bool:
    """Return whether the statement waits for other transactions and needs no ``lock_timeout``."""
    return isinstance(probe, IndexBuilt | IndexDropped | Reindexed | PartitionDetached)


async def before(session: Session, probe: Probe) -> bool:
    """Remove obstacles before a statement that this run has not tried yet.

    Returns:
        Whether it is done already and must not run again.
    """
    if isinstance(probe, IndexBuilt) and probe.index is not None:
        await drop_invalid_indexes(session, _index_of(probe.table, probe.index))
    return isinstance(probe, PartitionDetached) and await _finalize_detach(session, probe)


async def find_effect(session: Session, probe: Probe) -> bool | None:
    """Return whether an interrupted statement took effect, and remove its leftovers.

    ``None`` means that the catalog does not show it.
    """
    match probe:
        case IndexBuilt(index=index, table=table):
            if index is None:
                return None
            await drop_invalid_indexes(session, _index_of(table, index))
            return await _exists(session, f"FROM {_INDEXES} AND {_index_of(table, index)}")
        case IndexDropped(indexes=indexes):
            condition = " OR ".join(f"to_regclass({_name(name)}) IS NOT NULL" for name in indexes)
            return not await _exists(session, f"WHERE {condition}")
        case Reindexed():
            await drop_invalid_indexes(session, _rebuilt(probe))
            return False
        case PartitionDetached():
            finalized = await _finalize_detach(session, probe)
            return finalized or not await _exists(session, f"FROM {_inherits(probe)}")
        case EnumValueAdded(type=name, value=value):
            condition = f"enumtypid = to_regtype({_name(name)}) AND enumlabel = {literal(value)}"
            return await _exists(session, f"FROM pg_catalog.pg_enum WHERE {condition}")
        case ObjectMade(kind=kind, name=obj):
            return await _exists(session, _object(kind, obj))
        case ObjectDropped(kind=kind, name=obj):
            return not await _exists(session, _object(kind, obj))
        case Repeatable() | SessionSetting():
            return False
        case Transactional() | UnknownEffect():
            return None
        case _:
            assert_never(probe)


async def clean_up(session: Session, probe: Probe, known: frozenset[str]) -> bool:
    """Remove the leftovers of a statement that failed on the server.

    *known* are the earlier invalid indexes, from ``invalid_indexes``.

    Returns:
        Whether the database is in its state before the statement.
    """
    match probe:
        case IndexBuilt(table=table):
            new_indexes = await invalid_indexes(session, table) - known
            for index in sorted(new_indexes):
                await _drop(session, index)
            return True
        case Reindexed():
            await drop_invalid_indexes(session, _rebuilt(probe))
            return True
        case IndexDropped(indexes=indexes):
            names = ", ".join(f"to_regclass({_name(name)})" for name in indexes)
            half = f"FROM {_INDEXES} AND NOT x.indisvalid AND x.indexrelid IN ({names})"
            return not await _exists(session, half)
        case PartitionDetached():
            return not await _exists(session, f"FROM {_pending(probe)}")
    return True


async def invalid_indexes(session: Session, table: NameInText) -> frozenset[str]:
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


def _index_of(table: NameInText, index: str) -> str:
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
    if not await _exists(session, f"FROM {_pending(probe)}"):
        return False
    parent, partition = _quoted(probe.parent), _quoted(probe.partition)
    await session.send(f"ALTER TABLE {parent} DETACH PARTITION {partition} FINALIZE")
    return True


def _object(kind: str, name: str) -> str:
    return f"FROM pg_catalog.{_OBJECTS[kind]} = {literal(name)}"


def _quoted(name: NameInText) -> str:
    parts = [name.namespace, name.name] if name.namespace is not None else [name.name]
    return ".".join(quoted(part) for part in parts)


def _name(name: NameInText) -> str:
    return literal(_quoted(name))


async def _exists(session: Session, rows: str) -> bool:
    return await session.value(f"SELECT EXISTS (SELECT {rows})::text") == "true"


async def _names(session: Session, source: str) -> Sequence[str]:
    text = await session.value(
        "SELECT string_agg(quote_ident(n.nspname) || '.' || quote_ident(i.relname), E'\\n')"
        f" FROM {source}"
    )
    return text.split("\n") if text else ()
