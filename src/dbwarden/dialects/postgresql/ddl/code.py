"""Render views, routines, triggers, rules, policies and statistics. Pure."""

from collections.abc import Iterator

from dbwarden.dialects.postgresql.ddl.constraints import (
    add_index,
    parameters,
    set_parameters,
)
from dbwarden.dialects.postgresql.ddl.context import Context, comment, statement
from dbwarden.dialects.postgresql.sql.quoting import quote, text_literal
from dbwarden.diff.alterable import differing
from dbwarden.diff.changes import Alter, Change, Create
from dbwarden.diff.compare import pair
from dbwarden.diff.statements import PlannedStatement
from dbwarden.schema import (
    Aggregate,
    EventTrigger,
    MaterializedView,
    Policy,
    QualifiedName,
    Routine,
    Rule,
    Statistics,
    Trigger,
    View,
    ViewColumn,
)

Statements = Iterator[PlannedStatement]


def create_view(ctx: Context, change: Create, view: View) -> Statements:
    """Create a view."""
    yield statement(change, _view_text(ctx, view, "CREATE VIEW"))
    yield from _view_extras(ctx, change, View(name=view.name, definition=""), view)


def alter_view(ctx: Context, change: Alter, before: View, after: View) -> Statements:
    """Replace a view's query, and change its options and columns."""
    if differing(before, after) & {"definition", "parameters"}:
        yield statement(change, _view_text(ctx, after, "CREATE OR REPLACE VIEW"))
    yield from _view_extras(ctx, change, before, after)


def _view_text(ctx: Context, view: View, verb: str) -> str:
    with_ = f"\nWITH {parameters(view.parameters)}" if view.parameters else ""
    return f"{verb} {ctx.name(view.name)}{with_} AS\n {view.definition}"


def _view_extras(ctx: Context, change: Change, before: View, after: View) -> Statements:
    name = ctx.name(after.name)
    for was, now in _common(before.columns, after.columns):
        if now.default != (was.default if was is not None else None):
            what = f"SET DEFAULT {now.default}" if now.default is not None else "DROP DEFAULT"
            yield statement(change, f"ALTER VIEW {name} ALTER COLUMN {quote(now.name)} {what}")
    yield from _column_comments(change, name, before.columns, after.columns)


def _common(
    before: tuple[ViewColumn, ...], after: tuple[ViewColumn, ...]
) -> Iterator[tuple[ViewColumn | None, ViewColumn]]:
    for was, now in pair(before, after, lambda column: column.name):
        if now is not None:
            yield was, now


def _column_comments(
    change: Change, name: str, before: tuple[ViewColumn, ...], after: tuple[ViewColumn, ...]
) -> Statements:
    for was, now in _common(before, after):
        if now.comment != (was.comment if was is not None else None):
            yield comment(change, f"COLUMN {name}.{quote(now.name)}", now.comment)


def create_materialized_view(ctx: Context, change: Create, view: MaterializedView) -> Statements:
    """Create a materialized view with its indexes."""
    name = ctx.name(view.name)
    text = f"CREATE MATERIALIZED VIEW {name}"
    text += f"\nUSING {view.access_method}" if view.access_method is not None else ""
    text += f"\nWITH {parameters(view.parameters)}" if view.parameters else ""
    text += f" AS\n {view.definition}" + ("" if view.populated else "\nWITH NO DATA")
    yield statement(change, text)
    for index in view.indexes:
        yield from add_index(ctx, change, view.name, index)
    yield from _column_comments(change, name, (), view.columns)


def alter_materialized_view(
    ctx: Context, change: Alter, before: MaterializedView, after: MaterializedView
) -> Statements:
    """Alter a materialized view, except its query and indexes."""
    name = ctx.name(after.name)
    for text in set_parameters("MATERIALIZED VIEW", name, before.parameters, after.parameters):
        yield statement(change, text)
    if before.access_method != after.access_method:
        method = after.access_method or "DEFAULT"
        yield statement(change, f"ALTER MATERIALIZED VIEW {name} SET ACCESS METHOD {method}")
    if before.populated != after.populated:
        ending = "" if after.populated else " WITH NO DATA"
        yield statement(change, f"REFRESH MATERIALIZED VIEW {name}{ending}")
    yield from _column_comments(change, name, before.columns, after.columns)


def create_routine(change: Create, routine: Routine) -> Statements:
    """Create a function or procedure."""
    yield statement(change, routine.definition.replace("CREATE OR REPLACE", "CREATE", 1))


def alter_routine(change: Alter, before: Routine, after: Routine) -> Statements:
    """Replace a routine's body and attributes."""
    if before.definition != after.definition:
        yield statement(change, after.definition)


def aggregate_arguments(aggregate: Aggregate) -> str:
    """Return the arguments of an aggregate, as CREATE and DROP take them."""
    return aggregate.arguments or "*"


