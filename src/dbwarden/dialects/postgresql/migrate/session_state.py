"""Start every migration with a fresh session: nothing that one sets up reaches the next. Pure."""

import re
from collections.abc import Sequence

from dbwarden.dialects.base import Step
from dbwarden.dialects.postgresql.migrate.statement_effects import SessionSetting, probe_of
from dbwarden.dialects.postgresql.sql.lexer import leading_words

# What the migration did to the session must neither reach our own SQL nor the next migration.
RESET = "RESET SESSION AUTHORIZATION;RESET ROLE;RESET ALL;"

_TEMPORARY = re.compile(r"\b(?:temp|temporary|pg_temp)\b", re.IGNORECASE)
# What outlives a transaction, by the first word of its statement.
_OUTLIVES = {"prepare": "DEALLOCATE ALL;", "declare": "CLOSE ALL;", "listen": "UNLISTEN *;"}


def leftovers(steps: Sequence[Step]) -> str:
    """Return the SQL that removes what *steps*, a whole migration, left in the session.

    Empty for nearly all migrations. A pooler's session is shared, so that nothing is removed
    which the migration did not make. Advisory locks stay: the migration lock is one of them.
    """
    found = {"DISCARD TEMP;": None} if any(_TEMPORARY.search(step.text) for step in steps) else {}
    for step in steps:
        for statement in step.statements:
            for word in leading_words(statement.text, 0, 1):
                if word in _OUTLIVES:
                    found[_OUTLIVES[word]] = None
    return "".join(found)


def prelude_of(steps: Sequence[Step]) -> str:
    """Return the session settings that *steps* make: they hold until the end of the migration.

    Each step runs as in one session with those before it, also after a crash. Settings never reach
    the ledger's own SQL, so they are reset after each step and made again before the next.
    """
    settings = [
        statement.text
        for step in steps
        for statement in step.statements
        if isinstance(probe_of(statement), SessionSetting)
    ]
    return "".join(f"{text}\n;" for text in settings)
