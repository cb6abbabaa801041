"""Convert rows to indexes. Pure."""

from collections.abc import Iterable
from functools import lru_cache

from dbwarden.dialects.postgresql.catalog import classes
from dbwarden.dialects.postgresql.catalog.directory import Directory
from dbwarden.dialects.postgresql.catalog.parts import Parts
from dbwarden.dialects.postgresql.catalog.rows import CatalogRow, numbers, parameters, same_named
from dbwarden.schema import Index, IndexColumn, ObjectKind, Ref


def add_indexes(directory: Directory, parts: Parts, rows: Iterable[CatalogRow]) -> None:
    """Register and build the indexes of tables and materialized views."""
    for row in rows:
        relation = row["relation"]
        name = directory.names.get(relation)
        if name is None:
            continue
        directory.refs[classes.CLASS, row["oid"]] = Ref(
            ObjectKind.INDEX, name.namespace, row["name"]
        )
        if row["replica_identity"]:
            parts.identity_indexes[relation] = row["name"]
        parts.indexes[relation].append(_index(directory, parts, row))


def _index(directory: Directory, parts: Parts, row: CatalogRow) -> Index:
    count = row["key_count"]
    columns = numbers(row["columns"])
    return Index(
        **same_named(row, "name", "unique", "method", "where", "nulls_not_distinct"),
        **same_named(row, "clustered", "valid", "inherited"),
        columns=_index_columns(directory, parts, row, columns[:count]),
        include=directory.column_names(row["relation"], columns[count:]) if columns[count:] else (),
        parameters=parameters(row["options"]),
        comment=directory.comment(classes.CLASS, row["oid"]),
    )


def _index_columns(
    directory: Directory, parts: Parts, row: CatalogRow, columns: tuple[int, ...]
) -> tuple[IndexColumn, ...]:
    relation, expressions = row["relation"], row["expressions"]
    names = directory.columns[relation]
    own = parts.index_attributes.get(row["oid"], {})
    each = zip(
        columns,
        numbers(row["flags"]),
        numbers(row["classes"]),
        numbers(row["collations"]),
        strict=False,  # included columns have a collation too
    )
    return tuple(
        [
            _plain_index_column(
                names.get(number),
                None if number else expressions[place - 1],
                _operator_class(parts.classes[chosen], own.get(place)),
                parts.collation(relation, number, collation),
                flags,
                own[place]["statistics"] if place in own else None,
            )
            for place, (number, flags, chosen, collation) in enumerate(each, start=1)
        ]
    )


def _operator_class(chosen: CatalogRow, own: CatalogRow | None) -> str | None:
    """Return the operator class if it is not the type's default or has parameters."""
    if own is not None and own["options"]:
        settings = ", ".join(f"{name}={value}" for name, value in parameters(own["options"]))
        return f"{chosen['name']}({settings})"
    return None if chosen["is_default"] else chosen["name"]


@lru_cache(maxsize=10_000)  # many indexes share the same columns
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
        statistics=statistics if statistics is not None and statistics >= 0 else None,
    )
