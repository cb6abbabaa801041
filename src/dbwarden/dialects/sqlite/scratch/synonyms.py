"""Normalize expressions, so that equal ones have the same text."""

import re
import sqlite3

from dbwarden.dialects.authoring import Expression
from dbwarden.dialects.sqlite.catalog.tokens import Unreadable, tokens

_SYNONYM = re.compile(
    r"(?P<skip>\"(?:[^\"]|\"\")*\"|`[^`]*`|\[[^\]]*\])"
    r"|(?<![\w.])(?P<call>datetime|date|time)\s*\(\s*(?:'now'\s*)?\)"
    r"|(?P<string>'(?:[^']|'')*')",
    re.IGNORECASE,
)
_MEANING = {
    "datetime": "CURRENT_TIMESTAMP",
    "date": "CURRENT_DATE",
    "time": "CURRENT_TIME",
}
_LITERAL_WORDS = ("TRUE", "FALSE", "NULL")


def replace_synonyms(text: str) -> str:
    """Return *text* with one of its synonyms for each SQL value that has several."""
    return _SYNONYM.sub(
        lambda match: _MEANING[match["call"].lower()] if match["call"] else match[0], text
    )


def normalize(expression: Expression) -> str | None:
    """Return the stored value in a column of the expression's type; ``None`` if no literal."""
    if expression.type is None or expression.type.upper() == "ANY" or not _is_literal(expression):
        return None
    database = sqlite3.connect(":memory:")
    try:
        database.execute(f"CREATE TABLE t (a {expression.type} DEFAULT ({expression.text}))")
        database.execute("INSERT INTO t DEFAULT VALUES")
        return str(database.execute("SELECT typeof(a) || ' ' || quote(a) FROM t").fetchone()[0])
    except sqlite3.Error:
        return None
    finally:
        database.close()


def _is_literal(expression: Expression) -> bool:
    try:
        words = tokens(expression.text)
    except Unreadable:
        return False
    return all(
        token.kind in ("string", "blob", "number")
        or token.is_("+", "-", "(", ")")
        or (token.kind == "word" and token.is_(*_LITERAL_WORDS))
        for token in words
    )
