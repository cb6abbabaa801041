"""Facts about the whole plan that the SQL of one change depends on. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dbwarden.dialects.postgresql.ddl.names import qualified, sequence_of
from dbwarden.dialects.postgresql.sql.quoting import literal_or_null, quote
from dbwarden.diff.changes import Alter, Change, Create, Drop, RebuildType, Rename, RenameValue
from dbwarden.diff.cycles import dropped_before_table
from dbwarden.diff.renames import apply_renames
from dbwarden.diff.statements import RenderOptions, Sql
from dbwarden.diff.temporary_names import original_names
from dbwarden.schema import (
    OBJECT_KINDS,
    ON_TABLES,
    RELATIONS,
    Column,
    Constraint,
    Domain,
    Grant,
    Index,
    ObjectKind,
    Part,
    Policy,
    QualifiedName,
    Ref,
    Rule,
    Schema,
    SequenceOptions,
    Statistics,
    Table,
    Trigger,
    free_name,
    ref_of,
)
from dbwarden.schema import Sequence as SchemaSequence

Statements = Iterator[str | Sql]
"""What the renderers yield: the text of a statement, or more about it."""
SERIALS = {"smallint": "smallserial", "integer": "serial", "bigint": "bigserial"}
LARGEST = {"smallint": 32767, "integer": 2147483647, "bigint": 9223372036854775807}


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Both schemas, the user's options, and the objects that the plan creates and drops."""

    current: Schema
    desired: Schema
    options: RenderOptions
    created: frozenset[Ref]
    dropped: frozenset[Ref]
    serials: Mapping[Ref, QualifiedName]
    counters: Mapping[Ref, SchemaSequence]
    original_names: Mapping[Ref, str]
    dropped_before_table: frozenset[Ref]
    tables: dict[QualifiedName, Table]
    old_index_names: Mapping[tuple[QualifiedName, str], str]

    def name(self, name: QualifiedName) -> str:
        """Return *name* as SQL, without the default namespace."""
        return qualified(name, self.desired.default_namespace)

    def raw_name(self, name: QualifiedName) -> str:
        """Return *name*, which is no identifier, as SQL: that of an operator or cast."""
        own = name.namespace in (None, self.desired.default_namespace)
        return name.name if own else f"{quote(name.namespace or '')}.{name.name}"

    def label(self, name: QualifiedName, part: str | None = None) -> str:
        """Return *name* in the form of command line options: ``users.email``."""
        return name.label(self.desired.default_namespace, part)

    def original_label(self, ref: Ref) -> str:
        """Return the label of a dropped table or column by its original name."""
        own = self.original_names.get(ref, ref.part or ref.name)
        if ref.part is not None:
            return self.label(ref.table, own)
        return self.label(QualifiedName(ref.namespace, own))

    def fill(self, table: QualifiedName, column: Column) -> str | None:
        """Return the user's expression for rows without a value in *column*, if there is one."""
        return self.options.fills.get(self.label(table, column.name))

    def base_type(self, type_: str) -> str:
        """Return *type_*, or the base type of a domain; the values are the same."""
        array = "[]" if type_.endswith("[]") else ""
        domains = {
            self.name(domain.name): domain.type
            for schema in (self.current, self.desired)
            for domain in schema.of(Domain)
        }
        name = type_.removesuffix("[]")
        while name in domains:
            name = domains.pop(name)
        return name + array

    def has(self, name: QualifiedName) -> bool:
        """Return whether a table, view, sequence or type has this name before."""
        return _has_relation(self.current, name)

    def will_have(self, name: QualifiedName) -> bool:
        """Return whether a table, view, sequence or type has this name afterwards."""
        return _has_relation(self.desired, name)

    def index(self, table: QualifiedName, index: str) -> str:
        """Return an index as SQL, in its table's namespace."""
        return self.name(QualifiedName(table.namespace, index))

    def alter(self, table: QualifiedName, column: str) -> str:
        """Return ``ALTER TABLE table ALTER COLUMN column``, on two lines."""
        return f"ALTER TABLE {self.name(table)}\n    ALTER COLUMN {quote(column)}"

    def may_have_rows(self, table: QualifiedName) -> bool:
        """Return whether it may have rows and supports CONCURRENTLY: partitioned ones do not."""
        found = self.tables.get(table)
        partitioned = found is not None and found.partition_by is not None
        return ref_of(ObjectKind.TABLE, table) not in self.created and not partitioned

    def serial(self, table: QualifiedName, column: Column) -> str | None:
        """Return ``serial`` or the like if the plan creates the matching sequence."""
        if column.ref_in(table) in self.serials:
            return SERIALS[column.type]
        return None

    def is_dropped_with_owner(self, change: Drop) -> bool:
        """Return whether an object is dropped together with the one it belongs to."""
        if change.ref in self.dropped_before_table:
            return False
        match change.obj:
            case Trigger() | Rule() | Policy() | Statistics() as obj:
                return bool(self.dropped & _relations(obj.table))
            case SchemaSequence(owned_by=owner) if owner is not None:
                return owner in self.dropped or bool(self.dropped & _relations(owner.table))
            case Grant(on=on):
                return on in self.dropped
            case _:
                return False


def _has_relation(schema: Schema, name: QualifiedName) -> bool:
    found = {ref_of(kind, name) for kind, row in OBJECT_KINDS.items() if row.names}
    return schema.table(name) is not None or any(obj.ref in found for obj in schema.objects)


def _relations(name: QualifiedName) -> frozenset[Ref]:
    return frozenset(ref_of(kind, name) for kind in RELATIONS)


