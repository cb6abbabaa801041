"""Render grants and default privileges. Pure."""

import re
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from dbwarden.dialects.postgresql.ddl.context import Context, Statements
from dbwarden.dialects.postgresql.ddl.names import in_namespace
from dbwarden.dialects.postgresql.sql.quoting import quote
from dbwarden.quoting import unquoted
from dbwarden.schema import DefaultPrivileges, Grant, ObjectKind, QualifiedName, ref_of

Privileges = Grant | DefaultPrivileges


def change_privileges(
    ctx: Context, before: Privileges | None, after: Privileges | None
) -> Statements:
    """Change the privileges of a role from *before* to *after*; ``None`` means none of its own.

    Revokes come first: one for a whole table also revokes those for single columns, which are
    granted again.
    """
    some = after or before
    if some is None:
        return
    nothing = replace(some, privileges=(), grantable=(), revoked=())
    was, now = before or nothing, after or nothing
    has, passed, passes = {*now.privileges}, {*was.grantable}, {*now.grantable}
    less = [item for item in was.privileges if item not in has]
    less += [item for item in now.revoked if item not in was.revoked]
    ended = sorted((passed - passes) & has)
    again = _taken_along(less, has)
    if less:
        yield _sql(ctx, some, "REVOKE", less)
    if ended:
        yield _sql(ctx, some, "REVOKE GRANT OPTION FOR", ended)
    more = [
        item
        for item in now.privileges
        if (item not in was.privileges or item in again) and item not in passes
    ]
    back = [item for item in was.revoked if item not in now.revoked]
    if more or back:
        yield _sql(ctx, some, "GRANT", [*more, *back])
    passed -= again | _taken_along(ended, passes)
    if passes - passed:
        yield f"{_sql(ctx, some, 'GRANT', sorted(passes - passed))} WITH GRANT OPTION"


def move_column_privileges(
    ctx: Context, table: QualifiedName, name: str, retired: str
) -> Statements:
    """Give the privileges on column *retired*, which had the name *name*, to the new *name*."""
    on = ref_of(ObjectKind.TABLE, table)
    wanted = {grant.ref: grant for grant in ctx.desired.of(Grant) if grant.on == on}
    known = {grant.ref: grant for grant in ctx.current.of(Grant) if grant.on == on} | wanted
    for ref, grant in known.items():
        gone = _on_column(grant, name, retired)
        if gone.privileges:
            after = _on_column(grant, name, name) if ref in wanted else None
            yield from change_privileges(ctx, gone, after)


def grant_column(ctx: Context, table: QualifiedName, name: str) -> Statements:
    """Grant the wanted privileges on one column, which is new."""
    for grant in ctx.desired.of(Grant):
        item = _on_column(grant, name, name)
        if grant.on == ref_of(ObjectKind.TABLE, table) and item.privileges:
            yield from change_privileges(ctx, None, item)


def without_columns(grant: Grant | None, names: Iterable[str]) -> Grant | None:
    """Return *grant* without the privileges on single columns; ``None`` if none are left."""
    if grant is None:
        return None
    lost = {
        word
        for name in names
        for item in (_on_column(grant, name, name),)
        for word in (*item.privileges, *item.grantable)
    }
    rest = tuple(item for item in grant.privileges if item not in lost)
    passed = tuple(item for item in grant.grantable if item not in lost)
    left = replace(grant, privileges=rest, grantable=passed)
    return left if rest or left.revoked else None


def _on_column(grant: Grant, name: str, other: str) -> Grant:
    """Return the privileges of *grant* on column *name*, as privileges on column *other*."""

    def words(privileges: Iterable[str]) -> tuple[str, ...]:
        parts = (item.removesuffix(")").partition(" (") for item in privileges)
        return tuple(f"{word} ({quote(other)})" for word, _, own in parts if unquoted(own) == name)

    privileges, grantable = words(grant.privileges), words(grant.grantable)
    return replace(grant, privileges=privileges, grantable=grantable, revoked=())


def _taken_along(revoked: Iterable[str], has: AbstractSet[str]) -> frozenset[str]:
    """Return the column privileges that a revoke for the whole table also revokes."""
    whole = {item for item in revoked if "(" not in item}
    return frozenset(item for item in has if "(" in item and item.partition(" (")[0] in whole)


def _role(item: Privileges) -> str:
    return "PUBLIC" if item.role == "public" else quote(item.role)


def _sql(ctx: Context, item: Privileges, verb: str, words: Sequence[str]) -> str:
    """Return ``GRANT ... TO`` or ``REVOKE ... FROM``."""
    default = ctx.desired.default_namespace
    way = "FROM" if verb.startswith("REVOKE") else "TO"
    if isinstance(item, Grant):
        if item.on.kind is ObjectKind.NAMESPACE:
            head = f"{verb} {', '.join(words)} ON SCHEMA "
            return in_namespace(head, item.on.name, f" {way} {_role(item)}", default)
        return f"{verb} {', '.join(words)} ON {_target(ctx, item)} {way} {_role(item)}"
    head = "ALTER DEFAULT PRIVILEGES"
    if item.grantor is not None:
        head += f" FOR ROLE {quote(item.grantor)}"
    tail = f"\n    {verb} {', '.join(words)} ON {item.objects} {way} {_role(item)}"
    if item.namespace is None:
        return head + tail
    return in_namespace(f"{head} IN SCHEMA ", item.namespace, tail, default)


_QUALIFIER = re.compile(r'^([A-Z]+ )(?:"(?:[^"]|"")*"|[^".]+)\.')


def _target(ctx: Context, grant: Grant) -> str:
    """Return the object as GRANT names it, without the default namespace."""
    if grant.on.namespace != ctx.desired.default_namespace:
        return grant.target
    return _QUALIFIER.sub(r"\1", grant.target)
