"""The results of the catalog queries, and how to parse their values."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from dbwarden.schema import InAnyOrder, Parameters, QualifiedName

CatalogRow = Mapping[str, Any]
"""One row: values by column name, as the driver returns them."""


@dataclass(slots=True, kw_only=True)
class CatalogRows:
    """The results of all queries so far."""

    frequent: Sequence[CatalogRow] = ()
    rare: Sequence[CatalogRow] = ()
    namespaces: Sequence[CatalogRow] = ()
    extensions: Sequence[CatalogRow] = ()
    members: Sequence[CatalogRow] = ()
    types: Sequence[CatalogRow] = ()
    relations: Sequence[CatalogRow] = ()
    columns: Sequence[CatalogRow] = ()
    defaults: Sequence[CatalogRow] = ()
    constraints: Sequence[CatalogRow] = ()
    indexes: Sequence[CatalogRow] = ()
    operator_classes: Sequence[CatalogRow] = ()
    index_collations: Sequence[CatalogRow] = ()
    inheritance: Sequence[CatalogRow] = ()
    sequences: Sequence[CatalogRow] = ()
    routines: Sequence[CatalogRow] = ()
    aggregates: Sequence[CatalogRow] = ()
    triggers: Sequence[CatalogRow] = ()
    rules: Sequence[CatalogRow] = ()
    policies: Sequence[CatalogRow] = ()
    statistics: Sequence[CatalogRow] = ()
    comments: Sequence[CatalogRow] = ()
    dependencies: Sequence[CatalogRow] = ()
    plain_objects: Sequence[CatalogRow] = ()
    grants: Sequence[CatalogRow] = ()
    default_privileges: Sequence[CatalogRow] = ()


def name_of(row: CatalogRow) -> QualifiedName:
    """Return the qualified name of the object in *row*."""
    return QualifiedName(row["namespace"], row["name"])


def same_named(row: CatalogRow, *names: str) -> dict[str, Any]:
    """Return the values of *row* for the fields that have the names of its columns."""
    return {name: row[name] for name in names}


@lru_cache(maxsize=10_000)  # many lists of columns are equal
def numbers(text: str | None) -> tuple[int, ...]:
    """Parse a list of numbers as the server prints it: ``{1,2}`` is an array, ``1 2`` a vector.

    This is faster than letting the driver decode arrays.
    """
    return tuple(map(int, text.strip("{}").replace(",", " ").split())) if text else ()


def parameters(options: Iterable[str] | None) -> Parameters:
    """Return the parameters in an array of ``name=value``, as the catalog stores them."""
    if not options:
        return ()
    pairs = (option.partition("=") for option in options)
    return InAnyOrder((name, value) for name, _, value in pairs)


def table_parameters(row: CatalogRow) -> Parameters:
    """Return the storage parameters of a table or materialized view and of its TOAST table."""
    toast = tuple((f"toast.{name}", value) for name, value in parameters(row["toast_options"]))
    return InAnyOrder((*parameters(row["options"]), *toast)) or ()