def context(
    changes: Sequence[Change], current: Schema, desired: Schema, options: RenderOptions
) -> Context:
    """Collect the facts about the whole plan."""
    created = frozenset(change.ref for change in changes if isinstance(change, Create))
    sequences = (item for item in desired.of(SchemaSequence) if item.ref in created)
    replaced = _replaced_indexes(changes, current) if options.online else ()
    return Context(
        current=current,
        desired=desired,
        options=options,
        created=created,
        dropped=frozenset(change.ref for change in changes if isinstance(change, Drop)),
        serials=dict(_serials(changes)),
        counters={item.owned_by: item for item in sequences if item.owned_by is not None},
        original_names=original_names(changes),
        dropped_before_table=dropped_before_table(current),
        tables={table.name: table for table in desired.tables},
        old_index_names=_old_names(replaced, current, desired),
    )


def _replaced_indexes(
    changes: Sequence[Change], current: Schema
) -> Iterable[tuple[QualifiedName, str]]:
    """Yield recreated indexes that can keep serving queries until the new one is built."""
    gone = [c for c in changes if isinstance(c, Drop) and isinstance(c.obj, Column)]
    made = {(c.table, c.ref) for c in changes if isinstance(c, Create)}
    dependents = _dependents_of_dropped(changes, current)
    for change in changes:
        match change:
            case Drop(obj=Index() as index) if (change.table, change.ref) in made:
                keys = {column.column for column in index.columns} | {*index.include}
                lost = {other.ref.part for other in gone if other.table == change.table}
                plain = index.where is None and None not in keys
                unaffected = not lost or (plain and not lost & keys)
                if unaffected and change.ref not in dependents:
                    yield change.table, index.name


def _dependents_of_dropped(changes: Sequence[Change], current: Schema) -> frozenset[Ref]:
    """Return the objects that need a function or type that the plan drops or recreates."""
    gone = {
        change.ref
        for change in changes
        if isinstance(change, Drop) and not isinstance(change.obj, Table | Part)
    }
    gone |= {was.ref for c in changes if isinstance(c, RebuildType) for was, _ in c.types}
    if not gone:
        return frozenset()
    renames = [change for change in changes if isinstance(change, Rename | RenameValue)]
    base = apply_renames(current, renames)
    return frozenset(user for user, needed in base.dependencies if needed in gone)


def _old_names(
    replaced: Iterable[tuple[QualifiedName, str]], *schemas: Schema
) -> Mapping[tuple[QualifiedName, str], str]:
    """Return the temporary name of each of the *replaced* indexes."""
    found: dict[tuple[QualifiedName, str], str] = {}
    taken = {name for schema in schemas for name in schema.names_in_use()}
    for table, name in replaced:
        found[table, name] = free_name(name, "__old", taken)
        taken.add(found[table, name])
    return found


def _serials(changes: Iterable[Change]) -> Iterable[tuple[Ref, QualifiedName]]:
    """Yield the new columns whose new sequence is the one that ``serial`` creates."""
    changes = tuple(changes)
    owners = {
        change.after.name: change.after.owned_by
        for change in changes
        if isinstance(change, Alter) and isinstance(change.after, SchemaSequence)
    }
    created = (change.obj for change in changes if isinstance(change, Create))
    sequences = {obj.name: obj for obj in created if isinstance(obj, SchemaSequence)}
    for change in changes:
        match change:
            case Create(obj=Table(columns=columns)):
                pass
            case Create(obj=Column() as added):
                columns = (added,)
            case _:
                continue
        for column in columns:
            own = sequence_of(change.table, column.name)
            sequence, ref = sequences.get(own), column.ref_in(change.table)
            owned = owners.get(own) == ref
            if sequence is not None and owned and _is_serial(column, sequence):
                yield ref, own


def _is_serial(column: Column, sequence: SchemaSequence) -> bool:
    usual = SequenceOptions(maximum=LARGEST.get(column.type, 0))
    name = quote(sequence.name.name)
    texts = {f"nextval('{name}'::regclass)"}
    if sequence.name.namespace is not None:
        texts.add(f"nextval('{quote(sequence.name.namespace)}.{name}'::regclass)")
    return (
        column.type in SERIALS
        and column.type == sequence.type
        and column.not_null
        and column.default in texts
        and sequence.options == usual
        and not sequence.unlogged
        and sequence.comment is None
    )


def ref_sql(ctx: Context, ref: Ref, template: str = "") -> str:
    """Return ``VIEW name`` or ``TRIGGER name ON table``, as in DROP, ALTER and COMMENT ON."""
    usual = "{part} ON {name}" if ref.kind in ON_TABLES else "{name}"
    template = template or OBJECT_KINDS[ref.kind].sql or f"{ref.kind.value.upper()} {usual}"
    part = ref.part or ""
    name, raw_name = ctx.name(ref.table), ctx.raw_name(ref.table)
    return template.format(name=name, raw_name=raw_name, part=quote(part), raw_part=part)


def part_comment(
    ctx: Context,
    table: QualifiedName,
    part: Column | Constraint | Index,
    *,
    before: str | None = None,
) -> Statements:
    """Change the comment of a column, constraint or index of *table*, unless it is *before*."""
    if part.comment != before:
        yield comment(ref_sql(ctx, part.ref_in(table)), part.comment)


def comment(on: str, text: str | None) -> str:
    """Return ``COMMENT ON ... IS ...``."""
    return f"COMMENT ON {on} IS {literal_or_null(text)}"
