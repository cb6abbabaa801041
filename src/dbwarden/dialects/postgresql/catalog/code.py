"""Convert rows to types, views, routines, triggers and other objects. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from dbwarden.dialects.postgresql.catalog import classes
from dbwarden.dialects.postgresql.catalog.columns import sequence_options
from dbwarden.dialects.postgresql.catalog.directory import Directory
from dbwarden.dialects.postgresql.catalog.parts import Parts
from dbwarden.dialects.postgresql.catalog.rows import (
    CatalogRow,
    CatalogRows,
    name_of,
    parameters,
    same_named,
    table_parameters,
)
from dbwarden.quoting import text_literal
from dbwarden.schema import (
    Aggregate,
    Attribute,
    CompositeType,
    DefaultPrivileges,
    Domain,
    DomainCheck,
    Enum,
    Extension,
    Grant,
    MaterializedView,
    Namespace,
    ObjectKind,
    PlainObject,
    Policy,
    Routine,
    Rule,
    Statistics,
    Trigger,
    View,
    ViewColumn,
)
from dbwarden.schema import Sequence as SchemaSequence
from dbwarden.schema.schema import SchemaObject

ENABLED = {"O": "ENABLE", "D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}
COMMANDS = {"*": "ALL", "r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE"}
MODIFIES = {"r": "READ_ONLY", "s": "SHAREABLE", "w": "READ_WRITE"}
PARALLEL = {"s": "SAFE", "r": "RESTRICTED"}
TEXTS = ("initcond", "minitcond")
FoundObjects = Iterator[tuple[int, int, SchemaObject]]
"""Objects, each with its catalog and its OID, by which others refer to it."""
NO_CATALOG = 0
"""The catalog of objects to which no others refer."""


# The server always prints these names with their namespace: those in the object's definition.
_NAME = r'(?:"(?:[^"]|"")*"|[^".\s(]+)'
_QUALIFIED = re.compile(
    rf"""( CREATE \s OR \s REPLACE \s (?:FUNCTION|PROCEDURE) \s
         | CREATE \s (?:CONSTRAINT \s)? TRIGGER \s {_NAME} \s [A-Z] .*? \s ON \s
         | CREATE \s RULE \s {_NAME} \s AS \s+ ON \s [A-Z]+ \s TO \s ) {_NAME}\.""",
    re.VERBOSE | re.DOTALL,
)


def _plain(definition: str, namespace: str | None, default_namespace: str) -> str:
    """Return *definition* with the object's name unqualified if it is in the default namespace."""
    if namespace != default_namespace:
        return definition
    return _QUALIFIED.sub(r"\1", definition, count=1)


def add_objects(
    directory: Directory, parts: Parts, rows: CatalogRows, default_namespace: str
) -> list[SchemaObject]:
    """Build and register all objects except tables, in no particular order."""
    found: list[SchemaObject] = []
    for catalog, oid, obj in _objects(directory, parts, rows, default_namespace):
        directory.refs[catalog, oid] = obj.ref
        comment = directory.comment(catalog, oid)
        if comment is not None and comment != getattr(obj, "own_comment", None):
            obj = replace(obj, comment=comment)  # type: ignore[arg-type]  # grants have none
        found.append(obj)
    return found


def _objects(
    directory: Directory, parts: Parts, rows: CatalogRows, default_namespace: str
) -> FoundObjects:
    yield from _named(rows)
    yield from _types(directory, parts, rows)
    yield from _sequences(directory, rows)
    yield from _views(directory, parts, rows)
    yield from _routines(rows, default_namespace)
    yield from _on_relations(directory, rows, default_namespace)
    yield from _statistics(directory, rows)
    yield from _plain_objects(directory, rows)
    for row in rows.default_privileges:
        own = same_named(row, "grantor", "namespace", "objects", "role")
        yield NO_CATALOG, 0, DefaultPrivileges(**own, **_privileges(row))


def _named(rows: CatalogRows) -> FoundObjects:
    for row in rows.namespaces:
        yield classes.NAMESPACE, row["oid"], Namespace(name=row["name"])
    for row in rows.extensions:
        extension = Extension(
            **same_named(row, "name", "namespace", "own_comment"),
            version=None if row["version"] == row["default_version"] else row["version"],
        )
        yield classes.EXTENSION, row["oid"], extension


