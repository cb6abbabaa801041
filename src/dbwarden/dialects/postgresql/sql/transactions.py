"""Identify the statements that PostgreSQL refuses inside a transaction. Pure.

The list follows the server's own check (PreventInTransactionBlock), as far as the text shows it.
Partitioned tables (REINDEX, CLUSTER) and functions that commit (CALL, DO) cannot be recognised;
mark them with ``-- @dbwarden:autocommit``. ``ALTER TYPE ... ADD VALUE`` runs in a transaction;
mark it if the same file uses the new value.
"""

import re
from collections.abc import Sequence

from dbwarden.dialects.base import Statement
from dbwarden.dialects.postgresql.sql.lexer import leading_words, tokens, words_of

# Most CREATE statements, which can run in a transaction.
_PLAIN_CREATE = re.compile(
    r"create[ \t\n\r\f\v]++(?:(?:unique[ \t\n\r\f\v]++)?index[ \t\n\r\f\v]++(?!concurrently|-|/)"
    r"|(?!unique|index|database|tablespace|subscription|-|/))",
    re.IGNORECASE,
)
_FIRST = {"alter", "cluster", "create", "drop", "reindex", "vacuum"}


def refuses_transaction(statement: Statement) -> bool:
    """Return whether *statement* can run only outside a transaction."""
    if _PLAIN_CREATE.match(statement.text):
        return False
    head = leading_words(statement.text, 0, 4)
    if not head or head[0] not in _FIRST:
        return False
    match head:
        case ["vacuum", *_]:
            return True
        case ["create" | "drop", "database" | "tablespace", *_]:
            return True
        case ["create", "index", "concurrently", *_] | [
            "create",
            "unique",
            "index",
            "concurrently",
        ]:
            return True
        case ["drop", "index", "concurrently", *_]:
            return True
        case ["alter", "system", *_] | ["drop", "subscription", *_]:
            return True
        case ["cluster" | "reindex", *_] | ["alter", "database" | "table", *_]:
            return _whole_statement(statement.text)
        case ["create" | "alter", "subscription", *_]:
            return _whole_statement(statement.text)
    return False


def _whole_statement(text: str) -> bool:
    words = words_of(tokens(text))
    match words[:2]:
        case ("cluster", *_):
            return not without_options(words[1:])
        case ("reindex", *_):
            return _reindex(words)
        case ("alter", "database"):
            return _has(words, "set", "tablespace")
        case ("alter", "table"):
            return _has(words, "detach", "partition") and words[-1] == "concurrently"
        case ("create", "subscription"):
            return not (is_off(words, "create_slot") or is_off(words, "connect"))
    return _alter_subscription(words)


def _reindex(words: Sequence[str]) -> bool:
    rest = without_options(words[1:])
    if "concurrently" in words[1 : len(words) - len(rest)]:
        return not is_off(words, "concurrently")
    return rest[:1] in (["database"], ["system"], ["schema"]) or rest[1:2] == ["concurrently"]


def _alter_subscription(words: Sequence[str]) -> bool:
    if _has(words, "publication"):
        return not is_off(words, "refresh")
    return _has(words, "set", "(") and bool({"failover", "two_phase"}.intersection(words))


def without_options(words: Sequence[str]) -> list[str]:
    """Return *words* without a leading ``(...)`` and VERBOSE."""
    rest = list(words)
    if rest[:1] == ["("]:
        rest = rest[rest.index(")") + 1 :] if ")" in rest else []
    return rest[1:] if rest[:1] == ["verbose"] else rest


def _has(words: Sequence[str], *sequence: str) -> bool:
    """Return whether *words* contain *sequence*."""
    size = len(sequence)
    return any(tuple(words[at : at + size]) == sequence for at in range(len(words) - size + 1))


def is_off(words: Sequence[str], option: str) -> bool:
    """Return whether *words* contain ``option = false`` or ``option false``."""
    if option not in words:
        return False
    value = [word for word in words[words.index(option) + 1 :][:2] if word != "="]
    return bool(value) and value[0] in ("false", "off")
