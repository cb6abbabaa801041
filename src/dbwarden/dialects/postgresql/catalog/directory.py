"""Which object number is which thing: pg_depend and pg_description speak in numbers. Pure."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from dbwarden.dialects.postgresql.catalog import classes
from dbwarden.dialects.postgresql.catalog.rows import Row, Rows
from dbwarden.schema import Kind, QualifiedName, Ref, ref_of

TYPE_KINDS = {"e": Kind.ENUM, "d": Kind.DOMAIN}
OTHER_TYPES = {"r": "range type"}
RELATION_KINDS = {
    "r": Kind.TABLE,
    "p": Kind.TABLE,
    "v": Kind.VIEW,
    "m": Kind.MATERIALIZED_VIEW,
    "c": Kind.COMPOSITE,
    "f": Kind.OTHER,
}


@dataclass(slots=True)
class Directory:
    """From object numbers to refs; filled once per reading."""

    refs: dict[tuple[int, int], Ref] = field(default_factory=dict)
    columns: dict[tuple[int, int], str] = field(default_factory=dict)
    defaults: dict[int, tuple[Kind, int, int]] = field(default_factory=dict)
    names: dict[int, QualifiedName] = field(default_factory=dict)
    comments: dict[tuple[int, int, int], str] = field(default_factory=dict)

    def comment(self, catalog: int, oid: int, part: int = 0) -> str | None:
        """The comment on an object, if it has one."""
        return self.comments.get((catalog, oid, part))

    def resolve(self, catalog: int, oid: int, part: int) -> Ref | None:
        """The thing with that number; a view's column is the view."""
        if catalog == classes.ATTRDEF and oid in self.defaults:
            kind, relation, number = self.defaults[oid]
            return self._part(kind, relation, number)
        whole = self.refs.get((catalog, oid))
        if catalog == classes.CLASS and part > 0 and whole and whole.kind is Kind.TABLE:
            return self._part(Kind.COLUMN, oid, part)
        return whole

    def column(self, relation: int | None, number: int | None) -> Ref | None:
        """The column with that number."""
        if relation is None or number is None:
            return None
        return self._part(Kind.COLUMN, relation, number)

    def _part(self, kind: Kind, relation: int, number: int) -> Ref | None:
        name = self.columns.get((relation, number))
        return ref_of(kind, self.names[relation], name) if name is not None else None

    def column_names(self, relation: int, numbers: Collection[int] | None) -> tuple[str, ...]:
        """The names of the columns with these numbers, in their order."""
        if not numbers:
            return ()
        names = [self.columns.get((relation, number)) for number in numbers]
        return tuple([name for name in names if name is not None])


def directory_of(rows: Rows, exclude: Collection[QualifiedName]) -> Directory:
    """Number everything in *rows*, the tables in *exclude* left out."""
    found = Directory()
    found.comments = {(row["class"], row["oid"], row["part"]): row["text"] for row in rows.comments}
    _add_relations(found, rows, exclude)
    _add_columns(found, rows)
    _add_types(found, rows)
    _add_parts(found, rows)
    _add_named(found, rows)
    for row in rows.members:
        owner = found.refs.get((classes.EXTENSION, row["extension"]))
        if owner is not None:
            found.refs.setdefault((row["class"], row["oid"]), owner)
    return found


def _name(row: Row) -> QualifiedName:
    return QualifiedName(row["namespace"], row["name"])


def _add_relations(found: Directory, rows: Rows, exclude: Collection[QualifiedName]) -> None:
    excluded = set(exclude)
    for row in rows.relations:
        name = _name(row)
        if name in excluded:
            continue
        kind = RELATION_KINDS[row["kind"]]
        ref = ref_of(kind, name, "foreign table" if kind is Kind.OTHER else None)
        found.names[row["oid"]] = name
        found.refs[classes.CLASS, row["oid"]] = ref
        found.refs[classes.TYPE, row["row_type"]] = ref
    for row in rows.sequences:
        if row["owner"] is None or row["owner"] in found.names:
            found.refs[classes.CLASS, row["oid"]] = ref_of(Kind.SEQUENCE, _name(row))