def _types(directory: Directory, parts: Parts, rows: CatalogRows) -> FoundObjects:
    checks: defaultdict[int, list[CatalogRow]] = defaultdict(list)
    for row in rows.constraints:
        if row["domain"]:
            checks[row["domain"]].append(row)
    for row in rows.types:
        name = name_of(row)
        made: SchemaObject
        if row["relation"]:
            columns = parts.columns_of(row["relation"])
            attributes = tuple(_attribute(directory, item) for item in columns)
            made = CompositeType(name=name, attributes=attributes)
        elif row["kind"] == "e":
            made = Enum(name=name, values=tuple(row["values"] or ()))
        elif row["kind"] == "d":
            made = _domain(directory, row, checks.get(row["oid"], ()))
        else:
            made = PlainObject(kind=ObjectKind.OTHER, name=name, part="base type")
        yield classes.TYPE, row["oid"], made


def _attribute(directory: Directory, row: CatalogRow) -> Attribute:
    return Attribute(
        **same_named(row, "name", "type", "collation"),
        comment=directory.comment(classes.CLASS, row["relation"], row["number"]),
    )


def _domain(directory: Directory, row: CatalogRow, checks: Sequence[CatalogRow]) -> Domain:
    domain_checks = (
        DomainCheck(
            **same_named(item, "name", "expression", "validated"),
            comment=directory.comment(classes.CONSTRAINT, item["oid"]),
        )
        for item in checks
    )
    return Domain(
        name=name_of(row),
        type=row["base"],
        **same_named(row, "collation", "not_null", "default"),
        checks=tuple(sorted(domain_checks, key=lambda check: check.name)),
    )


def _sequences(directory: Directory, rows: CatalogRows) -> FoundObjects:
    for row in rows.sequences:
        if row["ownership"] == "i" or (classes.CLASS, row["oid"]) not in directory.refs:
            continue
        sequence = SchemaSequence(
            name=name_of(row),
            type=row["type"],
            options=sequence_options(row),
            owned_by=directory.column(row["owner"], row["owner_column"]),
            unlogged=row["persistence"] == "u",
        )
        yield classes.CLASS, row["oid"], sequence


def _views(directory: Directory, parts: Parts, rows: CatalogRows) -> FoundObjects:
    for row in rows.relations:
        oid = row["oid"]
        if row["kind"] not in "vm":
            continue
        view: View | MaterializedView = View(
            name=name_of(row),
            definition=row["definition"].strip().rstrip(";"),
            columns=_view_columns(directory, parts, oid),
            parameters=parameters(row["options"]),
        )
        if row["kind"] == "m":
            view = MaterializedView(
                name=view.name,
                definition=view.definition,
                columns=view.columns,
                indexes=parts.indexes_of(oid),
                parameters=table_parameters(row),
                **same_named(row, "access_method", "populated"),
            )
        yield classes.CLASS, oid, view


def _view_columns(directory: Directory, parts: Parts, view: int) -> tuple[ViewColumn, ...]:
    defaults = parts.defaults.get(view, {})
    return tuple(
        ViewColumn(
            **same_named(row, "name", "type", "collation"),
            default=defaults.get(row["number"]),
            comment=directory.comment(classes.CLASS, view, row["number"]),
        )
        for row in parts.columns_of(view)
    )


def _routines(rows: CatalogRows, default: str) -> FoundObjects:
    for row in rows.routines:
        routine = Routine(
            name=name_of(row),
            **same_named(row, "identity", "arguments", "returns"),
            definition=_plain(row["definition"].rstrip(), row["namespace"], default),
            procedure=row["kind"] == "p",
        )
        yield classes.PROC, row["oid"], routine
    for row in rows.aggregates:
        aggregate = Aggregate(
            name=name_of(row),
            **same_named(row, "identity", "arguments"),
            options=tuple(_aggregate_options(row)),
        )
        yield classes.PROC, row["oid"], aggregate


