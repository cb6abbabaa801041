"""Convert rows to the columns of tables. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from operator import itemgetter
from typing import Any

from dbwarden.dialects.postgresql.catalog import classes
from dbwarden.dialects.postgresql.catalog.directory import Directory
from dbwarden.dialects.postgresql.catalog.parts import DEFAULT_COLLATION, Parts
from dbwarden.dialects.postgresql.catalog.rows import CatalogRow, parameters
from dbwarden.schema import Column, Generated, Identity, ObjectKind, QualifiedName, SequenceOptions

STORAGES = {"p": "PLAIN", "e": "EXTERNAL", "m": "MAIN", "x": "EXTENDED"}
COMPRESSIONS = {"p": "pglz", "l": "lz4"}
# The fields that _plain_column takes, in order.
_PLAIN = itemgetter(
    *("name", "type", "collation", "not_null", "generated"),
    *("statistics", "storage", "compression", "inherited", "not_null_state", "not_null_name"),
)
_OPTIONS = ("start", "increment", "minimum", "maximum", "cache", "cycle")
_OPTION_VALUES = itemgetter(*_OPTIONS)


def add_columns(directory: Directory, parts: Parts, rows: Iterable[CatalogRow]) -> None:
    """Register the columns of relations and store their rows; the others are index columns."""
    for row in rows:
        relation, number = row["relation"], row["number"]
        if relation not in directory.names:
            parts.index_attributes.setdefault(relation, {})[number] = row
            continue
        directory.columns.setdefault(relation, {})[number] = row["name"]
        parts.columns[relation].append(row)
        if row["generated"]:
            parts.generated.add((relation, number))
        if row["collation_oid"] not in (0, DEFAULT_COLLATION):
            parts.column_collations[relation, number] = row["collation_oid"]


def add_defaults(directory: Directory, parts: Parts, rows: Iterable[CatalogRow]) -> None:
    """Register the defaults and generation expressions of columns."""
    for row in rows:
        relation, number = row["relation"], row["number"]
        kind = ObjectKind.COLUMN if (relation, number) in parts.generated else ObjectKind.DEFAULT
        directory.defaults[row["oid"]] = (kind, relation, number)
        parts.defaults.setdefault(relation, {})[number] = row["expression"]


def columns_of(directory: Directory, parts: Parts, relation: int) -> tuple[Column, ...]:
    """Return the columns of a table."""
    defaults = parts.defaults.get(relation, {})
    result = []
    for row in parts.columns_of(relation):
        number = row["number"]
        column = _plain_column(defaults.get(number), _PLAIN(row))
        comment = directory.comment(classes.CLASS, relation, number)
        if row["peculiar"] or comment is not None:
            identity = _identity(row, parts.identities.get((relation, number)))
            options = parameters(row["options"])
            column = replace(column, comment=comment, identity=identity, parameters=options)
        result.append(column)
    return tuple(result)


@lru_cache(maxsize=10_000)  # many tables share the same columns
def _plain_column(expression: str | None, values: tuple[Any, ...]) -> Column:
    """Return the column of the *values* that ``_PLAIN`` takes from its row."""
    name, type_, collation, not_null, generated, *more = values
    statistics, storage, compression, inherited, not_null_state, not_null_name = more
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
        not_null_state=not_null_state,
        not_null_name=not_null_name,
    )


def sequence_options(row: CatalogRow) -> SequenceOptions:
    """Return the options of the sequence in *row*."""
    return _sequence_options(_OPTION_VALUES(row))


@lru_cache(maxsize=1_000)  # most sequences count up from one
def _sequence_options(values: tuple[Any, ...]) -> SequenceOptions:
    return SequenceOptions(**dict(zip(_OPTIONS, values, strict=True)))


def _identity(row: CatalogRow, sequence: CatalogRow | None) -> Identity | None:
    if not row["identity"]:
        return None
    if sequence is None:  # a partition uses its parent's sequence
        return Identity(always=row["identity"] == "a")
    return Identity(
        always=row["identity"] == "a",
        sequence=QualifiedName(sequence["namespace"], sequence["name"]),
        options=sequence_options(sequence),
    )
