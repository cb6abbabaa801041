"""From rows to tables with their columns, constraints and indexes. Pure."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

from dbwarden.dialects.postgresql.catalog import classes
from dbwarden.dialects.postgresql.catalog.directory import Directory
from dbwarden.dialects.postgresql.catalog.options import parameters, table_parameters
from dbwarden.dialects.postgresql.catalog.rows import Row, Rows
from dbwarden.schema import (
    Check,
    Column,
    Constraint,
    Deferral,
    Exclusion,
    ForeignKey,
    Generated,
    Identity,
    Index,
    IndexColumn,
    PartitionOf,
    PrimaryKey,
    QualifiedName,
    SequenceOptions,
    Table,
    Unique,
)

ACTIONS = {
    "a": "NO ACTION",
    "r": "RESTRICT",
    "c": "CASCADE",
    "n": "SET NULL",
    "d": "SET DEFAULT",
}
MATCHES = {"s": "SIMPLE", "f": "FULL", "p": "PARTIAL"}
STORAGES = {"p": "PLAIN", "e": "EXTERNAL", "m": "MAIN", "x": "EXTENDED"}
COMPRESSIONS = {"p": "pglz", "l": "lz4"}
DEFERRAL = re.compile(r" DEFERRABLE( INITIALLY DEFERRED)?$")
C = TypeVar("C")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grouped:
    """The rows of everything that belongs to a table, by the table's number."""

    columns: Mapping[int, Sequence[Row]]
    constraints: Mapping[int, Sequence[Row]]
    indexes: Mapping[int, Sequence[Row]]
    parents: Mapping[int, Sequence[Row]]
    identities: Mapping[tuple[int, int], Row]
    classes: Mapping[int, Row]
    collations: Mapping[int, str]
    column_collations: Mapping[tuple[int, int], int]
    index_attributes: Mapping[tuple[int, int], Row]


def tables(found: Directory, rows: Rows) -> tuple[Table, ...]:
    """All tables, sorted by name."""
    grouped = _group(rows)
    made = (
        _table(found, grouped, row)
        for row in rows.relations
        if row["kind"] in "rp" and row["oid"] in found.names
    )
    return tuple(sorted(made, key=lambda table: table.name))


def indexes_of(found: Directory, rows: Rows) -> Mapping[int, tuple[Index, ...]]:
    """The indexes of materialized views, by the view's number."""
    grouped = _group(rows)
    views = (row["oid"] for row in rows.relations if row["kind"] == "m")
    return {oid: _indexes(found, grouped, oid) for oid in views}


def _group(rows: Rows) -> _Grouped:
    return _Grouped(
        columns=_by(rows.columns, lambda row: row["relation"]),
        constraints=_by(rows.constraints, lambda row: row["relation"]),
        indexes=_by(rows.indexes, lambda row: row["relation"]),
        parents=_by(rows.inheritance, lambda row: row["child"]),
        identities={
            (row["owner"], row["owner_column"]): row
            for row in rows.sequences
            if row["ownership"] == "i"
        },
        classes={row["oid"]: row for row in rows.operator_classes},
        collations={row["oid"]: row["name"] for row in rows.index_collations},
        column_collations={
            (row["relation"], row["number"]): row["collation_oid"] for row in rows.columns
        },
        index_attributes={(row["index"], row["number"]): row for row in rows.index_attributes},
    )