def _aggregate_options(row: CatalogRow) -> Iterator[tuple[str, str]]:
    plain = (
        *("sfunc", "stype", "sspace", "finalfunc", "combinefunc", "serialfunc", "deserialfunc"),
        *("initcond", "msfunc", "minvfunc", "mstype", "msspace", "mfinalfunc", "minitcond"),
    )
    for name in plain:
        if row[name] is not None:
            text = row[name]
            yield name.upper(), text_literal(text) if name in TEXTS else text
    for name in ("finalfunc_extra", "mfinalfunc_extra", "hypothetical"):
        if row[name]:
            yield name.upper(), ""
    for name in ("finalfunc_modify", "mfinalfunc_modify"):
        if row[name] is not None:
            yield name.upper(), MODIFIES[row[name]]
    if row["sortop"] is not None:
        yield "SORTOP", _operator(row["sortop"])
    if row["parallel"] is not None:
        yield "PARALLEL", PARALLEL[row["parallel"]]


def _operator(text: str) -> str:
    """Return ``pg_catalog.>(integer,integer)`` in the form of CREATE AGGREGATE."""
    name = text.partition("(")[0]
    return f"OPERATOR({name})" if "." in name else name


def _on_relations(directory: Directory, rows: CatalogRows, default: str) -> FoundObjects:
    """Yield triggers, rules and policies; the rule that is a view's query is the view itself."""
    for catalog, kind, some in (
        (classes.TRIGGER, Trigger, rows.triggers),
        (classes.REWRITE, Rule, rows.rules),
    ):
        for row in some:
            table = directory.names.get(row["relation"])
            if table is not None and row["definition"] is None:
                view = directory.refs[classes.CLASS, row["relation"]]
                directory.refs[catalog, row["oid"]] = view
            elif table is not None:
                made = kind(
                    name=row["name"],
                    table=table,
                    definition=_plain(row["definition"].rstrip(";"), table.namespace, default),
                    enabled=ENABLED[row["enabled"]],
                )
                yield catalog, row["oid"], made
    for row in rows.policies:
        if row["relation"] in directory.names:
            policy = Policy(
                **same_named(row, "name", "permissive", "using", "check"),
                table=directory.names[row["relation"]],
                command=COMMANDS[row["command"]],
                roles=tuple(row["roles"]),
            )
            yield classes.POLICY, row["oid"], policy


def _statistics(directory: Directory, rows: CatalogRows) -> FoundObjects:
    for row in rows.statistics:
        if row["relation"] not in directory.names:
            continue
        target = row["target"]
        # "CREATE STATISTICS name (kinds) ON columns FROM table": the name contains no blank outside
        # quotes and is followed by " (" or " ON ".
        head, _, tail = row["definition"].partition(" ON ")
        kinds = head[head.rindex("(") :] + " " if head.endswith(")") else ""
        # The server prints columns in table order, not in the order given.
        tail = (row["columns_by_name"] or "") + tail.removeprefix(row["columns"] or "")
        statistics = Statistics(
            name=name_of(row),
            table=directory.names[row["relation"]],
            definition=f"{kinds}ON {tail}",
            target=target if target is not None and target >= 0 else None,
        )
        yield classes.STATISTICS, row["oid"], statistics


def _plain_objects(directory: Directory, rows: CatalogRows) -> FoundObjects:
    for row in rows.plain_objects:
        made = PlainObject(
            kind=ObjectKind(row["kind"]),
            name=name_of(row),
            part=row["part"],
            clauses=tuple((name, text) for name, text in row["clauses"] or () if text),
            comment=row["comment"],
        )
        if row["clauses"] is None:  # a part of an object that is a row of its own
            directory.refs[row["class"], row["oid"]] = made.ref
        else:  # a trigger is a part of a table
            yield row["class"] if row["class"] != classes.TRIGGER else NO_CATALOG, row["oid"], made
    for row in rows.relations:
        if row["of_type"] and row["oid"] in directory.names:
            part = "table of a composite type"
            typed = PlainObject(kind=ObjectKind.OTHER, name=name_of(row), part=part)
            yield NO_CATALOG, row["oid"], typed


def grants(directory: Directory, rows: CatalogRows) -> Iterator[Grant]:
    """Yield the privileges of roles on objects."""
    for row in rows.grants:
        on = directory.resolve(row["class"], row["oid"], 0)
        if on is not None:
            yield Grant(on=on, target=row["target"], role=row["role"], **_privileges(row))


def _privileges(row: CatalogRow) -> dict[str, Any]:
    return {word: tuple(row[word]) for word in ("privileges", "grantable", "revoked")}
