"""Normalize expressions, so that those which mean the same compare equal."""

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
    """Return *text* with one name for each value that SQL knows by several names."""
    return _SYNONYM.sub(
        lambda found: _MEANING[found["call"].lower()] if found["call"] else found[0], text
    )


def normalize(expression: Expression) -> str | None:
    """Return what a column of the expression's type stores; ``None`` if this is no literal."""
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
        found = tokens(expression.text)
    except Unreadable:
        return False
    return all(
        token.kind in ("string", "blob", "number")
        or token.is_("+", "-", "(", ")")
        or (token.kind == "word" and token.is_(*_LITERAL_WORDS))
        for token in found
    )
