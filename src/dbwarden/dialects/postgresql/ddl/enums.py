"""Commit new enum values before they are used. Pure."""

import re
from dataclasses import replace

from dbwarden.diff.statements import PlannedStatement

IN_TRANSACTION_VERSION = 120000
ADDS = re.compile(r"ALTER TYPE (?P<type>.+) ADD VALUE (?P<value>'(?:[^']|'')*')")


def commit_new_values(
    statements: tuple[PlannedStatement, ...], server_version: int
) -> tuple[PlannedStatement, ...]:
    """Return *statements* with a separate transaction for each new value that is used later."""
    texts = [statement.text for statement in statements]
    result = []
    for place, statement in enumerate(statements):
        found = ADDS.match(statement.text)
        if found is None:
            result.append(statement)
            continue
        used = any(found["value"] in text and not ADDS.match(text) for text in texts[place + 1 :])
        if used:
            why = "A new value can be used only after it is committed."
            result.append(replace(statement, transactional=False, why=why))
        else:
            alone = server_version < IN_TRANSACTION_VERSION
            result.append(replace(statement, transactional=not alone))
    return tuple(result)
