"""The SQL of grants and default privileges. Pure."""

from collections.abc import Iterator

from dbwarden.dialects.postgresql.ddl.context import statement
from dbwarden.dialects.postgresql.ddl.names import quote
from dbwarden.diff.changes import Change
from dbwarden.diff.statements import PlannedStatement
from dbwarden.schema import DefaultPrivileges, Grant

Statements = Iterator[PlannedStatement]
Privileges = Grant | DefaultPrivileges


def change_privileges(
    change: Change, some: Privileges, *, before: Privileges | None, after: Privileges | None
) -> Statements:
    """From what a role may do to what it shall be able to do; *some* is either of them."""
    had, has = _effective(before), _effective(after)
    passed, passes = set(_grantable(before)), set(_grantable(after))
    more = [item for item in _privileges(after) if item not in had and item not in passes]
    back = [item for item in _revoked(before) if item not in _revoked(after)]
    if more or back:
        yield statement(change, _grant(some, [*more, *back]))
    if passes - passed:
        yield statement(change, f"{_grant(some, sorted(passes - passed))} WITH GRANT OPTION")
    if (passed - passes) & has:
        ended = sorted((passed - passes) & has)
        yield statement(change, _revoke(some, ended, "GRANT OPTION FOR "))
    less = [item for item in _privileges(before) if item not in has]
    less += [item for item in _revoked(after) if item not in _revoked(before)]
    if less:
        yield statement(change, _revoke(some, less, ""))


def _effective(item: Privileges | None) -> set[str]:
    return set(_privileges(item))


def _privileges(item: Privileges | None) -> tuple[str, ...]:
    return item.privileges if item is not None else ()


def _grantable(item: Privileges | None) -> tuple[str, ...]:
    return item.grantable if item is not None else ()


def _revoked(item: Privileges | None) -> tuple[str, ...]:
    return item.revoked if item is not None else ()


def _role(item: Privileges) -> str:
    return "PUBLIC" if item.role == "public" else quote(item.role)


def _grant(item: Privileges, words: list[str]) -> str:
    return f"{_head(item)}GRANT {', '.join(words)} ON {_target(item)} TO {_role(item)}"


def _revoke(item: Privileges, words: list[str], option: str) -> str:
    what = f"{option}{', '.join(words)}"
    return f"{_head(item)}REVOKE {what} ON {_target(item)} FROM {_role(item)}"


def _head(item: Privileges) -> str:
    if isinstance(item, Grant):
        return ""
    within = f" IN SCHEMA {quote(item.namespace)}" if item.namespace is not None else ""
    return f"ALTER DEFAULT PRIVILEGES FOR ROLE {quote(item.grantor)}{within}\n    "


def _target(item: Privileges) -> str:
    return item.target if isinstance(item, Grant) else item.objects
