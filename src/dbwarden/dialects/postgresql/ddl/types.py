"""Render types, sequences, namespaces and extensions. Pure."""

from collections.abc import Iterator
from dataclasses import replace

from dbwarden.dialects.postgresql.ddl.columns import (
    can_start,
    continue_after_rows,
    default_options,
    retyped_options,
    sequence_options,
)
from dbwarden.dialects.postgresql.ddl.context import Context, comment, ref_sql, statement
from dbwarden.dialects.postgresql.ddl.names import is_own
from dbwarden.dialects.postgresql.sql.quoting import quote, text_literal
from dbwarden.diff.changes import Alter, Change, Create, RebuildType, Rebuilt
from dbwarden.diff.compare import pair
from dbwarden.diff.statements import PlannedStatement
from dbwarden.schema import (
    Attribute,
    Column,
    CompositeType,
    Domain,
    DomainCheck,
    Enum,
    Extension,
    QualifiedName,
    Sequence,
    free_name,
)

Statements = Iterator[PlannedStatement]


def create_extension(ctx: Context, change: Create, extension: Extension) -> Statements:
    """Create an extension."""
    text = f"CREATE EXTENSION {quote(extension.name)}"
    if not is_own(extension.namespace, ctx.desired.default_namespace):
        text += f" WITH SCHEMA {quote(extension.namespace)}"
    if extension.version is not None:
        text += f" VERSION {text_literal(extension.version)}"
    yield statement(change, text)


def alter_extension(change: Alter, before: Extension, after: Extension) -> Statements:
    """Change the version and namespace of an extension."""
    name = quote(after.name)
    if before.version != after.version:
        to = f" TO {text_literal(after.version)}" if after.version is not None else ""
        yield statement(change, f"ALTER EXTENSION {name} UPDATE{to}")
    if before.namespace != after.namespace:
        yield statement(change, f"ALTER EXTENSION {name} SET SCHEMA {quote(after.namespace)}")


def create_enum(ctx: Context, change: Change, enum: Enum) -> Statements:
    """Create an enumerated type."""
    values = ",\n    ".join(text_literal(value) for value in enum.values)
    inside = f"(\n    {values}\n)" if enum.values else "()"
    yield statement(change, f"CREATE TYPE {ctx.name(enum.name)} AS ENUM {inside}")


def alter_enum(ctx: Context, change: Alter, before: Enum, after: Enum) -> Statements:
    """Add values at their positions."""
    name = ctx.name(after.name)
    known = list(before.values)
    for place, value in enumerate(after.values):
        if value in known:
            continue
        if place > 0:
            where = f" AFTER {text_literal(after.values[place - 1])}" if place < len(known) else ""
        else:
            where = f" BEFORE {text_literal(known[0])}" if known else ""
        known.insert(place, value)
        yield statement(change, f"ALTER TYPE {name} ADD VALUE {text_literal(value)}{where}")


def rebuild_type(ctx: Context, change: RebuildType) -> Statements:
    """Replace types that cannot change in place by new ones, and convert the columns."""
    gone: list[QualifiedName] = []
    moved = (ctx.label(table, now.name) for table, _, now in change.columns)
    mapped = all(label in ctx.options.using for label in moved)
    for before, after in change.types:
        old = _old_name(ctx, before.name)
        gone.append(old)
        values = [value for value in _values(before) if value not in _values(after)]
        label, refused = ctx.label(before.name), () if mapped else values
        rename = f"ALTER TYPE {ctx.name(before.name)} RENAME TO {quote(old.name)}"
        yield replace(
            statement(change, rename, why=_reason(before, after)),
            removes=tuple(ctx.label(before.name, value) for value in values),
            refuses=tuple(f"a value of {label} is {text_literal(value)}" for value in refused),
        )
    for _, after in change.types:
        match after:
            case Enum():
                yield from create_enum(ctx, change, after)
            case Domain():
                yield from create_domain(ctx, change, after)
            case CompositeType():
                yield from create_composite(ctx, change, after)
        if after.comment is not None:
            yield comment(change, ref_sql(ctx, after.ref), after.comment)
    for table, was, now in change.columns:
        yield from _convert_column(ctx, change, table, was, now)
    for old in reversed(gone):
        yield statement(change, f"DROP TYPE {ctx.name(old)}")