def _by(rows: Iterable[Row], key: Callable[[Row], int]) -> Mapping[int, Sequence[Row]]:
    found: defaultdict[int, list[Row]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found


def _table(found: Directory, grouped: _Grouped, row: Row) -> Table:
    oid = row["oid"]
    parents = tuple(
        found.names[parent["parent"]]
        for parent in grouped.parents.get(oid, ())
        if parent["parent"] in found.names
    )
    constraints = [_constraint(found, item) for item in grouped.constraints.get(oid, ())]
    constraints.sort(key=_name_of)
    keys = _of(PrimaryKey, constraints)
    return Table(
        name=found.names[oid],
        columns=tuple([_column(found, grouped, item) for item in grouped.columns.get(oid, ())]),
        primary_key=keys[0] if keys else None,
        uniques=_of(Unique, constraints),
        foreign_keys=_of(ForeignKey, constraints),
        checks=_of(Check, constraints),
        exclusions=_of(Exclusion, constraints),
        indexes=_indexes(found, grouped, oid),
        comment=found.comment(classes.CLASS, oid),
        parameters=table_parameters(row),
        unlogged=row["persistence"] == "u",
        access_method=row["access_method"],
        partition_by=row["partition_by"],
        partition_of=PartitionOf(parent=parents[0], bound=row["bound"])
        if row["bound"] is not None
        else None,
        inherits=parents if row["bound"] is None else (),
        row_security=row["row_security"],
        force_row_security=row["force_row_security"],
        replica_identity=_replica_identity(grouped, row),
    )


def _name_of(part: Constraint | Index) -> str:
    return part.name or ""


def _of(kind: type[C], constraints: Iterable[object]) -> tuple[C, ...]:
    return tuple([constraint for constraint in constraints if isinstance(constraint, kind)])


def _replica_identity(grouped: _Grouped, row: Row) -> str:
    match row["replica_identity"]:
        case "f":
            return "FULL"
        case "n":
            return "NOTHING"
        case "i":
            candidates = (
                *grouped.constraints.get(row["oid"], ()),
                *grouped.indexes.get(row["oid"], ()),
            )
            chosen = [item["name"] for item in candidates if item["replica_identity"]]
            return f"USING INDEX {chosen[0]}" if chosen else "NOTHING"
        case _:
            return "DEFAULT"


def _column(found: Directory, grouped: _Grouped, row: Row) -> Column:
    comment = found.comment(classes.CLASS, row["relation"], row["number"])
    plain = _plain_column(
        row["name"],
        row["type"],
        row["collation"],
        row["not_null"],
        row["default"],
        row["generated"],
        row["statistics"],
        row["storage"],
        row["compression"],
        row["inherited"],
    )
    if comment is None and not row["identity"] and not row["options"]:
        return plain
    identity, options = _identity(grouped, row), parameters(row["options"])
    return replace(plain, comment=comment, identity=identity, parameters=options)


@lru_cache(maxsize=10_000)  # the same few columns are in many tables
def _plain_column(
    name: str,
    type_: str,
    collation: str | None,
    not_null: bool,
    expression: str | None,
    generated: str,
    statistics: int | None,
    storage: str | None,
    compression: str,
    inherited: bool,
) -> Column:
    computed = None
    if generated and expression is not None:
        computed = Generated(expression=expression, stored=generated == "s")
    return Column(
        name=name,
        type=type_,
        collation=collation,
        not_null=not_null,
        default=None if computed else expression,
        generated=computed,
        statistics=statistics if statistics is not None and statistics >= 0 else None,
        storage=STORAGES.get(storage or ""),
        compression=COMPRESSIONS.get(compression),
        inherited=inherited,
    )


def sequence_options(row: Row) -> SequenceOptions:
    """How the sequence in *row* counts."""
    words = ("start", "increment", "minimum", "maximum", "cache", "cycle")
    return SequenceOptions(**{word: row[word] for word in words})


def _identity(grouped: _Grouped, row: Row) -> Identity | None:
    if not row["identity"]:
        return None
    sequence = grouped.identities.get((row["relation"], row["number"]))
    if sequence is None:  # a partition's: its parent's sequence serves it
        return Identity(always=row["identity"] == "a")
    return Identity(
        always=row["identity"] == "a",
        sequence=QualifiedName(sequence["namespace"], sequence["name"]),
        options=sequence_options(sequence),
    )


def _deferral(row: Row) -> Deferral | None:
    if not row["deferrable"]:
        return None
    return "deferred" if row["deferred"] else "immediate"


def _constraint(found: Directory, row: Row) -> Constraint:
    comment = found.comment(classes.CONSTRAINT, row["oid"])
    match row["kind"]:
        case "p":
            columns, include = _key_columns(found, row)
            return PrimaryKey(
                name=row["name"],
                columns=columns,
                include=include,
                deferrable=_deferral(row),
                without_overlaps=row["period"],
                parameters=parameters(row["options"]),
                clustered=row["clustered"],
                comment=comment,
                index_comment=found.comment(classes.CLASS, row["index"]),
                inherited=row["inherited"],
            )
        case "u":
            columns, include = _key_columns(found, row)
            return Unique(
                name=row["name"],
                columns=columns,
                include=include,
                nulls_not_distinct=row["nulls_not_distinct"],
                deferrable=_deferral(row),
                without_overlaps=row["period"],
                parameters=parameters(row["options"]),
                clustered=row["clustered"],
                comment=comment,
                index_comment=found.comment(classes.CLASS, row["index"]),
                inherited=row["inherited"],
            )
        case "f":
            return _foreign_key(found, row, comment)
        case "c":
            return Check(
                name=row["name"],
                expression=row["expression"],
                columns=found.column_names(row["relation"], row["columns"]),
                no_inherit=row["no_inherit"],
                enforced=row["enforced"],
                validated=row["validated"] or not row["enforced"],
                comment=comment,
                inherited=row["inherited"],
            )
        case _:
            return Exclusion(
                name=row["name"],
                definition=DEFERRAL.sub("", row["definition"]),
                deferrable=_deferral(row),
                comment=comment,
                index_comment=found.comment(classes.CLASS, row["index"]),
                inherited=row["inherited"],
            )


def _key_columns(found: Directory, row: Row) -> tuple[tuple[str, ...], tuple[str, ...]]:
    names = found.column_names(row["relation"], row["index_columns"])
    return names[: row["key_count"]], names[row["key_count"] :]


def _foreign_key(found: Directory, row: Row, comment: str | None) -> ForeignKey:
    return ForeignKey(
        name=row["name"],
        columns=found.column_names(row["relation"], row["columns"]),
        references=found.names[row["referred"]],
        referred_columns=found.column_names(row["referred"], row["referred_columns"]),
        on_update=ACTIONS[row["on_update"]],
        on_delete=ACTIONS[row["on_delete"]],
        on_delete_columns=found.column_names(row["relation"], row["on_delete_columns"]),
        match=MATCHES[row["match"]],
        deferrable=_deferral(row),
        period=row["period"],
        enforced=row["enforced"],
        validated=row["validated"] or not row["enforced"],
        comment=comment,
        inherited=row["inherited"],
    )


def _indexes(found: Directory, grouped: _Grouped, relation: int) -> tuple[Index, ...]:
    made = [_index(found, grouped, row) for row in grouped.indexes.get(relation, ())]
    return tuple(sorted(made, key=_name_of))


def _index(found: Directory, grouped: _Grouped, row: Row) -> Index:
    count = row["key_count"]
    return Index(
        name=row["name"],
        columns=tuple([_index_column(found, grouped, row, place) for place in range(count)]),
        unique=row["unique"],
        method=row["method"],
        include=found.column_names(row["relation"], row["columns"][count:]),
        where=row["where"],
        nulls_not_distinct=row["nulls_not_distinct"],
        parameters=parameters(row["options"]),
        clustered=row["clustered"],
        valid=row["valid"],
        comment=found.comment(classes.CLASS, row["oid"]),
        inherited=row["inherited"],
    )


def _index_column(found: Directory, grouped: _Grouped, row: Row, place: int) -> IndexColumn:
    number, flags = row["columns"][place], row["flags"][place]
    collation = row["collations"][place]
    more = grouped.index_attributes.get((row["oid"], place + 1))
    own = grouped.column_collations.get((row["relation"], number), 100)
    chosen = grouped.classes[row["classes"][place]]
    operator_class = None if chosen["is_default"] else chosen["name"]
    if more is not None and more["options"]:
        settings = ", ".join(f"{name}={value}" for name, value in parameters(more["options"]))
        operator_class = f"{chosen['name']}({settings})"
    target = more["statistics"] if more is not None else None
    return _plain_index_column(
        found.columns[row["relation"], number] if number else None,
        None if number else row["expressions"][place],
        operator_class,
        grouped.collations.get(collation) if collation not in (own, 0) else None,
        flags,
        target if target is not None and target >= 0 else None,
    )


@lru_cache(maxsize=10_000)  # the same few columns are in many indexes
def _plain_index_column(
    column: str | None,
    expression: str | None,
    operator_class: str | None,
    collation: str | None,
    flags: int,
    statistics: int | None,
) -> IndexColumn:
    return IndexColumn(
        column=column,
        expression=expression,
        operator_class=operator_class,
        collation=collation,
        descending=bool(flags & 1),
        nulls_first=bool(flags & 2),
        statistics=statistics,
    )
