"""Rewrite statements of a hand-written migration into forms that block less. Pure.

A form leads to the same schema; ``lint --fix`` proves that before it writes one.
"""

from collections.abc import Sequence

from dbwarden.dialects.postgresql.sql.lexer import Token, located_tokens
from dbwarden.dialects.postgresql.sql.quoting import quote
from dbwarden.linting.changes import Added, NotNullSet
from dbwarden.linting.facts import StatementFacts
from dbwarden.linting.fixes import ALONE
from dbwarden.linting.tables import ConstraintFacts

_Tokens = Sequence[tuple[Token, int, int]]


def safer_form(rule: str, statement: StatementFacts) -> tuple[str, ...] | None:
    """Return the statements to write instead of one that *rule* found; ``None`` for none.

    Each ends without a semicolon. One that begins with :data:`ALONE` runs outside of the
    transaction of the others.
    """
    text = statement.text
    found = tuple(located_tokens(text))
    match rule:
        case "blocking-index":
            return _concurrently(text, found)
        case "constraint-not-valid":
            return _not_valid(statement, found)
        case "not-null-scan":
            return _not_null(statement, found)
        case "scan-under-lock" if _words(found)[:2] == ("alter", "table"):
            return (ALONE + text,) if "validate" in _words(found) else None
    return None


def _words(found: _Tokens) -> tuple[str, ...]:
    return tuple(token.value if token.kind == "word" else "" for token, _, _ in found)


def _concurrently(text: str, found: _Tokens) -> tuple[str, ...] | None:
    match _words(found):
        case ("create" | "drop" | "reindex", "index", *_):
            end = found[1][2]
        case ("create", "unique", "index", *_):
            end = found[2][2]
        case _:
            return None
    return (f"{text[:end]} CONCURRENTLY{text[end:]}",)


def _not_valid(statement: StatementFacts, found: _Tokens) -> tuple[str, ...] | None:
    match statement.changes, _altered_table(statement.text, found):
        case (Added(_, ConstraintFacts() as constraint),), (str() as table, ("add", *_)):
            return (
                f"{statement.text} NOT VALID",
                f"{ALONE}ALTER TABLE {table} VALIDATE CONSTRAINT {quote(constraint.name)}",
            )
    return None


def _not_null(statement: StatementFacts, found: _Tokens) -> tuple[str, ...] | None:
    match statement.changes, _altered_table(statement.text, found):
        case (NotNullSet(_, column),), (str() as table, ("alter", *_, "set", "not", "null")):
            name, own = quote(f"dbwarden_not_null_{column.key}"), quote(column.name)
            return (
                f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({own} IS NOT NULL) NOT VALID",
                f"{ALONE}ALTER TABLE {table} VALIDATE CONSTRAINT {name}",
                statement.text,
                f"ALTER TABLE {table} DROP CONSTRAINT {name}",
            )
    return None


def _altered_table(text: str, found: _Tokens) -> tuple[str | None, tuple[str, ...]]:
    """Return the table of ``ALTER TABLE`` as it is written, and the words after it."""
    words = _words(found)
    if words[:2] != ("alter", "table"):
        return None, ()
    at = 2
    for part in (("if", "exists"), ("only",)):
        at += len(part) if words[at : at + len(part)] == part else 0
    end = at + 1
    while end + 1 < len(found) and found[end][0] == Token("sign", "."):
        end += 2
    if end >= len(found):
        return None, ()
    return text[found[at][1] : found[end - 1][2]], words[end:]