def _old_name(ctx: Context, name: QualifiedName) -> QualifiedName:
    taken: set[str] = set()
    for schema in (ctx.current, ctx.desired):
        named = (schema.of(Enum), schema.of(Domain), schema.of(CompositeType), schema.tables)
        taken.update(item.name.name for items in named for item in items)
    return QualifiedName(name.namespace, free_name(name.name, "__old", taken))


def _reason(before: Rebuilt, after: Rebuilt) -> str:
    match before:
        case _ if before == after:
            return "It depends on a type that is recreated."
        case Enum():
            return "The values of a type cannot be removed or reordered, so it is recreated."
        case Domain():
            return "A domain's base type cannot change, so it is recreated."
        case CompositeType():
            return "The type of an attribute in use cannot change, so the type is recreated."


def _values(type_: Rebuilt) -> tuple[str, ...]:
    return type_.values if isinstance(type_, Enum) else ()


def _convert_column(
    ctx: Context, change: RebuildType, table: QualifiedName, was: Column, now: Column
) -> Statements:
    name = quote(now.name)
    alter = f"ALTER TABLE {ctx.name(table)}\n    ALTER COLUMN {name}"
    if was.default is not None:
        yield statement(change, f"{alter} DROP DEFAULT")
    array = "[]" if now.type.endswith("[]") else ""
    using = ctx.options.using.get(ctx.label(table, now.name), f"{name}::text{array}::{now.type}")
    yield statement(change, f"{alter} TYPE {now.type}\n    USING {using}")
    if now.default is not None:
        yield statement(change, f"{alter} SET DEFAULT {now.default}")


def create_domain(ctx: Context, change: Change, domain: Domain) -> Statements:
    """Create a domain."""
    name = ctx.name(domain.name)
    lines = [f"CREATE DOMAIN {name} AS {domain.type}"]
    if domain.collation is not None:
        lines[0] += f" COLLATE {domain.collation}"
    if domain.default is not None:
        lines.append(f"DEFAULT {domain.default}")
    if domain.not_null:
        lines.append("NOT NULL")
    lines += [_check(check) for check in domain.checks if check.validated]
    yield statement(change, "\n    ".join(lines))
    for check in domain.checks:
        if not check.validated:
            yield statement(change, f"ALTER DOMAIN {name} ADD {_check(check)} NOT VALID")
        if check.comment is not None:
            yield _check_comment(change, name, check)


def _check(check: DomainCheck) -> str:
    return f"CONSTRAINT {quote(check.name)} CHECK ({check.expression})"


def _check_comment(change: Change, domain: str, check: DomainCheck) -> PlannedStatement:
    return comment(change, f"CONSTRAINT {quote(check.name)} ON DOMAIN {domain}", check.comment)


def alter_domain(ctx: Context, change: Alter, before: Domain, after: Domain) -> Statements:
    """Alter a domain, except its base type."""
    name = ctx.name(after.name)
    if before.default != after.default:
        what = f"SET DEFAULT {after.default}" if after.default is not None else "DROP DEFAULT"
        yield statement(change, f"ALTER DOMAIN {name} {what}")
    if before.not_null != after.not_null:
        word = "SET" if after.not_null else "DROP"
        yield statement(change, f"ALTER DOMAIN {name} {word} NOT NULL")
    names = dict(_renamed_checks(before.checks, after.checks))
    for old, new in names.items():  # recreating it is refused while an array of the domain is
        text = f"ALTER DOMAIN {name} RENAME CONSTRAINT {quote(old)} TO {quote(new)}"
        yield statement(change, text)
    checks = tuple(
        replace(check, name=names.get(check.name, check.name)) for check in before.checks
    )
    for was, now in pair(checks, after.checks, lambda check: check.name):
        if was != now:
            yield from _domain_check(change, name, was, now)


def _renamed_checks(
    before: tuple[DomainCheck, ...], after: tuple[DomainCheck, ...]
) -> Iterator[tuple[str, str]]:
    """Yield the old and new names of checks that only change their name."""
    kept = {check.name for check in before} & {check.name for check in after}
    came = [check for check in after if check.name not in kept]
    for was in before:
        like = [now for now in came if now.expression == was.expression and _is_unchanged(was, now)]
        if was.name not in kept and like:
            came.remove(like[0])
            yield was.name, like[0].name


