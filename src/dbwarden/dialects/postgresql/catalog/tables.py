"""Convert rows to tables. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import TypeVar

from dbwarden.dialects.postgresql.catalog import classes
from dbwarden.dialects.postgresql.catalog.columns import columns_of
from dbwarden.dialects.postgresql.catalog.directory import Directory
from dbwarden.dialects.postgresql.catalog.parts import Parts
from dbwarden.dialects.postgresql.catalog.rows import (
    CatalogRow,
    CatalogRows,
    same_named,
    table_parameters,
)
from dbwarden.schema import (
    Check,
    Constraint,
    Exclusion,
    ForeignKey,
    PartitionOf,
    PrimaryKey,
    QualifiedName,
    Table,
    Unique,
)

C = TypeVar("C")


def tables_of(directory: Directory, parts: Parts, rows: CatalogRows) -> Iterator[Table]:
    """Yield the tables, once all their parts are known."""
    parents: defaultdict[int, list[QualifiedName]] = defaultdict(list)
    for row in rows.inheritance:
        if row["parent"] in directory.names:
            parents[row["child"]].append(directory.names[row["parent"]])
    for row in rows.relations:
        if row["kind"] in "rp" and row["oid"] in directory.names:
            yield _table(directory, parts, tuple(parents.get(row["oid"], ())), row)


def _table(
    directory: Directory, parts: Parts, parents: tuple[QualifiedName, ...], row: CatalogRow
) -> Table:
    oid = row["oid"]
    by_type: defaultdict[type, list[Constraint]] = defaultdict(list)
    for constraint in sorted(parts.constraints.get(oid, ()), key=attrgetter("name")):
        by_type[type(constraint)].append(constraint)
    keys = _of(PrimaryKey, by_type)
    return Table(
        name=directory.names[oid],
        columns=columns_of(directory, parts, oid),
        primary_key=keys[0] if keys else None,
        uniques=_of(Unique, by_type),
        foreign_keys=_of(ForeignKey, by_type),
        checks=_of(Check, by_type),
        exclusions=_of(Exclusion, by_type),
        indexes=parts.indexes_of(oid),
        comment=directory.comment(classes.CLASS, oid),
        parameters=table_parameters(row),
        unlogged=row["persistence"] == "u",
        **same_named(row, "access_method", "partition_by", "row_security", "force_row_security"),
        partition_of=PartitionOf(parent=parents[0], bound=row["bound"])
        if row["bound"] is not None
        else None,
        inherits=parents if row["bound"] is None else (),
        replica_identity=_replica_identity(parts, row),
    )


def _of(kind: type[C], by_type: Mapping[type, list[Constraint]]) -> tuple[C, ...]:
    return (
        tuple([part for part in by_type[kind] if isinstance(part, kind)]) if kind in by_type else ()
    )


def _replica_identity(parts: Parts, row: CatalogRow) -> str:
    match row["replica_identity"]:
        case "f":
            return "FULL"
        case "n":
            return "NOTHING"
        case "i":
            chosen = parts.identity_indexes.get(row["oid"])
            return f"USING INDEX {chosen}" if chosen is not None else "NOTHING"
        case _:
            return "DEFAULT"
