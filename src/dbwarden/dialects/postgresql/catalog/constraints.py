"""Convert rows to constraints. Pure."""

import re
from collections.abc import Iterable

from dbwarden.dialects.postgresql.catalog import classes
from dbwarden.dialects.postgresql.catalog.directory import Directory
from dbwarden.dialects.postgresql.catalog.options import parameters
from dbwarden.dialects.postgresql.catalog.parts import Parts
from dbwarden.dialects.postgresql.catalog.rows import Row, numbers
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


def add_constraints(found: Directory, parts: Parts, rows: Iterable[Row]) -> None:
    """Register all constraints and build those of tables; checks of domains are part of these."""
    for row in rows:
        relation = row["relation"]
        if row["domain"] and (classes.TYPE, row["domain"]) in found.refs:
            found.refs[classes.CONSTRAINT, row["oid"]] = found.refs[classes.TYPE, row["domain"]]
        elif relation in found.names:
            ref = ref_of(ObjectKind.CONSTRAINT, found.names[relation], row["name"])
            found.refs[classes.CONSTRAINT, row["oid"]] = ref
            if row["kind"] in "pux":
                found.refs[classes.CLASS, row["index"]] = ref
            if row["replica_identity"]:
                parts.identity_indexes[relation] = row["name"]
            parts.constraints[relation].append(_constraint(found, row))


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
                valid=row["valid"],
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
                valid=row["valid"],
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
                columns=found.column_names(row["relation"], numbers(row["columns"])),
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
    names = found.column_names(row["relation"], numbers(row["index_columns"]))
    return names[: row["key_count"]], names[row["key_count"] :]


def _foreign_key(found: Directory, row: Row, comment: str | None) -> ForeignKey:
    return ForeignKey(
        name=row["name"],
        columns=found.column_names(row["relation"], numbers(row["columns"])),
        references=found.names[row["referred"]],
        referred_columns=found.column_names(row["referred"], numbers(row["referred_columns"])),
        on_update=ACTIONS[row["on_update"]],
        on_delete=ACTIONS[row["on_delete"]],
        on_delete_columns=found.column_names(row["relation"], numbers(row["on_delete_columns"])),
        match=MATCHES[row["match"]],
        deferrable=_deferral(row),
        period=row["period"],
        enforced=row["enforced"],
        validated=row["validated"] or not row["enforced"],
        comment=comment,
        inherited=row["inherited"],
    )
