"""Render columns. Pure."""

from dataclasses import replace

from dbwarden.dialects.clauses import Settings, clause, generated_clause, set_changed
from dbwarden.dialects.postgresql.ddl.capacity import Effect, conversion_effect
from dbwarden.dialects.postgresql.ddl.casts import cast, without_modifier
from dbwarden.dialects.postgresql.ddl.context import (
    LARGEST,
    Context,
    Statements,
    part_comment,
)
from dbwarden.dialects.postgresql.ddl.names import sequence_of
from dbwarden.dialects.postgresql.ddl.not_null import (
    add_not_null,
    fill_rows,
    is_not_valid,
    not_null_clause,
    nullability,
    set_not_null,
)
from dbwarden.dialects.postgresql.ddl.parameters import set_parameters, statistics_target
from dbwarden.dialects.postgresql.ddl.zones import depends_on_zone, zone_conversion
from dbwarden.dialects.postgresql.sql.quoting import quote, text_literal
from dbwarden.diff.statements import Sql
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import (
    Column,
    Domain,
    Identity,
    QualifiedName,
    SequenceOptions,
)

SET_STORAGE_DEFAULT_VERSION = 160000


def column_clause(ctx: Context, table: QualifiedName, column: Column) -> str:
    """Return ``name type ...``, as in CREATE TABLE and after ADD COLUMN."""
    serial = ctx.serial(table, column)
    text = f"{quote(column.name)} {serial or column.type}"
    text += clause(" COMPRESSION {}", column.compression) + clause(" COLLATE {}", column.collation)
    if column.identity is not None:
        text += f" {identity_clause(ctx, table, column, column.identity)}"
    elif column.generated is not None:
        text += f" {generated_clause(column.generated, f'({column.generated.expression})')}"
    elif serial is None:
        text += clause(" DEFAULT {}", column.default)
    return text + not_null_clause(column)


def identity_clause(ctx: Context, table: QualifiedName, column: Column, identity: Identity) -> str:
    """Return ``GENERATED ... AS IDENTITY (...)``."""
    text = f"GENERATED {'ALWAYS' if identity.always else 'BY DEFAULT'} AS IDENTITY"
    options = sequence_options(identity.options, default_options(column.type, identity.options))
    usual = sequence_of(table, column.name)
    if identity.sequence is not None and identity.sequence != usual:
        options = [f"SEQUENCE NAME {ctx.name(identity.sequence)}", *options]
    return f"{text} ({' '.join(options)})" if options else text


def default_options(type_: str, options: SequenceOptions) -> SequenceOptions:
    """Return the server's defaults for the options that *options* do not set."""
    most = LARGEST.get(type_, LARGEST["bigint"])
    if options.increment > 0:
        return SequenceOptions(maximum=most, start=options.minimum)
    return SequenceOptions(minimum=-most - 1, maximum=-1, start=options.maximum)


def sequence_options(now: SequenceOptions, was: SequenceOptions) -> list[str]:
    """Return the clauses that change *was* to *now*."""
    words = {
        f"INCREMENT BY {now.increment}": now.increment != was.increment,
        f"MINVALUE {now.minimum}": now.minimum != was.minimum,
        f"MAXVALUE {now.maximum}": now.maximum != was.maximum,
        f"START WITH {now.start}": now.start != was.start,
        f"CACHE {now.cache}": now.cache != was.cache,
        "CYCLE" if now.cycle else "NO CYCLE": now.cycle != was.cycle,
    }
    return [word for word, needed in words.items() if needed]


def can_start(was: SequenceOptions, now: SequenceOptions) -> bool:
    """Return whether a newly started sequence is within its new limits."""
    return now.minimum <= was.start <= now.maximum


def retyped_options(options: SequenceOptions, old: str, new: str) -> SequenceOptions:
    """Return the options of a sequence after the server changes its type.

    A limit that is the old type's limit becomes the new type's limit; others stay.
    """
    if old == new or not {old, new} <= LARGEST.keys():
        return options
    most, least = LARGEST[old], -LARGEST[old] - 1
    return replace(
        options,
        maximum=LARGEST[new] if options.maximum == most else options.maximum,
        minimum=-LARGEST[new] - 1 if options.minimum == least else options.minimum,
    )


def _fits(options: SequenceOptions, type_: str) -> bool:
    """Return whether a sequence of *type_* can have these limits."""
    most = LARGEST.get(type_, LARGEST["bigint"])
    return -most - 1 <= options.minimum and options.maximum <= most


def after_column(ctx: Context, table: QualifiedName, column: Column) -> Statements:
    """Set the properties of a new column that its clause cannot express."""
    if is_not_valid(column):
        yield add_not_null(ctx, table, column)
    bare = replace(column, statistics=None, storage=None, parameters=(), comment=None)
    if bare != column:
        yield from _settings(ctx, table, bare, column)


