"""Commit new enum values before they are used. Pure."""

import re
from dataclasses import replace

from dbwarden.diff.statements import PlannedStatement

ADDS = re.compile(r"ALTER TYPE (?P<type>.+) ADD VALUE (?P<value>'(?:[^']|'')*')")


def commit_new_values(statements: tuple[PlannedStatement, ...]) -> tuple[PlannedStatement, ...]:
    """Return *statements* with a separate transaction for each new value that is used later."""
    texts = [statement.text for statement in statements]
    result = []
    for place, statement in enumerate(statements):
        added = ADDS.match(statement.text)
        later = texts[place + 1 :]
        if added and any(added["value"] in text and not ADDS.match(text) for text in later):
            why = "A new value can be used only after it is committed."
            statement = replace(statement, transactional=False, why=why)
        result.append(statement)
    return tuple(result)
