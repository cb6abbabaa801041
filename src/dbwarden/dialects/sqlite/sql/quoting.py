"""Quote names and texts for SQLite, and list its keywords."""

import re
from decimal import Decimal

from dbwarden.quoting import quoted
from dbwarden.quoting import text_literal as text_literal


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


RESERVED = _words(
    """
    ADD ALL ALTER AND AS AUTOINCREMENT BETWEEN CASE CHECK COLLATE COMMIT CONSTRAINT CREATE DEFAULT
    DEFERRABLE DELETE DISTINCT DROP ELSE ESCAPE EXCEPT EXISTS FOREIGN FROM GROUP HAVING IN INDEX
    INSERT INTERSECT INTO IS ISNULL JOIN LIMIT NOT NOTHING NOTNULL NULL ON OR ORDER PRIMARY
    REFERENCES RETURNING SELECT SET TABLE THEN TO TRANSACTION UNION UNIQUE UPDATE USING VALUES WHEN
    WHERE
    """
)
"""Words that cannot be names without quotes."""

KEYWORDS = RESERVED | _words(
    """
    ABORT ACTION AFTER ALWAYS ANALYZE ASC ATTACH BEFORE BEGIN BY CASCADE CAST COLUMN CONFLICT CROSS
    CURRENT CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP DATABASE DEFERRED DESC DETACH DO EACH END
    EXCLUDE EXCLUSIVE EXPLAIN FAIL FILTER FIRST FOLLOWING FOR FULL GENERATED GLOB GROUPS IF IGNORE
    IMMEDIATE INDEXED INITIALLY INNER INSTEAD KEY LAST LEFT LIKE MATCH MATERIALIZED NATURAL NO NULLS
    OF OFFSET OTHERS OUTER OVER PARTITION PLAN PRAGMA PRECEDING QUERY RAISE RANGE RECURSIVE REGEXP
    REINDEX RELEASE RENAME REPLACE RESTRICT RIGHT ROLLBACK ROW ROWS SAVEPOINT TEMP TEMPORARY TIES
    TRIGGER UNBOUNDED VACUUM VIEW VIRTUAL WINDOW WITH WITHOUT TRUE FALSE
    """
)
"""All keywords, which are quoted if they are names."""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def identifier(name: str) -> str:
    """Return *name* as an identifier, quoted only if necessary."""
    if _PLAIN.fullmatch(name) and name.upper() not in KEYWORDS:
        return name
    return quoted(name)


def value_literal(value: object) -> str:
    """Return a value of Python as a literal.

    Raises:
        TypeError: There is no such literal.
    """
    match value:
        case None:
            return "NULL"
        case bool() | int():
            return str(int(value))
        case Decimal():
            return str(value)
        case str():
            return text_literal(value)
        case bytes():
            return f"X'{value.hex()}'"
        case _:
            raise TypeError(f"there is no literal for a {type(value).__name__}")


def literal(value: str | int | float | None) -> str:
    """Return *value* as a literal for our own rows, in which a text has no NUL."""
    if isinstance(value, str):
        return text_literal(value.replace("\0", "\N{REPLACEMENT CHARACTER}"))
    return "NULL" if value is None else repr(value)
