"""Render types, sequences, namespaces and extensions. Pure."""

import re
from collections.abc import Iterator
from dataclasses import replace

from dbwarden.dialects.clauses import Settings, clause, default_setting, set_changed
from dbwarden.dialects.postgresql.ddl.columns import (
    can_start,
    continue_after_rows,
    default_options,
    retyped_options,
    sequence_options,
)
from dbwarden.dialects.postgresql.ddl.context import (
    Context,
    Statements,
    comment,
    ref_sql,
)
from dbwarden.dialects.postgresql.ddl.names import is_own
from dbwarden.dialects.postgresql.ddl.tables import STORAGE
from dbwarden.dialects.postgresql.sql.quoting import quote, text_literal
from dbwarden.diff.changes import RebuildType, Rebuilt
from dbwarden.diff.compare import pair
from dbwarden.diff.statements import PlannedStatement, Sql
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

TypeObject = Extension | Enum | Domain | CompositeType | Sequence


def create_type(ctx: Context, obj: TypeObject) -> Statements:
    """Create a type, extension or sequence; the owner of a sequence is set later."""
    match obj:
        case Extension():
            own = is_own(obj.namespace, ctx.desired.default_namespace)
            schema = clause(" WITH SCHEMA {}", None if own else quote(obj.namespace))
            version = clause(" VERSION {}", obj.version and text_literal(obj.version))
            yield f"CREATE EXTENSION {quote(obj.name)}{schema}{version}"
        case Enum():
            values = ",\n    ".join(text_literal(value) for value in obj.values)
            inside = clause("(\n    {}\n)", values) or "()"
            yield f"CREATE TYPE {ctx.name(obj.name)} AS ENUM {inside}"
        case Domain():
            yield from _create_domain(ctx, obj)
        case CompositeType():
            yield from _create_composite(ctx, obj)
        case Sequence():
            text = f"CREATE {'UNLOGGED ' * obj.unlogged}SEQUENCE {ctx.name(obj.name)}"
            text += f" AS {obj.type}" if obj.type != "bigint" else ""
            words = sequence_options(obj.options, default_options(obj.type, obj.options))
            yield " ".join([text, *words])


def alter_type(ctx: Context, before: TypeObject, after: TypeObject) -> Statements:
    """Alter a type, extension or sequence in place."""
    match before, after:
        case Extension(), Extension():
            yield from set_changed(f"ALTER {ref_sql(ctx, after.ref)}", before, after, _EXTENSION)
        case Enum(), Enum():
            yield from _alter_enum(ctx, before, after)
        case Domain(), Domain():
            yield from _alter_domain(ctx, before, after)
        case CompositeType(), CompositeType():
            yield from _alter_composite(ctx, before, after)
        case Sequence(), Sequence():
            yield from _alter_sequence(ctx, before, after)


_EXTENSION: Settings = {
    "version": lambda version: "UPDATE" + clause(" TO {}", version and text_literal(version)),
    "namespace": lambda namespace: f"SET SCHEMA {quote(namespace)}",
}
_DOMAIN: Settings = {
    "default": default_setting,
    "not_null": lambda required: f"{'SET' if required else 'DROP'} NOT NULL",
}


def _alter_enum(ctx: Context, before: Enum, after: Enum) -> Statements:
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
        yield f"ALTER TYPE {name} ADD VALUE {text_literal(value)}{where}"


_ADDS_VALUE = re.compile(r"ALTER TYPE (?P<type>.+) ADD VALUE (?P<value>'(?:[^']|'')*')")


def commit_new_values(statements: tuple[PlannedStatement, ...]) -> tuple[PlannedStatement, ...]:
    """Return *statements* with a separate transaction for each new value that is used later."""
    texts = [statement.text for statement in statements]
    result = []
    for place, statement in enumerate(statements):
        added = _ADDS_VALUE.match(statement.text)
        later = texts[place + 1 :]
        if added and any(added["value"] in text and not _ADDS_VALUE.match(text) for text in later):
            why = "A new value can be used only after it is committed."
            statement = replace(statement, transactional=False, why=why)
        result.append(statement)
    return tuple(result)


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
            Sql(rename, why=_reason(before, after)),
            removes=tuple(ctx.label(before.name, value) for value in values),
            refuses=tuple(f"a value of {label} is {text_literal(value)}" for value in refused),
        )
    for _, after in change.types:
        yield from create_type(ctx, after)
        if after.comment is not None:
            yield comment(ref_sql(ctx, after.ref), after.comment)
    for table, was, now in change.columns:
        yield from _convert_column(ctx, table, was, now)
    for old in reversed(gone):
        yield f"DROP TYPE {ctx.name(old)}"


def _old_name(ctx: Context, name: QualifiedName) -> QualifiedName:
    taken = {*ctx.current.names_in_use(), *ctx.desired.names_in_use()}
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


def _convert_column(ctx: Context, table: QualifiedName, was: Column, now: Column) -> Statements:
    name = quote(now.name)
    alter = ctx.alter(table, now.name)
    if was.default is not None:
        yield f"{alter} DROP DEFAULT"
    array = "[]" if now.type.endswith("[]") else ""
    using = ctx.options.using.get(ctx.label(table, now.name), f"{name}::text{array}::{now.type}")
    yield f"{alter} TYPE {now.type}\n    USING {using}"
    if now.default is not None:
        yield f"{alter} SET DEFAULT {now.default}"


