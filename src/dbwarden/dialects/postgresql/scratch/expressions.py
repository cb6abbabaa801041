"""Normalize expressions, so that equal ones have the same text.

PostgreSQL stores expressions as they were written: ``now()`` and ``CURRENT_TIMESTAMP`` are one
function with two printed forms. Its planner folds constants and casts, which gives most expressions
one form.
"""

import json
import re
from collections.abc import Sequence

import asyncpg

from dbwarden.dialects.authoring import Expression
from dbwarden.dialects.postgresql.sql.lexer import tokens
from dbwarden.quoting import quoted

_WORDS = (
    *("current_timestamp", "current_date", "current_time", "localtimestamp", "localtime"),
    *("current_user", "current_role", "user", "current_catalog", "current_schema"),
)
_CALLS = (
    *("transaction_timestamp", '"current_user"', '"session_user"', '"current_schema"'),
    *("current_schema", "current_database"),
)
# Literals, quoted names and function bodies are skipped, because they are matched first.
_SYNONYM = re.compile(
    r"(?P<skip>'(?:[^']|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)"
    rf"|(?<![\w.\"])(?P<call>{'|'.join(_CALLS)})\(\)"
    r'|(?P<name>"(?:[^"]|"")*")'
    rf"|(?<![\w.])(?P<word>{'|'.join(_WORDS)})\b(?!\s*\(\))(?:\((?P<precision>\d+)\))?",
    re.IGNORECASE | re.DOTALL,
)
# The braces hold the precision, if one is given.
_MEANING = {
    "current_timestamp": "(now())::timestamp{} with time zone",
    "current_date": "(now())::date",
    "current_time": "(now())::time{} with time zone",
    "localtimestamp": "(now())::timestamp{} without time zone",
    "localtime": "(now())::time{} without time zone",
    "transaction_timestamp": "now()",
    "current_user": "CURRENT_USER",
    "current_role": "CURRENT_USER",
    "user": "CURRENT_USER",
    "session_user": "SESSION_USER",
    "current_catalog": "current_database()",
    "current_database": "current_database()",
    "current_schema": "current_schema()",
}
_MODIFIER = re.compile(r"\([\d,]+\)")
_WITHOUT_MODIFIER = {"character": "bpchar", "bit": "bit varying"}
# An explicit cast to one of these with a length truncates values that an assignment refuses.
_TEXTS = ("character varying", "character", "bit varying", "bit")


def replace_synonyms(text: str) -> str:
    """Return *text* with one of its synonyms for each SQL value that has several."""
    return _SYNONYM.sub(_meaning, text)


def _meaning(match: re.Match[str]) -> str:
    name = (match["word"] or match["call"] or "").strip('"').lower()
    if not name:
        return match[0]
    precision = f"({match['precision']})" if match["precision"] else ""
    if name == "current_timestamp" and not precision:
        return "now()"
    return _MEANING[name].format(precision)


async def normalize(
    raw: asyncpg.Connection, namespace: str, expressions: Sequence[Expression]
) -> tuple[str | None, ...]:
    """Return the planner's form of each of *expressions*; ``None`` for those it refuses.

    This uses ``EXPLAIN`` and executes nothing.
    """
    await raw.execute(f"SET search_path TO {quoted(namespace)}")
    forms = [await _normalized(raw, expression) for expression in expressions]
    await raw.execute("RESET search_path")
    return tuple(forms)


async def _normalized(raw: asyncpg.Connection, expression: Expression) -> str | None:
    query = query_of(expression)
    if query is None:
        return None
    try:
        answer = await raw.fetchval(f"EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) {query}")
    except asyncpg.PostgresError:
        return None
    output = json.loads(answer)[0]["Plan"]["Output"]
    return str(output[0])


def query_of(expression: Expression) -> str | None:
    """Return the query that selects *expression*; ``None`` if it has a subquery.

    A plan prints subqueries as numbers, regardless of what they read.
    """
    text = replace_synonyms(expression.text)
    if any(token.kind == "word" and token.value == "select" for token in tokens(text)):
        return None
    value = f"({text})" + (_casts(expression.type) if expression.type is not None else "")
    columns = ", ".join(f"NULL::{type_} AS {quoted(name)}" for name, type_ in expression.columns)
    # OFFSET prevents the planner from replacing the columns with NULL.
    return f"SELECT {value}" + (f" FROM (SELECT {columns} OFFSET 0) t" if columns else "")


def _casts(type_: str) -> str:
    """Return the casts to *type_* that are equivalent to an assignment to such a column."""
    if not _MODIFIER.search(type_):
        return f"::{type_}"
    name, array = re.fullmatch(r"(.*?)((?:\[\])*)", _MODIFIER.sub("", type_)).groups()  # type: ignore[union-attr]
    plain = f"::{_WITHOUT_MODIFIER.get(name, name)}{array}"
    return plain if name in _TEXTS else f"{plain}::{type_}"
