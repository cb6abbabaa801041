"""Render views, routines, triggers, rules, policies and statistics. Pure."""

from collections.abc import Collection

from dbwarden.dialects.postgresql.ddl.constraints import add_index, parameters, set_parameters
from dbwarden.dialects.postgresql.ddl.context import Context, Statements, comment
from dbwarden.dialects.postgresql.sql.quoting import quote, text_literal
from dbwarden.diff.alterable import differing
from dbwarden.diff.compare import pair
from dbwarden.schema import (
    Aggregate,
    EventTrigger,
    MaterializedView,
    Policy,
    Routine,
    Rule,
    Statistics,
    Trigger,
    View,
    ViewColumn,
)

Code = (
    View
    | MaterializedView
    | Routine
    | Aggregate
    | Trigger
    | EventTrigger
    | Rule
    | Policy
    | Statistics
)
Switched = Trigger | EventTrigger | Rule


def create_code(ctx: Context, obj: Code) -> Statements:
    """Create an object, with the settings that its CREATE cannot express."""
    yield _create_text(ctx, obj)
    if isinstance(obj, MaterializedView):
        for index in obj.indexes:
            yield from add_index(ctx, obj.name, index)
    yield from _settings(ctx, None, obj)


def alter_code(ctx: Context, before: Code, after: Code) -> Statements:
    """Replace or alter an object, except the query and indexes of a materialized view."""
    changed = differing(before, after)
    match after:
        case View() if changed & {"definition", "parameters"}:
            yield _view_text(ctx, after, "CREATE OR REPLACE VIEW")
        case Routine() if "definition" in changed:
            yield after.definition
        case Rule() if "definition" in changed:
            yield after.definition.replace("CREATE RULE", "CREATE OR REPLACE RULE", 1)
        case Policy() if changed - {"comment"}:
            yield _altered_policy(ctx, after, changed)
        case _:
            pass
    yield from _settings(ctx, before, after)


def _create_text(ctx: Context, obj: Code) -> str:
    match obj:
        case View():
            return _view_text(ctx, obj, "CREATE VIEW")
        case MaterializedView():
            text = f"CREATE MATERIALIZED VIEW {ctx.name(obj.name)}"
            text += f"\nUSING {obj.access_method}" if obj.access_method is not None else ""
            text += f"\nWITH {parameters(obj.parameters)}" if obj.parameters else ""
            return f"{text} AS\n {obj.definition}" + ("" if obj.populated else "\nWITH NO DATA")
        case Routine():
            return obj.definition.replace("CREATE OR REPLACE", "CREATE", 1)
        case Aggregate():
            options = (f"{name} = {value}" if value else name for name, value in obj.options)
            name = f"{ctx.name(obj.name)}({aggregate_arguments(obj)})"
            inside = ",\n    ".join(options)
            return f"CREATE AGGREGATE {name} (\n    {inside}\n)"
        case Trigger() | Rule():
            return obj.definition
        case EventTrigger():
            text = f"CREATE EVENT TRIGGER {quote(obj.name)} ON {obj.event}"
            if obj.tags:
                text += f"\n    WHEN TAG IN ({', '.join(map(text_literal, obj.tags))})"
            return f"{text}\n    EXECUTE PROCEDURE {obj.function}()"
        case Policy():
            return _policy_text(ctx, obj)
        case Statistics():
            return f"CREATE STATISTICS {ctx.name(obj.name)} {obj.definition}"


def _settings(ctx: Context, before: Code | None, after: Code) -> Statements:
    """Set what CREATE cannot express: columns, whether a trigger fires, a statistics target."""
    match after:
        case View():
            yield from _columns(ctx, before.columns if isinstance(before, View) else (), after)
        case MaterializedView():
            was = before if isinstance(before, MaterializedView) else after
            yield from _storage(ctx.name(after.name), was, after)
            yield from _columns(ctx, () if before is None else was.columns, after)
        case Trigger() | EventTrigger() | Rule():
            enabled = before.enabled if isinstance(before, Switched) else "ENABLE"
            if enabled != after.enabled:
                word, name = after.kind.value.upper(), quote(after.name)
                yield (
                    f"ALTER EVENT TRIGGER {name} {after.enabled}"
                    if isinstance(after, EventTrigger)
                    else f"ALTER TABLE {ctx.name(after.table)} {after.enabled} {word} {name}"
                )
        case Statistics():
            if after.target != (before.target if isinstance(before, Statistics) else None):
                target = -1 if after.target is None else after.target
                yield f"ALTER STATISTICS {ctx.name(after.name)} SET STATISTICS {target}"
        case _:
            pass


def _view_text(ctx: Context, view: View, verb: str) -> str:
    with_ = f"\nWITH {parameters(view.parameters)}" if view.parameters else ""
    return f"{verb} {ctx.name(view.name)}{with_} AS\n {view.definition}"


def _columns(
    ctx: Context, before: tuple[ViewColumn, ...], after: View | MaterializedView
) -> Statements:
    name = ctx.name(after.name)
    both = pair(before, after.columns, lambda column: column.name)
    pairs = [(was, now) for was, now in both if now is not None]
    for was, now in pairs:
        if now.default != (was.default if was is not None else None):
            what = f"SET DEFAULT {now.default}" if now.default is not None else "DROP DEFAULT"
            yield f"ALTER VIEW {name} ALTER COLUMN {quote(now.name)} {what}"
    for was, now in pairs:
        if now.comment != (was.comment if was is not None else None):
            yield comment(f"COLUMN {name}.{quote(now.name)}", now.comment)


def _storage(name: str, before: MaterializedView, after: MaterializedView) -> Statements:
    yield from set_parameters(
        f"ALTER MATERIALIZED VIEW {name}", before.parameters, after.parameters
    )
    if before.access_method != after.access_method:
        method = after.access_method or "DEFAULT"
        yield f"ALTER MATERIALIZED VIEW {name} SET ACCESS METHOD {method}"
    if before.populated != after.populated:
        ending = "" if after.populated else " WITH NO DATA"
        yield f"REFRESH MATERIALIZED VIEW {name}{ending}"


def aggregate_arguments(aggregate: Aggregate) -> str:
    """Return the arguments of an aggregate, as CREATE and DROP take them."""
    return aggregate.arguments or "*"


def _policy_text(ctx: Context, policy: Policy) -> str:
    text = f"CREATE POLICY {quote(policy.name)} ON {ctx.name(policy.table)}"
    text += "" if policy.permissive else "\n    AS RESTRICTIVE"
    text += f"\n    FOR {policy.command}" if policy.command != "ALL" else ""
    text += f"\n    TO {_roles(policy)}" if policy.roles != ("public",) else ""
    text += f"\n    USING ({policy.using})" if policy.using is not None else ""
    return text + (f"\n    WITH CHECK ({policy.check})" if policy.check is not None else "")


def _altered_policy(ctx: Context, policy: Policy, changed: Collection[str]) -> str:
    text = f"ALTER POLICY {quote(policy.name)} ON {ctx.name(policy.table)}"
    text += f"\n    TO {_roles(policy)}" if "roles" in changed else ""
    text += f"\n    USING ({policy.using})" if "using" in changed else ""
    return text + (f"\n    WITH CHECK ({policy.check})" if "check" in changed else "")


def _roles(policy: Policy) -> str:
    return ", ".join("PUBLIC" if role == "public" else quote(role) for role in policy.roles)
