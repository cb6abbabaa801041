"""Render views, routines, triggers, rules, policies and statistics. Pure."""

from collections.abc import Collection
from dataclasses import replace

from dbwarden.dialects.clauses import clause, default_setting, set_changed
from dbwarden.dialects.postgresql.ddl.context import Context, Statements, comment, ref_sql
from dbwarden.dialects.postgresql.ddl.indexes import add_index
from dbwarden.dialects.postgresql.ddl.parameters import (
    parameters,
    set_parameters,
    statistics_target,
)
from dbwarden.dialects.postgresql.ddl.tables import STORAGE
from dbwarden.dialects.postgresql.sql.quoting import quote
from dbwarden.diff.alterable import differing
from dbwarden.diff.compare import pair
from dbwarden.schema import (
    Aggregate,
    MaterializedView,
    Policy,
    Routine,
    Rule,
    Statistics,
    Trigger,
    View,
    ViewColumn,
)

Code = View | MaterializedView | Routine | Aggregate | Trigger | Rule | Policy | Statistics


def create_code(ctx: Context, obj: Code) -> Statements:
    """Create an object, with the settings that its CREATE cannot express."""
    yield _create_text(ctx, obj)
    if isinstance(obj, MaterializedView):
        for index in obj.indexes:
            yield from add_index(ctx, obj.name, index)
    yield from _settings(ctx, _as_created(obj), obj)


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
            yield f"ALTER {ref_sql(ctx, after.ref)}{_policy_clauses(after, changed)}"
    yield from _settings(ctx, before, after)


def _create_text(ctx: Context, obj: Code) -> str:
    match obj:
        case View():
            return _view_text(ctx, obj, "CREATE VIEW")
        case MaterializedView():
            text = f"CREATE MATERIALIZED VIEW {ctx.name(obj.name)}"
            text += clause("\nUSING {}", obj.access_method)
            text += clause("\nWITH {}", parameters(obj.parameters))
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
        case Policy():
            return _policy_text(ctx, obj)
        case Statistics():
            return f"CREATE STATISTICS {ctx.name(obj.name)} {obj.definition}"


def _as_created(obj: Code) -> Code:
    """Return *obj* without what CREATE cannot express."""
    match obj:
        case View() | MaterializedView():
            return replace(obj, columns=())
        case Trigger() | Rule():
            return replace(obj, enabled="ENABLE")
        case Statistics():
            return replace(obj, target=None)
        case _:
            return obj


def _settings(ctx: Context, before: Code, after: Code) -> Statements:
    """Set what CREATE cannot express: columns, whether a trigger fires, a statistics target."""
    match before, after:
        case View() as was, View() as view:
            yield from _columns(ctx, was.columns, view)
        case MaterializedView() as was, MaterializedView() as view:
            alter = f"ALTER MATERIALIZED VIEW {ctx.name(view.name)}"
            yield from set_parameters(alter, was.parameters, view.parameters)
            yield from set_changed(alter, was, view, {"access_method": STORAGE["access_method"]})
            if was.populated != view.populated:
                ending = "" if view.populated else " WITH NO DATA"
                yield f"REFRESH MATERIALIZED VIEW {ctx.name(view.name)}{ending}"
            yield from _columns(ctx, was.columns, view)
        case (Trigger() | Rule()) as was, (Trigger() | Rule()) as now:
            if was.enabled != now.enabled:
                what = f"{now.enabled} {now.kind.value.upper()} {quote(now.name)}"
                yield f"ALTER TABLE {ctx.name(now.table)} {what}"
        case Statistics() as was, Statistics() as now:
            alter = f"ALTER STATISTICS {ctx.name(now.name)}"
            yield from set_changed(alter, was, now, {"target": statistics_target})


def _view_text(ctx: Context, view: View, verb: str) -> str:
    with_ = clause("\nWITH {}", parameters(view.parameters))
    return f"{verb} {ctx.name(view.name)}{with_} AS\n {view.definition}"


def _columns(
    ctx: Context, before: tuple[ViewColumn, ...], after: View | MaterializedView
) -> Statements:
    name = ctx.name(after.name)
    both = pair(before, after.columns, lambda column: column.name)
    pairs = [(was, now) for was, now in both if now is not None]
    for was, now in pairs:
        if now.default != (was.default if was is not None else None):
            yield f"ALTER VIEW {name} ALTER COLUMN {quote(now.name)} {default_setting(now.default)}"
    for was, now in pairs:
        if now.comment != (was.comment if was is not None else None):
            yield comment(f"COLUMN {name}.{quote(now.name)}", now.comment)


def aggregate_arguments(aggregate: Aggregate) -> str:
    """Return the arguments of an aggregate, as CREATE and DROP take them."""
    return aggregate.arguments or "*"


def _policy_text(ctx: Context, policy: Policy) -> str:
    changed = {"roles"} if policy.roles != ("public",) else set[str]()
    changed |= {name for name in ("using", "check") if getattr(policy, name) is not None}
    head = "" if policy.permissive else "\n    AS RESTRICTIVE"
    head += f"\n    FOR {policy.command}" if policy.command != "ALL" else ""
    return f"CREATE {ref_sql(ctx, policy.ref)}{head}{_policy_clauses(policy, changed)}"


def _policy_clauses(policy: Policy, changed: Collection[str]) -> str:
    roles = ", ".join("PUBLIC" if role == "public" else quote(role) for role in policy.roles)
    text = f"\n    TO {roles}" if "roles" in changed else ""
    text += f"\n    USING ({policy.using})" if "using" in changed else ""
    return text + (f"\n    WITH CHECK ({policy.check})" if "check" in changed else "")