def add_column(ctx: Context, table: QualifiedName, column: Column) -> Statements:
    """Add a column; the value for existing rows comes only from ``--fill``."""
    own, label = ctx.name(table), ctx.label(table, column.name)
    if column.not_null and ctx.fill(table, column) is not None:
        nullable = column_clause(ctx, table, replace(column, not_null=False))
        yield f"ALTER TABLE {own} ADD COLUMN {nullable}"
        yield from fill_rows(ctx, table, column)
        alter = Sql(f"ALTER TABLE {own} ALTER COLUMN {quote(column.name)}")
        yield from set_not_null(ctx, table, column, alter)
    else:
        clause = column_clause(ctx, table, column)
        unfilled = (label,) if _is_empty(ctx, column) else ()
        why = "Fails where the table has rows: give a default, or --fill." if unfilled else None
        text = f"ALTER TABLE {own} ADD COLUMN {clause}"
        yield Sql(text, why=why, unfilled=unfilled)
    yield from after_column(ctx, table, column)


def _is_empty(ctx: Context, column: Column) -> bool:
    """Return whether existing rows get no value in a new column that requires one."""
    if not column.not_null or is_not_valid(column):
        return False
    if column.identity is not None or column.generated is not None:
        return False
    default = column.default
    if default is None:  # a domain may have one
        names = {ctx.name(item.name): item.default for item in ctx.desired.of(Domain)}
        default = names.get(column.type)
    return default is None


def lost_values(ctx: Context, name: QualifiedName, column: Column) -> tuple[str, ...]:
    """Return the label of a dropped column, unless its values are computed again."""
    table = ctx.tables.get(name)
    again = table.column(column.name) if table is not None else None
    computed = column.generated is not None and (again is None or again.generated)
    return () if computed else (ctx.original_label(column.ref_in(name)),)


def alter_column(ctx: Context, table: QualifiedName, before: Column, after: Column) -> Statements:
    """Alter a column in place."""
    alter = ctx.alter(table, after.name)
    if before.identity is not None and after.identity is None:
        yield f"{alter} DROP IDENTITY"
    if before.generated is not None and after.generated is None:
        yield f"{alter} DROP EXPRESSION"
    limits_first = False  # if they do not fit the column's smaller type
    if before.identity is not None and after.identity is not None:
        options = retyped_options(before.identity.options, before.type, after.type)
        limits_first = not _fits(options, after.type)
    if limits_first:
        yield from _identity(ctx, table, before, replace(after, type=before.type))
    yield from _retype(ctx, table, before, after)
    computed = before.generated is not None and after.generated is not None
    if computed and after.generated is not None and before.generated != after.generated:
        yield f"{alter} SET EXPRESSION AS ({after.generated.expression})"
    yield from nullability(ctx, table, before, after)
    if not limits_first:
        yield from _identity(ctx, table, before, after)
    yield from _settings(ctx, table, before, after)


def _retype(ctx: Context, table: QualifiedName, before: Column, after: Column) -> Statements:
    alter = ctx.alter(table, after.name)
    moved = (before.type, before.collation) != (after.type, after.collation)
    default = before.default
    # The default of a serial column that only changes its size remains valid.
    counts = before.default == after.default and (before.default or "").startswith("nextval(")
    again = moved and not (counts and {before.type, after.type} <= LARGEST.keys())
    if default is not None and (again or after.default is None):
        why = "The default is given again in the new type." if moved and after.default else None
        yield Sql(f"{alter} DROP DEFAULT", why=why)
        default = None
    if moved:
        yield from _type_statements(ctx, table, before, after)
    if after.default is not None and after.default != default:
        yield f"{alter} SET DEFAULT {after.default}"
        made = ctx.counters.get(after.ref_in(table))
        if made is not None and after.type in LARGEST:
            name = text_literal(ctx.name(made.name))
            yield continue_after_rows(ctx, name, made.options, table, after.name)


def _type_statements(
    ctx: Context, table: QualifiedName, before: Column, after: Column
) -> Statements:
    label = ctx.label(table, after.name)
    own = f"ALTER TABLE {ctx.name(table)}"
    text = f"{own}\n    ALTER COLUMN {quote(after.name)} TYPE {after.type}"
    text += clause(" COLLATE {}", after.collation)
    asked = ctx.options.using.get(label)
    zoned = None if asked else zone_conversion(ctx, before, after)
    using = asked or zoned or conversion(ctx, label, before, after)
    if using is not None and after.generated is None:
        text += f"\n    USING {using}"
    # The user's expression may read the column as it is at that point.
    alone = asked is not None or after.generated is not None
    written = replace(Sql(text), joins=None if alone else own)
    if after.generated is not None or before.type == after.type:
        yield written
        return
    what = conversion_effect(ctx.base_type(before.type), ctx.base_type(after.type))
    if what and asked is not None:
        what = Effect.CHANGES  # an expression may cut what the plain conversion refuses
    if Effect.CHANGES in what:
        written = replace(written, converts=(label,))
    if Effect.REFUSES in what:
        written = replace(written, refuses=(f"{label} does not fit {after.type}",))
    if asked is not None or not depends_on_zone(ctx, before, after):
        yield written
    elif zoned is not None:
        yield replace(written, why=_REVIEW_ZONE)
    else:  # no expression without a subquery converts an array
        yield Sql("SET LOCAL TIME ZONE 'UTC'", why=_REVIEW_ZONE)
        yield replace(written, joins=None)
        yield "SET LOCAL TIME ZONE DEFAULT"