def _domain_check(
    change: Change, domain: str, was: DomainCheck | None, now: DomainCheck | None
) -> Statements:
    stays = was is not None and now is not None and _is_unchanged(was, now)
    if was is not None and not stays:
        yield statement(change, f"ALTER DOMAIN {domain} DROP CONSTRAINT {quote(was.name)}")
    if now is None:
        return
    if not stays:
        ending = "" if now.validated else " NOT VALID"
        yield statement(change, f"ALTER DOMAIN {domain}\n    ADD {_check(now)}{ending}")
    elif was is not None and was.validated != now.validated:
        validate = f"ALTER DOMAIN {domain} VALIDATE CONSTRAINT {quote(now.name)}"
        yield statement(change, validate)
    if now.comment != (was.comment if was is not None and stays else None):
        yield _check_comment(change, domain, now)


def _is_unchanged(was: DomainCheck, now: DomainCheck) -> bool:
    """Return whether a check need not be recreated."""
    return was.expression == now.expression and now.validated >= was.validated


def create_composite(ctx: Context, change: Change, type_: CompositeType) -> Statements:
    """Create a composite type."""
    name = ctx.name(type_.name)
    lines = ",\n    ".join(_attribute(attribute) for attribute in type_.attributes)
    inside = f"(\n    {lines}\n)" if lines else "()"
    yield statement(change, f"CREATE TYPE {name} AS {inside}")
    for attribute in type_.attributes:
        if attribute.comment is not None:
            yield comment(change, f"COLUMN {name}.{quote(attribute.name)}", attribute.comment)


def _attribute(attribute: Attribute) -> str:
    text = f"{quote(attribute.name)} {attribute.type}"
    return f"{text} COLLATE {attribute.collation}" if attribute.collation is not None else text


def alter_composite(
    ctx: Context, change: Alter, before: CompositeType, after: CompositeType
) -> Statements:
    """Add, drop and alter attributes."""
    name = ctx.name(after.name)
    for was, now in pair(before.attributes, after.attributes, lambda item: item.name):
        if was == now:
            continue
        if was is not None and now is None:
            lost = (ctx.label(before.name, was.name),)
            text = f"ALTER TYPE {name} DROP ATTRIBUTE {quote(was.name)}"
            yield statement(change, text, destroys=lost)
        elif was is None and now is not None:
            yield statement(change, f"ALTER TYPE {name} ADD ATTRIBUTE {_attribute(now)}")
        elif was is not None and now is not None and _type_of(was) != _type_of(now):
            collate = f" COLLATE {now.collation}" if now.collation is not None else ""
            what = f"ALTER ATTRIBUTE {quote(now.name)} TYPE {now.type}{collate}"
            yield statement(change, f"ALTER TYPE {name} {what}")
        if now is not None and (was.comment if was is not None else None) != now.comment:
            yield comment(change, f"COLUMN {name}.{quote(now.name)}", now.comment)


def _type_of(attribute: Attribute) -> tuple[str, str | None]:
    return attribute.type, attribute.collation


def create_sequence(ctx: Context, change: Create, sequence: Sequence) -> Statements:
    """Create a sequence; its owner is set later, when the column exists."""
    unlogged = "UNLOGGED " if sequence.unlogged else ""
    text = f"CREATE {unlogged}SEQUENCE {ctx.name(sequence.name)}"
    if sequence.type != "bigint":
        text += f" AS {sequence.type}"
    words = sequence_options(sequence.options, default_options(sequence.type, sequence.options))
    yield statement(change, " ".join([text, *words]))


def alter_sequence(ctx: Context, change: Alter, before: Sequence, after: Sequence) -> Statements:
    """Change the type, options and owner of a sequence."""
    name = ctx.name(after.name)
    words = sequence_options(
        after.options, retyped_options(before.options, before.type, after.type)
    )
    if before.type != after.type:
        words = [f"AS {after.type}", *words]
    restarts = not can_start(before.options, after.options)
    if restarts:
        words.append("RESTART")  # its current value is outside its new limits
    if words:
        yield statement(change, f"ALTER SEQUENCE {name} {' '.join(words)}")
    owned = before.owned_by == after.owned_by
    if restarts and owned and after.owned_by is not None:
        table, column = after.owned_by.table, after.owned_by.part or ""
        yield continue_after_rows(ctx, change, text_literal(name), after.options, table, column)
    if before.unlogged != after.unlogged:
        yield statement(change, f"ALTER SEQUENCE {name} SET {'UN' * after.unlogged}LOGGED")
    if before.owned_by != after.owned_by:
        owner = "NONE"
        if after.owned_by is not None:
            owner = f"{ctx.name(after.owned_by.table)}.{quote(after.owned_by.part or '')}"
        yield statement(change, f"ALTER SEQUENCE {name} OWNED BY {owner}")
