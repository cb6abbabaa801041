"""Read the tables, locks and scans of a transaction, for :mod:`dbwarden.linting`.

One query returns all of it. Between statements it is restricted to the tables that the transaction
has locked, because no statement changes another one.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import asyncpg

from dbwarden.linting.tables import (
    ColumnFacts,
    ConstraintFacts,
    ConstraintKind,
    IndexFacts,
    TableFacts,
    TableId,
    Trait,
)
from dbwarden.schema import QualifiedName

STATE = """
WITH held AS MATERIALIZED (
    SELECT l.relation AS oid, l.mode FROM pg_catalog.pg_locks l
    WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.granted
), seen AS MATERIALIZED (
    SELECT c.oid, c.relname, n.nspname, c.relkind, c.relfilenode
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm', 'f') AND n.nspname !~ '^(pg_|information_schema$)'
      AND ($1 OR c.oid IN (SELECT held.oid FROM held))
)
SELECT pg_catalog.json_build_object(
    'locks', (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(h.oid::bigint, h.mode))
              FROM held h),
    'tables', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
        'oid', s.oid::bigint, 'name', s.relname, 'namespace', s.nspname, 'kind', s.relkind,
        'file', s.relfilenode::bigint,
        'parent', (SELECT min(h.inhparent::bigint) FROM pg_catalog.pg_inherits h
                   WHERE h.inhrelid = s.oid),
        'scans', pg_catalog.pg_stat_get_xact_numscans(s.oid),
        'rows', pg_catalog.pg_stat_get_xact_tuples_inserted(s.oid)
            + pg_catalog.pg_stat_get_xact_tuples_updated(s.oid)
            + pg_catalog.pg_stat_get_xact_tuples_deleted(s.oid),
        'columns', (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(a.attnum, a.attname,
                pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
                a.atthasdef OR a.attidentity <> '', a.attgenerated <> '',
                a.atttypid::bigint) ORDER BY a.attnum)
            FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = s.oid AND a.attnum > 0 AND NOT a.attisdropped),
        'constraints', (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(k.oid::bigint,
                k.conname, k.contype, k.conkey, k.convalidated, k.conindid::bigint,
                k.confrelid::bigint) ORDER BY k.oid)
            FROM pg_catalog.pg_constraint k
            WHERE k.conrelid = s.oid AND k.contype IN ('p', 'u', 'f', 'c', 'x')),
        'indexes', (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(i.indexrelid::bigint,
                x.relname, i.indkey::int2[], i.indpred IS NOT NULL, x.relfilenode::bigint,
                pg_catalog.pg_stat_get_xact_numscans(i.indexrelid)) ORDER BY i.indexrelid)
            FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
            WHERE i.indrelid = s.oid)
    )) FROM seen s))::text
"""

_KINDS: Mapping[str, ConstraintKind] = {
    "p": "primary key",
    "u": "unique",
    "f": "foreign key",
    "c": "check",
    "x": "exclusion",
}
# The oids of built-in types never change.
_TRAITS: Mapping[int, Trait] = {
    21: "narrow integer",  # smallint
    23: "narrow integer",  # integer
    114: "json without index support",
    1114: "no time zone",  # timestamp
}


COUNTS = """
SELECT c.oid::bigint, coalesce(pg_catalog.pg_stat_get_xact_numscans(c.oid), 0),
    coalesce(pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid)
        + pg_catalog.pg_stat_get_xact_tuples_updated(c.oid)
        + pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid), 0)
FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p', 'm', 'i') AND c.oid >= 16384
"""


class Counts(NamedTuple):
    """The scans of a table or index, and the changed rows of a table, as the session counts."""

    scans: int = 0
    rows: int = 0


ZERO = Counts()


@dataclass(frozen=True, slots=True)
class TransactionLocks:
    """The locks of a transaction by table or index, and the tables and counts by their oids."""

    locks: Mapping[int, frozenset[str]]
    tables: Mapping[TableId, TableFacts]
    counts: Mapping[int, Counts]


async def read_counts(raw: asyncpg.Connection) -> TransactionLocks:
    """Return the state at the beginning of a transaction, with the counts of earlier ones."""
    rows = await raw.fetch(COUNTS)
    return TransactionLocks(
        {}, {}, {row[0]: Counts(row[1], row[2]) for row in rows if row[1] or row[2]}
    )


async def read_state(
    raw: asyncpg.Connection,
    names: Mapping[TableId, str],
    default_namespace: str,
    *,
    everything: bool,
) -> TransactionLocks:
    """Read the tables that the transaction has locked or, with *everything*, all of them.

    *names* are the tables that are already known, for the targets of foreign keys.
    """
    document = json.loads(await raw.fetchval(STATE, everything))
    locks: dict[int, set[str]] = {}
    for oid, mode in document["locks"] or ():
        locks.setdefault(oid, set()).add(mode)
    rows = document["tables"] or ()
    known: dict[TableId, str] = {**names} | {
        row["oid"]: QualifiedName(row["namespace"], row["name"]).label(default_namespace)
        for row in rows
    }
    counts = {row["oid"]: Counts(row["scans"] or 0, row["rows"] or 0) for row in rows}
    for row in rows:
        counts |= {item[0]: Counts(item[5] or 0) for item in row["indexes"] or ()}
    return TransactionLocks(
        locks={oid: frozenset(modes) for oid, modes in locks.items()},
        tables={row["oid"]: _table(row, known) for row in rows},
        counts=counts,
    )


def _table(row: Mapping[str, Any], names: Mapping[TableId, str]) -> TableFacts:
    columns = [_column(item) for item in row["columns"] or ()]
    by_number = {column.key: column.name for column in columns}
    return TableFacts(
        key=row["oid"],
        name=names[row["oid"]],
        is_table=row["kind"] != "m",
        partitioned=row["kind"] == "p",
        parent=row["parent"],
        file=row["file"],
        columns=tuple(columns),
        constraints=tuple(_constraint(k, by_number, names) for k in row["constraints"] or ()),
        indexes=tuple(_index(item, by_number) for item in row["indexes"] or ()),
    )


def _column(item: Sequence[Any]) -> ColumnFacts:
    number, name, type_, not_null, has_default, computed, oid = item
    return ColumnFacts(
        key=number,
        name=name,
        type=type_,
        not_null=not_null,
        has_default=has_default,
        computed=computed,
        traits=frozenset({_TRAITS[oid]} if oid in _TRAITS else ()),
    )


def _constraint(
    item: Sequence[Any], columns: Mapping[Any, str], names: Mapping[TableId, str]
) -> ConstraintFacts:
    oid, name, kind, numbers, validated, index, parent = item
    return ConstraintFacts(
        key=oid,
        name=name,
        kind=_KINDS[kind],
        columns=tuple(columns.get(number, "") for number in numbers or ()),
        validated=validated,
        # The index of a foreign key belongs to the table that it refers to.
        index=None if kind == "f" else index or None,
        references=names.get(parent),
    )


def _index(item: Sequence[Any], columns: Mapping[Any, str]) -> IndexFacts:
    oid, name, numbers, partial, file, _ = item
    return IndexFacts(
        key=oid,
        name=name,
        columns=tuple(columns.get(number, "") for number in numbers),
        partial=partial,
        file=file,
    )