_REVIEW_ZONE = (
    "Review: times without a zone are taken as UTC; pass --using or --rollback-using to change it."
)


def conversion(ctx: Context, label: str, before: Column, after: Column) -> str | None:
    """Return the expression that converts old values, if the server needs one.

    Raises:
        UnsupportedChange: No conversion is known to work.
    """
    name = quote(after.name)
    way = cast(ctx.base_type(before.type), ctx.base_type(after.type))
    if way in ("implicit", "assignment"):
        return None
    if way == "explicit":
        return f"{name}::{after.type}"
    if _is_user_type(before.type) and _is_user_type(after.type):
        array = "[]" if after.type.endswith("[]") else ""
        return f"{name}::text{array}::{after.type}"
    error = UnsupportedChange(
        f"PostgreSQL has no conversion of {label} from {before.type} to {after.type}.",
        next_step=f"Pass the conversion: --using {label}='<expression>'.",
    )
    error.unconverted = label
    raise error


def _is_user_type(type_: str) -> bool:
    """Return whether the type is user-defined; enums and domains are converted through text."""
    known = LARGEST.keys() | {"uuid", "bytea", "json", "jsonb", "boolean", "numeric", "date"}
    name = without_modifier(type_).removesuffix("[]")
    return name not in known and " " not in name


def _identity(ctx: Context, table: QualifiedName, before: Column, after: Column) -> Statements:
    alter = ctx.alter(table, after.name)
    was, now = before.identity, after.identity
    if now is None:
        return
    if was is None:
        yield f"{alter} ADD {identity_clause(ctx, table, after, now)}"
        yield _continue_counting(ctx, table, after, now)
        return
    if was.always != now.always:
        sort = "ALWAYS" if now.always else "BY DEFAULT"
        yield f"{alter} SET GENERATED {sort}"
    options = retyped_options(was.options, before.type, after.type)
    words = [f"SET {word}" for word in sequence_options(now.options, options)]
    restarts = not can_start(was.options, now.options)
    if words:
        yield " ".join([alter, *words, *(["RESTART"] if restarts else [])])
    if restarts:
        yield _continue_counting(ctx, table, after, now)
    if was.sequence is not None and now.sequence is not None and was.sequence != now.sequence:
        new = quote(now.sequence.name)
        yield f"ALTER SEQUENCE {ctx.name(was.sequence)} RENAME TO {new}"


def _continue_counting(
    ctx: Context, table: QualifiedName, column: Column, identity: Identity
) -> Sql:
    sequence = (
        f"pg_get_serial_sequence({text_literal(ctx.name(table))}, {text_literal(column.name)})"
    )
    return continue_after_rows(ctx, sequence, identity.options, table, column.name)


def continue_after_rows(
    ctx: Context,
    sequence: str,
    options: SequenceOptions,
    table: QualifiedName,
    column: str,
) -> Sql:
    """Let a new or restarted sequence continue after the existing rows."""
    farthest, compared = ("max", ">=") if options.increment > 0 else ("min", "<=")
    value = f"{farthest}({quote(column)})"
    return Sql(
        f"SELECT setval({sequence}, {value}) FROM {ctx.name(table)}"
        f" HAVING {value} {compared} {options.start}",
        why="New rows are numbered after the existing ones.",
    )


def _settings(ctx: Context, table: QualifiedName, before: Column, after: Column) -> Statements:
    """Change statistics, storage, compression, parameters and comment."""
    alter = ctx.alter(table, after.name)
    storage_of_type = "DEFAULT"
    if ctx.desired.server_version < SET_STORAGE_DEFAULT_VERSION:
        short = without_modifier(after.type) in ("numeric", "inet", "cidr")
        storage_of_type = "MAIN" if short else "EXTENDED"
    settings: Settings = {
        "statistics": statistics_target,
        "storage": lambda storage: f"SET STORAGE {storage or storage_of_type}",
        "compression": lambda method: f"SET COMPRESSION {method or 'default'}",
    }
    yield from set_changed(alter, before, after, settings)
    yield from set_parameters(alter, before.parameters, after.parameters)
    yield from part_comment(ctx, table, after, before=before.comment)