def _add_columns(found: Directory, rows: Rows) -> None:
    for row in rows.columns:
        relation = row["relation"]
        if relation not in found.names:
            continue
        number = row["number"]
        found.columns[relation, number] = row["name"]
        if row["default_oid"] is not None:
            kind = Kind.COLUMN if row["generated"] else Kind.DEFAULT
            found.defaults[row["default_oid"]] = (kind, relation, number)


def _add_types(found: Directory, rows: Rows) -> None:
    for row in rows.types:
        kind = TYPE_KINDS.get(row["kind"])
        if row["relation"]:
            ref = found.refs.get((classes.CLASS, row["relation"]))
        elif kind is not None:
            ref = ref_of(kind, _name(row))
        else:
            ref = ref_of(Kind.OTHER, _name(row), OTHER_TYPES.get(row["kind"], "base type"))
        if ref is not None:
            found.refs[classes.TYPE, row["oid"]] = ref
            found.refs[classes.TYPE, row["array_oid"]] = ref


def _add_parts(found: Directory, rows: Rows) -> None:
    """What belongs to a table: constraints, indexes, triggers, rules, policies."""
    for row in rows.constraints:
        if row["domain"] and (classes.TYPE, row["domain"]) in found.refs:
            found.refs[classes.CONSTRAINT, row["oid"]] = found.refs[classes.TYPE, row["domain"]]
        elif row["relation"] in found.names:
            ref = ref_of(Kind.CONSTRAINT, found.names[row["relation"]], row["name"])
            found.refs[classes.CONSTRAINT, row["oid"]] = ref
            if row["kind"] in "pux":
                found.refs[classes.CLASS, row["index"]] = ref
    for row in rows.indexes:
        if row["relation"] in found.names:
            namespace = found.names[row["relation"]].namespace
            found.refs[classes.CLASS, row["oid"]] = Ref(Kind.INDEX, namespace, row["name"])
    for catalog, kind, part in (
        (classes.TRIGGER, Kind.TRIGGER, rows.triggers),
        (classes.REWRITE, Kind.RULE, rows.rules),
        (classes.POLICY, Kind.POLICY, rows.policies),
    ):
        for row in part:
            if row["relation"] in found.names:
                own = found.refs[classes.CLASS, row["relation"]]
                named = ref_of(kind, found.names[row["relation"]], row["name"])
                found.refs[catalog, row["oid"]] = own if row["name"] == "_RETURN" else named


def _add_named(found: Directory, rows: Rows) -> None:
    for row in rows.namespaces:
        found.refs[classes.NAMESPACE, row["oid"]] = Ref(Kind.NAMESPACE, None, row["name"])
    for row in rows.extensions:
        found.refs[classes.EXTENSION, row["oid"]] = Ref(Kind.EXTENSION, None, row["name"])
    for kind, part in ((Kind.ROUTINE, rows.routines), (Kind.AGGREGATE, rows.aggregates)):
        for row in part:
            found.refs[classes.PROC, row["oid"]] = ref_of(kind, _name(row), row["identity"])
    for row in rows.statistics:
        found.refs[classes.STATISTICS, row["oid"]] = ref_of(Kind.STATISTICS, _name(row))
    for row in rows.event_triggers:
        ref = Ref(Kind.EVENT_TRIGGER, None, row["name"])
        found.refs[classes.EVENT_TRIGGER, row["oid"]] = ref


def dependencies(found: Directory, rows: Rows) -> tuple[tuple[Ref, Ref], ...]:
    """Who needs whom, between things of the schema, sorted."""
    return tuple(sorted(set(_pairs(found, rows)), key=lambda p: (p[0].sort_key, p[1].sort_key)))


def _pairs(found: Directory, rows: Rows) -> Iterator[tuple[Ref, Ref]]:
    for row in rows.dependencies:
        user = found.resolve(row["class"], row["oid"], row["part"])
        needed = found.resolve(row["needed_class"], row["needed_oid"], row["needed_part"])
        if user is not None and needed is not None and user != needed:
            yield user, needed
