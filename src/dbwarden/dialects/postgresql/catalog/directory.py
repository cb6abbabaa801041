"""Map OIDs to objects, for pg_depend and pg_description. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from dbwarden.dialects.postgresql.catalog import classes
from dbwarden.dialects.postgresql.catalog.rows import CatalogRow, CatalogRows, name_of
from dbwarden.schema import ObjectKind, QualifiedName, Ref, ref_of

TYPE_KINDS = {"e": ObjectKind.ENUM, "d": ObjectKind.DOMAIN}
RELATION_KINDS = {
    "r": ObjectKind.TABLE,
    "p": ObjectKind.TABLE,
    "v": ObjectKind.VIEW,
    "m": ObjectKind.MATERIALIZED_VIEW,
    "c": ObjectKind.COMPOSITE,
}
"""The kinds of relations; foreign tables are read with the plain objects."""

ObjectAddress = tuple[str, str, str, str]


@dataclass(slots=True)
class Directory:
    """A map from OIDs to refs; filled once per read."""

    refs: dict[tuple[int, int], Ref] = field(default_factory=dict)
    columns: dict[int, dict[int, str]] = field(default_factory=dict)
    """The column names of a relation, by number."""
    defaults: dict[int, tuple[ObjectKind, int, int]] = field(default_factory=dict)
    names: dict[int, QualifiedName] = field(default_factory=dict)
    comments: dict[tuple[int, int, int], str] = field(default_factory=dict)

    def comment(self, catalog: int, oid: int, part: int = 0) -> str | None:
        """Return the comment on an object, or ``None``."""
        return self.comments.get((catalog, oid, part)) if self.comments else None

    def resolve(self, catalog: int, oid: int, part: int) -> Ref | None:
        """Return the object with this OID; a view's column resolves to the view."""
        if catalog == classes.ATTRDEF and oid in self.defaults:
            _, relation, _ = self.defaults[oid]
            return self._part(*self.defaults[oid]) or self.refs.get((classes.CLASS, relation))
        whole = self.refs.get((catalog, oid))
        if catalog == classes.CLASS and part > 0 and whole and whole.kind is ObjectKind.TABLE:
            return self._part(ObjectKind.COLUMN, oid, part)
        return whole

    def column(self, relation: int | None, number: int | None) -> Ref | None:
        """Return the column with this number."""
        if relation is None or number is None:
            return None
        return self._part(ObjectKind.COLUMN, relation, number)

    def _part(self, kind: ObjectKind, relation: int, number: int) -> Ref | None:
        name = self.columns.get(relation, {}).get(number)
        return ref_of(kind, self.names[relation], name) if name is not None else None

    def column_names(self, relation: int, numbers: Iterable[int]) -> tuple[str, ...]:
        """Return the names of the columns with these numbers, in order."""
        names = self.columns.get(relation, {})
        return tuple([names[number] for number in numbers if number in names])


def add_relations(
    directory: Directory, rows: Iterable[CatalogRow], exclude: Collection[QualifiedName]
) -> None:
    """Register tables, views and composite types, except those in *exclude*."""
    for row in rows:
        name = name_of(row)
        if name in exclude:
            continue
        directory.names[row["oid"]] = name
        if row["kind"] in RELATION_KINDS:
            ref = ref_of(RELATION_KINDS[row["kind"]], name)
            directory.refs[classes.CLASS, row["oid"]] = ref
            directory.refs[classes.TYPE, row["row_type"]] = ref


def add_sequences(directory: Directory, rows: Iterable[CatalogRow]) -> None:
    """Register sequences, except those of excluded tables."""
    for row in rows:
        if row["owner"] is None or row["owner"] in directory.names:
            directory.refs[classes.CLASS, row["oid"]] = ref_of(ObjectKind.SEQUENCE, name_of(row))


def add_types(directory: Directory, rows: Iterable[CatalogRow]) -> None:
    """Register enums, domains and other types; a row type resolves to its relation."""
    for row in rows:
        kind = TYPE_KINDS.get(row["kind"])
        if row["relation"]:
            ref = directory.refs.get((classes.CLASS, row["relation"]))
        elif kind is not None:
            ref = ref_of(kind, name_of(row))
        else:
            ref = ref_of(ObjectKind.OTHER, name_of(row), "base type")
        if ref is not None:
            directory.refs[classes.TYPE, row["oid"]] = ref
            directory.refs[classes.TYPE, row["array_oid"]] = ref


def add_members(directory: Directory, rows: Iterable[CatalogRow]) -> None:
    """Let the other members of an extension resolve to the extension."""
    for row in rows:
        owner = directory.refs.get((classes.EXTENSION, row["extension"]))
        if owner is not None:
            directory.refs.setdefault((row["class"], row["oid"]), owner)


def dependencies(directory: Directory, rows: CatalogRows) -> tuple[tuple[Ref, Ref], ...]:
    """Return sorted pairs of an object of the schema and one that it needs."""
    pairs: dict[tuple[ObjectAddress, ObjectAddress], tuple[Ref, Ref]] = {}
    for row in rows.dependencies:
        user = directory.resolve(row["class"], row["oid"], row["part"])
        needed = directory.resolve(row["needed_class"], row["needed_oid"], row["needed_part"])
        if user is not None and needed is not None:
            pairs[user.sort_key, needed.sort_key] = (user, needed)
    return tuple([pairs[key] for key in sorted(pairs) if key[0] != key[1]])
