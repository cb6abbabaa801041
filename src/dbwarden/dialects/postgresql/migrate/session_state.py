"""Isolate the session state of each migration from the next one. Pure."""

import re
from collections.abc import Sequence

from dbwarden.dialects.base import Step
from dbwarden.dialects.postgresql.migrate.statement_effects import SessionSetting, probe_of
from dbwarden.dialects.postgresql.sql.lexer import leading_words

# Session settings of a migration must affect neither our own SQL nor the next migration.
RESET = "RESET SESSION AUTHORIZATION;RESET ROLE;RESET ALL;"

_TEMPORARY = re.compile(r"\b(?:temp|temporary|pg_temp)\b", re.IGNORECASE)
# The cleanup of session state that outlives a transaction, by the first word of its statement.
_OUTLIVES = {"prepare": "DEALLOCATE ALL;", "declare": "CLOSE ALL;", "listen": "UNLISTEN *;"}


def leftovers(steps: Sequence[Step]) -> str:
    """Return the SQL that removes the session state of *steps*, a whole migration.

    It is empty for nearly all migrations. It removes only state that the migration created,
    because a pooler shares the session. Advisory locks stay, as the migration lock is one of them.
    """
    temporary = any(_TEMPORARY.search(step.text) for step in steps)
    cleanups = {"DISCARD TEMP;": None} if temporary else {}
    for step in steps:
        for statement in step.statements:
            for word in leading_words(statement.text, 0, 1):
                if word in _OUTLIVES:
                    cleanups[_OUTLIVES[word]] = None
    return "".join(cleanups)


def prelude_of(steps: Sequence[Step]) -> str:
    """Return the session settings of *steps*, which apply until the end of the migration.

    Each step runs as if in one session with earlier ones, also after a crash. The settings must
    not affect the ledger's own SQL, so they are reset after each step and set before the next.
    """
    settings = [
        statement.text
        for step in steps
        for statement in step.statements
        if isinstance(probe_of(statement), SessionSetting)
    ]
    return "".join(f"{text}\n;" for text in settings)
