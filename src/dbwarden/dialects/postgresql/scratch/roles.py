"""Adapt statements about roles, which belong to the whole server and not to a scratch database."""

import re

from dbwarden.dialects.base import Step
from dbwarden.dialects.postgresql.scratch.scratch_errors import unless_exists

_ROLE_STATEMENT = re.compile(r"\s*(create|drop)\s+(role|user(?!\s+mapping)|group)\b", re.IGNORECASE)


def makes_roles(step: Step) -> bool:
    """Return whether a statement of *step* creates or drops a role."""
    return any(_ROLE_STATEMENT.match(statement.text) for statement in step.statements)


def without_roles(statement: str, *, exclusive: bool) -> str:
    """Return *statement*, or its replacement if it creates or drops a role.

    Roles are created on an *exclusive* server only, and never dropped.
    """
    match = _ROLE_STATEMENT.match(statement)
    if match is None:
        return statement
    if match[1].lower() == "drop" or not exclusive:
        return ""
    return unless_exists(statement)
