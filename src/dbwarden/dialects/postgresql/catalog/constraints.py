"""Convert rows to constraints. Pure."""

import re
from collections.abc import Iterable
from typing import Any

from dbwarden.dialects.postgresql.catalog import classes
from dbwarden.dialects.postgresql.catalog.directory import Directory
from dbwarden.dialects.postgresql.catalog.parts import Parts
from dbwarden.dialects.postgresql.catalog.rows import CatalogRow, numbers, parameters, same_named
from dbwarden.schema import (
    Check,
    Constraint,
    Deferral,
    Exclusion,
    ForeignKey,
    ObjectKind,
    PrimaryKey,
    Unique,
    ref_of,
)

ACTIONS = {
    "a": "NO ACTION",
    "r": "RESTRICT",
    "c": "CASCADE",
    "n": "SET NULL",
    "d": "SET DEFAULT",
}
MATCHES = {"s": "SIMPLE", "f": "FULL", "p": "PARTIAL"}
DEFERRAL = re.compile(r" DEFERRABLE( INITIALLY DEFERRED)?$")


def add_constraints(directory: Directory, parts: Parts, rows: Iterable[CatalogRow]) -> None:
    """Register all constraints and build those of tables; checks of domains are part of these."""
    for row in rows:
        relation = row["relation"]
        if row["domain"] and (classes.TYPE, row["domain"]) in directory.refs:
            directory.refs[classes.CONSTRAINT, row["oid"]] = directory.refs[
                classes.TYPE, row["domain"]
            ]
        elif relation in directory.names:
            ref = ref_of(ObjectKind.CONSTRAINT, directory.names[relation], row["name"])
            directory.refs[classes.CONSTRAINT, row["oid"]] = ref
            if row["kind"] in "pux":
                directory.refs[classes.CLASS, row["index"]] = ref
            if row["replica_identity"]:
                parts.identity_indexes[relation] = row["name"]
            parts.constraints[relation].append(_constraint(directory, row))


def _deferral(row: CatalogRow) -> Deferral | None:
    if not row["deferrable"]:
        return None
    return "deferred" if row["deferred"] else "immediate"


def _constraint(directory: Directory, row: CatalogRow) -> Constraint:
    comment = directory.comment(classes.CONSTRAINT, row["oid"])
    match row["kind"]:
        case "p":
            return PrimaryKey(**_key_fields(directory, row))
        case "u":
            nulls = row["nulls_not_distinct"]
            return Unique(**_key_fields(directory, row), nulls_not_distinct=nulls)
        case "f":
            return _foreign_key(directory, row, comment)
        case "c":
            return Check(
                **same_named(row, "name", "expression", "no_inherit", "enforced", "inherited"),
                columns=directory.column_names(row["relation"], numbers(row["columns"])),
                validated=row["validated"] or not row["enforced"],
                comment=comment,
            )
        case _:
            return Exclusion(
                **same_named(row, "name", "inherited"),
                definition=DEFERRAL.sub("", row["definition"]),
                deferrable=_deferral(row),
                comment=comment,
                index_comment=directory.comment(classes.CLASS, row["index"]),
            )


def _key_fields(directory: Directory, row: CatalogRow) -> dict[str, Any]:
    names = directory.column_names(row["relation"], numbers(row["index_columns"]))
    return {
        **same_named(row, "name", "clustered", "valid", "inherited"),
        "columns": names[: row["key_count"]],
        "include": names[row["key_count"] :],
        "deferrable": _deferral(row),
        "without_overlaps": row["period"],
        "parameters": parameters(row["options"]),
        "comment": directory.comment(classes.CONSTRAINT, row["oid"]),
        "index_comment": directory.comment(classes.CLASS, row["index"]),
    }


def _foreign_key(directory: Directory, row: CatalogRow, comment: str | None) -> ForeignKey:
    own, referred = row["relation"], row["referred"]
    return ForeignKey(
        **same_named(row, "name", "period", "enforced", "inherited"),
        columns=directory.column_names(own, numbers(row["columns"])),
        references=directory.names[referred],
        referred_columns=directory.column_names(referred, numbers(row["referred_columns"])),
        on_update=ACTIONS[row["on_update"]],
        on_delete=ACTIONS[row["on_delete"]],
        on_delete_columns=directory.column_names(own, numbers(row["on_delete_columns"])),
        match=MATCHES[row["match"]],
        deferrable=_deferral(row),
        validated=row["validated"] or not row["enforced"],
        comment=comment,
    )