def create_aggregate(ctx: Context, change: Create, aggregate: Aggregate) -> Statements:
    """Create an aggregate."""
    options = ",\n    ".join(
        f"{name} = {value}" if value else name for name, value in aggregate.options
    )
    name = f"{ctx.name(aggregate.name)}({aggregate_arguments(aggregate)})"
    yield statement(change, f"CREATE AGGREGATE {name} (\n    {options}\n)")


def create_trigger(ctx: Context, change: Create, trigger: Trigger) -> Statements:
    """Create a trigger."""
    yield statement(change, trigger.definition)
    plain = Trigger(name=trigger.name, table=trigger.table, definition="")
    yield from alter_trigger(ctx, change, plain, trigger)


def alter_trigger(ctx: Context, change: Change, before: Trigger, after: Trigger) -> Statements:
    """Enable or disable a trigger."""
    table, name = ctx.name(after.table), quote(after.name)
    if before.enabled != after.enabled:
        yield statement(change, f"ALTER TABLE {table} {after.enabled} TRIGGER {name}")


def create_rule(ctx: Context, change: Create, rule: Rule) -> Statements:
    """Create a rule."""
    yield statement(change, rule.definition)
    plain = Rule(name=rule.name, table=rule.table, definition=rule.definition)
    yield from alter_rule(ctx, change, plain, rule)


def alter_rule(ctx: Context, change: Change, before: Rule, after: Rule) -> Statements:
    """Replace, enable or disable a rule."""
    table, name = ctx.name(after.table), quote(after.name)
    if before.definition != after.definition:
        text = after.definition.replace("CREATE RULE", "CREATE OR REPLACE RULE", 1)
        yield statement(change, text)
    if before.enabled != after.enabled:
        yield statement(change, f"ALTER TABLE {table} {after.enabled} RULE {name}")


def create_event_trigger(change: Create, trigger: EventTrigger) -> Statements:
    """Create an event trigger."""
    text = f"CREATE EVENT TRIGGER {quote(trigger.name)} ON {trigger.event}"
    if trigger.tags:
        text += f"\n    WHEN TAG IN ({', '.join(text_literal(tag) for tag in trigger.tags)})"
    yield statement(change, f"{text}\n    EXECUTE PROCEDURE {trigger.function}()")
    plain = EventTrigger(name=trigger.name, event=trigger.event, function=trigger.function)
    yield from alter_event_trigger(change, plain, trigger)


def alter_event_trigger(change: Change, before: EventTrigger, after: EventTrigger) -> Statements:
    """Enable or disable an event trigger."""
    if before.enabled != after.enabled:
        yield statement(change, f"ALTER EVENT TRIGGER {quote(after.name)} {after.enabled}")


def create_policy(ctx: Context, change: Create, policy: Policy) -> Statements:
    """Create a policy."""
    text = f"CREATE POLICY {quote(policy.name)} ON {ctx.name(policy.table)}"
    text += "" if policy.permissive else "\n    AS RESTRICTIVE"
    text += f"\n    FOR {policy.command}" if policy.command != "ALL" else ""
    text += f"\n    TO {_roles(policy)}" if policy.roles != ("public",) else ""
    text += f"\n    USING ({policy.using})" if policy.using is not None else ""
    text += f"\n    WITH CHECK ({policy.check})" if policy.check is not None else ""
    yield statement(change, text)


def _roles(policy: Policy) -> str:
    return ", ".join("PUBLIC" if role == "public" else quote(role) for role in policy.roles)


def alter_policy(ctx: Context, change: Alter, before: Policy, after: Policy) -> Statements:
    """Change a policy's roles and conditions."""
    changed = differing(before, after)
    text = f"ALTER POLICY {quote(after.name)} ON {ctx.name(after.table)}"
    if "roles" in changed:
        text += f"\n    TO {_roles(after)}"
    if "using" in changed:
        text += f"\n    USING ({after.using})"
    if "check" in changed:
        text += f"\n    WITH CHECK ({after.check})"
    if changed - {"comment"}:
        yield statement(change, text)


def create_statistics(ctx: Context, change: Create, statistics: Statistics) -> Statements:
    """Create extended statistics."""
    text = f"CREATE STATISTICS {ctx.name(statistics.name)} {statistics.definition}"
    yield statement(change, text)
    empty = QualifiedName(None, "")
    plain = Statistics(name=statistics.name, table=empty, definition="")
    yield from alter_statistics(ctx, change, plain, statistics)


def alter_statistics(
    ctx: Context, change: Change, before: Statistics, after: Statistics
) -> Statements:
    """Change the target of extended statistics."""
    name = ctx.name(after.name)
    if before.target != after.target:
        target = -1 if after.target is None else after.target
        yield statement(change, f"ALTER STATISTICS {name} SET STATISTICS {target}")
