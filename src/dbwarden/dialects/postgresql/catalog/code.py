"""Convert rows to types, views, routines, triggers and other objects. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from dbwarden.dialects.postgresql.catalog import classes
from dbwarden.dialects.postgresql.catalog.columns import sequence_options
from dbwarden.dialects.postgresql.catalog.directory import Directory
from dbwarden.dialects.postgresql.catalog.parts import Parts
from dbwarden.dialects.postgresql.catalog.rows import Row, Rows, parameters, table_parameters
from dbwarden.quoting import text_literal
from dbwarden.schema import (
    Aggregate,
    Attribute,
    CompositeType,
    DefaultPrivileges,
    Domain,
    DomainCheck,
    Enum,
    EventTrigger,
    Extension,
    Grant,
    MaterializedView,
    Namespace,
    ObjectKind,
    PlainObject,
    Policy,
    QualifiedName,
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


def objects(
    directory: Directory, parts: Parts, rows: Rows, default_namespace: str
) -> Iterator[SchemaObject]:
    """Yield all objects except tables, in no particular order."""
    yield from _named(directory, rows)
    yield from _types(directory, parts, rows)
    yield from _sequences(directory, rows)
    yield from _views(directory, parts, rows)
    yield from _routines(directory, rows, default_namespace)
    yield from _on_relations(directory, rows, default_namespace)
    yield from _statistics(directory, rows)
    yield from _plain_objects(directory, rows)
    yield from _default_privileges(rows)


def _name(row: Row) -> QualifiedName:
    return QualifiedName(row["namespace"], row["name"])


def _named(directory: Directory, rows: Rows) -> Iterator[SchemaObject]:
    for row in rows.namespaces:
        comment = directory.comment(classes.NAMESPACE, row["oid"])
        yield Namespace(name=row["name"], comment=comment)
    for row in rows.extensions:
        version = None if row["version"] == row["default_version"] else row["version"]
        comment, own = directory.comment(classes.EXTENSION, row["oid"]), row["own_comment"]
        yield Extension(
            name=row["name"],
            namespace=row["namespace"],
            version=version,
            comment=comment if comment != own else None,
            own_comment=own,
        )
    for row in rows.event_triggers:
        yield EventTrigger(
            name=row["name"],
            event=row["event"],
            function=row["function"],
            tags=tuple(row["tags"] or ()),
            enabled=ENABLED[row["enabled"]],
            comment=directory.comment(classes.EVENT_TRIGGER, row["oid"]),
        )


def _types(directory: Directory, parts: Parts, rows: Rows) -> Iterator[SchemaObject]:
    checks: defaultdict[int, list[Row]] = defaultdict(list)
    for row in rows.constraints:
        if row["domain"]:
            checks[row["domain"]].append(row)
    for row in rows.types:
        comment = directory.comment(classes.TYPE, row["oid"])
        if row["relation"]:
            attributes = tuple(
                _attribute(directory, item) for item in parts.columns_of(row["relation"])
            )
            yield CompositeType(name=_name(row), attributes=attributes, comment=comment)
        elif row["kind"] == "e":
            yield Enum(name=_name(row), values=tuple(row["values"] or ()), comment=comment)
        elif row["kind"] == "d":
            yield _domain(directory, row, checks.get(row["oid"], ()))
        else:
            yield PlainObject(
                kind=ObjectKind.OTHER, name=_name(row), part="base type", comment=comment
            )


def _attribute(directory: Directory, row: Row) -> Attribute:
    return Attribute(
        name=row["name"],
        type=row["type"],
        collation=row["collation"],
        comment=directory.comment(classes.CLASS, row["relation"], row["number"]),
    )


def _domain(directory: Directory, row: Row, checks: Sequence[Row]) -> Domain:
    domain_checks = (
        DomainCheck(
            name=item["name"],
            expression=item["expression"],
            validated=item["validated"],
            comment=directory.comment(classes.CONSTRAINT, item["oid"]),
        )
        for item in checks
    )
    return Domain(
        name=_name(row),
        type=row["base"],
        collation=row["collation"],
        not_null=row["not_null"],
        default=row["default"],
        checks=tuple(sorted(domain_checks, key=lambda check: check.name)),
        comment=directory.comment(classes.TYPE, row["oid"]),
    )


def _sequences(directory: Directory, rows: Rows) -> Iterator[SchemaObject]:
    for row in rows.sequences:
        if row["ownership"] == "i" or (classes.CLASS, row["oid"]) not in directory.refs:
            continue
        owner = directory.column(row["owner"], row["owner_column"])
        yield SchemaSequence(
            name=_name(row),
            type=row["type"],
            options=sequence_options(row),
            owned_by=owner,
            unlogged=row["persistence"] == "u",
            comment=directory.comment(classes.CLASS, row["oid"]),
        )


def _views(directory: Directory, parts: Parts, rows: Rows) -> Iterator[SchemaObject]:
    for row in rows.relations:
        if row["kind"] == "v":
            yield View(
                name=_name(row),
                definition=row["definition"].strip().rstrip(";"),
                columns=_view_columns(directory, parts, row["oid"]),
                parameters=parameters(row["options"]),
                comment=directory.comment(classes.CLASS, row["oid"]),
            )
        elif row["kind"] == "m":
            yield _materialized_view(directory, parts, row)


def _view_columns(directory: Directory, parts: Parts, view: int) -> tuple[ViewColumn, ...]:
    defaults = parts.defaults.get(view, {})
    return tuple(
        ViewColumn(
            name=row["name"],
            type=row["type"],
            collation=row["collation"],
            default=defaults.get(row["number"]),
            comment=directory.comment(classes.CLASS, view, row["number"]),
        )
        for row in parts.columns_of(view)
    )


def _materialized_view(directory: Directory, parts: Parts, row: Row) -> MaterializedView:
    return MaterializedView(
        name=_name(row),
        definition=row["definition"].strip().rstrip(";"),
        columns=_view_columns(directory, parts, row["oid"]),
        indexes=parts.indexes_of(row["oid"]),
        parameters=table_parameters(row),
        access_method=row["access_method"],
        populated=row["populated"],
        comment=directory.comment(classes.CLASS, row["oid"]),
    )


def _routines(directory: Directory, rows: Rows, default: str) -> Iterator[SchemaObject]:
    for row in rows.routines:
        yield Routine(
            name=_name(row),
            identity=row["identity"],
            arguments=row["arguments"],
            returns=row["returns"],
            definition=_plain(row["definition"].rstrip(), row["namespace"], default),
            procedure=row["kind"] == "p",
            comment=directory.comment(classes.PROC, row["oid"]),
        )
    for row in rows.aggregates:
        yield Aggregate(
            name=_name(row),
            identity=row["identity"],
            arguments=row["arguments"],
            options=tuple(_aggregate_options(row)),
            comment=directory.comment(classes.PROC, row["oid"]),
        )


def _aggregate_options(row: Row) -> Iterator[tuple[str, str]]:
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


def _on_relations(directory: Directory, rows: Rows, default: str) -> Iterator[SchemaObject]:
    for row in rows.triggers:
        if row["relation"] in directory.names:
            table = directory.names[row["relation"]]
            yield Trigger(
                name=row["name"],
                table=table,
                definition=_plain(row["definition"], table.namespace, default),
                enabled=ENABLED[row["enabled"]],
                comment=directory.comment(classes.TRIGGER, row["oid"]),
            )
    for row in rows.rules:
        if row["relation"] in directory.names and row["definition"] is not None:
            table = directory.names[row["relation"]]
            yield Rule(
                name=row["name"],
                table=table,
                definition=_plain(row["definition"].rstrip(";"), table.namespace, default),
                enabled=ENABLED[row["enabled"]],
                comment=directory.comment(classes.REWRITE, row["oid"]),
            )
    for row in rows.policies:
        if row["relation"] in directory.names:
            yield _policy(directory, row)


def _policy(directory: Directory, row: Row) -> Policy:
    return Policy(
        name=row["name"],
        table=directory.names[row["relation"]],
        command=COMMANDS[row["command"]],
        permissive=row["permissive"],
        roles=tuple(row["roles"]),
        using=row["using"],
        check=row["check"],
        comment=directory.comment(classes.POLICY, row["oid"]),
    )


def _statistics(directory: Directory, rows: Rows) -> Iterator[SchemaObject]:
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
        yield Statistics(
            name=_name(row),
            table=directory.names[row["relation"]],
            definition=f"{kinds}ON {tail}",
            target=target if target is not None and target >= 0 else None,
            comment=directory.comment(classes.STATISTICS, row["oid"]),
        )


def _plain_objects(directory: Directory, rows: Rows) -> Iterator[PlainObject]:
    for row in rows.plain_objects:
        if row["clauses"] is None:  # a part of an object that is a row of its own
            continue
        yield PlainObject(
            kind=ObjectKind(row["kind"]),
            name=_name(row),
            part=row["part"],
            clauses=tuple((name, text) for name, text in row["clauses"] if text),
            comment=row["comment"],
        )
    for row in rows.relations:
        if row["of_type"] and row["oid"] in directory.names:
            part = "table of a composite type"
            yield PlainObject(kind=ObjectKind.OTHER, name=_name(row), part=part)


def grants(directory: Directory, rows: Rows) -> Iterator[Grant]:
    """Yield the privileges of roles on objects."""
    for row in rows.grants:
        on = directory.resolve(row["class"], row["oid"], 0)
        if on is not None:
            yield Grant(
                on=on,
                target=row["target"],
                role=row["role"],
                privileges=tuple(row["privileges"]),
                grantable=tuple(row["grantable"]),
                revoked=tuple(row["revoked"]),
            )


def _default_privileges(rows: Rows) -> Iterator[SchemaObject]:
    for row in rows.default_privileges:
        yield DefaultPrivileges(
            grantor=row["grantor"],
            namespace=row["namespace"],
            objects=row["objects"],
            role=row["role"],
            privileges=tuple(row["privileges"]),
            grantable=tuple(row["grantable"]),
            revoked=tuple(row["revoked"]),
        )