def _create_domain(ctx: Context, domain: Domain) -> Statements:
    checks = [check for check in domain.checks if check.validated]
    collate, default = clause(" COLLATE {}", domain.collation), clause("DEFAULT {}", domain.default)
    lines = [
        f"CREATE DOMAIN {ctx.name(domain.name)} AS {domain.type}{collate}",
        default,
        "NOT NULL" * domain.not_null,
        *map(_check, checks),
    ]
    yield "\n    ".join(filter(None, lines))
    created = tuple(replace(check, comment=None) for check in checks)
    yield from _alter_domain(ctx, replace(domain, checks=created), domain)


def _check(check: DomainCheck) -> str:
    return f"CONSTRAINT {quote(check.name)} CHECK ({check.expression})"


def _alter_domain(ctx: Context, before: Domain, after: Domain) -> Statements:
    name = ctx.name(after.name)
    yield from set_changed(f"ALTER DOMAIN {name}", before, after, _DOMAIN)
    names = dict(_renamed_checks(before.checks, after.checks))
    for old, new in names.items():  # recreating it is refused while an array of the domain is
        yield f"ALTER DOMAIN {name} RENAME CONSTRAINT {quote(old)} TO {quote(new)}"
    checks = tuple(
        replace(check, name=names.get(check.name, check.name)) for check in before.checks
    )
    for was, now in pair(checks, after.checks, lambda check: check.name):
        if was != now:
            yield from _domain_check(name, was, now)


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


def _domain_check(domain: str, was: DomainCheck | None, now: DomainCheck | None) -> Statements:
    stays = was is not None and now is not None and _is_unchanged(was, now)
    if was is not None and not stays:
        yield f"ALTER DOMAIN {domain} DROP CONSTRAINT {quote(was.name)}"
    if now is None:
        return
    if not stays:
        ending = "" if now.validated else " NOT VALID"
        yield f"ALTER DOMAIN {domain}\n    ADD {_check(now)}{ending}"
    elif was is not None and was.validated != now.validated:
        yield f"ALTER DOMAIN {domain} VALIDATE CONSTRAINT {quote(now.name)}"
    if now.comment != (was.comment if was is not None and stays else None):
        yield comment(f"CONSTRAINT {quote(now.name)} ON DOMAIN {domain}", now.comment)


def _is_unchanged(was: DomainCheck, now: DomainCheck) -> bool:
    """Return whether a check need not be recreated."""
    return was.expression == now.expression and now.validated >= was.validated


def _create_composite(ctx: Context, type_: CompositeType) -> Statements:
    lines = ",\n    ".join(f"{quote(item.name)} {_type_of(item)}" for item in type_.attributes)
    inside = clause("(\n    {}\n)", lines) or "()"
    yield f"CREATE TYPE {ctx.name(type_.name)} AS {inside}"
    created = tuple(replace(item, comment=None) for item in type_.attributes)
    yield from _alter_composite(ctx, replace(type_, attributes=created), type_)


def _alter_composite(ctx: Context, before: CompositeType, after: CompositeType) -> Statements:
    name = ctx.name(after.name)
    for was, now in pair(before.attributes, after.attributes, lambda item: item.name):
        if was == now:
            continue
        if was is not None and now is None:
            text = f"ALTER TYPE {name} DROP ATTRIBUTE {quote(was.name)}"
            yield Sql(text, destroys=(ctx.label(before.name, was.name),))
        elif was is None and now is not None:
            yield f"ALTER TYPE {name} ADD ATTRIBUTE {quote(now.name)} {_type_of(now)}"
        elif was is not None and now is not None and _type_of(was) != _type_of(now):
            yield f"ALTER TYPE {name} ALTER ATTRIBUTE {quote(now.name)} TYPE {_type_of(now)}"
        if now is not None and (was.comment if was is not None else None) != now.comment:
            yield comment(f"COLUMN {name}.{quote(now.name)}", now.comment)


def _type_of(attribute: Attribute) -> str:
    return attribute.type + clause(" COLLATE {}", attribute.collation)


def _alter_sequence(ctx: Context, before: Sequence, after: Sequence) -> Statements:
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
        yield f"ALTER SEQUENCE {name} {' '.join(words)}"
    owned = before.owned_by == after.owned_by
    if restarts and owned and after.owned_by is not None:
        table, column = after.owned_by.table, after.owned_by.part or ""
        yield continue_after_rows(ctx, text_literal(name), after.options, table, column)
    logging = {"unlogged": STORAGE["unlogged"]}
    yield from set_changed(f"ALTER SEQUENCE {name}", before, after, logging)
    if before.owned_by != after.owned_by:
        owner = "NONE"
        if after.owned_by is not None:
            owner = f"{ctx.name(after.owned_by.table)}.{quote(after.owned_by.part or '')}"
        yield f"ALTER SEQUENCE {name} OWNED BY {owner}"
