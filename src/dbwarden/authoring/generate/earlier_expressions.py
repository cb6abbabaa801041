"""Read the original expressions from earlier migration files, so that a rollback restores them.

PostgreSQL prints ``a IN ('x', 'y')`` as ``ANY ((ARRAY[...``, and running that text changes the
printed form again. A text found here may be outdated; the proof decides. Pure.
"""

import re
from collections.abc import Iterable

from dbwarden.authoring.collect.hints import ColumnKey, Hints, IndexExpressions, TextKey
from dbwarden.quoting import unquoted
from dbwarden.schema import QualifiedName

# Literals, comments and bodies are not searched; quoted names keep their quotes.
_OPAQUE = re.compile(
    r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|\"(?:[^\"]|\"\")*\"",
    re.DOTALL,
)
_NAME = r'(?:"[^"]*"|[A-Za-z_\x80-\U0010ffff][\w$]*)'
_OWNER = re.compile(
    r"\b(?:CREATE|ALTER)\s+(?:(?:GLOBAL|LOCAL|UNLOGGED)\s+)?(?:TABLE|DOMAIN)\s+"
    rf"(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(?:ONLY\s+)?(?P<owner>{_NAME}(?:\.{_NAME})?)"
    rf"|\bCONSTRAINT\s+(?P<check>{_NAME})\s+CHECK\s*(?=\()"
    rf"|(?:[(,]|\bADD\s+(?:COLUMN\s+)?(?:IF\s+NOT\s+EXISTS\s+)?)\s*(?P<column>{_NAME})\s+"
    r"(?:[^,;()]|\([\d\s,]*\))*?\bGENERATED\s+ALWAYS\s+AS\s*(?=\()"
    r"|(?P<end>;)",
    re.IGNORECASE,
)
_INDEX = re.compile(
    rf"\bCREATE\s+(?:UNIQUE\s+)?INDEX\s+(?:CONCURRENTLY\s+)?(?:IF\s+NOT\s+EXISTS\s+)?(?P<name>{_NAME})"
    rf"\s+ON\s+(?:ONLY\s+)?(?P<table>{_NAME}(?:\.{_NAME})?)[^;]*?\bWHERE\b(?P<where>[^;]*)",
    re.IGNORECASE,
)


def find_expressions(texts: Iterable[str], default_namespace: str | None) -> Hints:
    """Return the expressions of checks, computed columns and partial indexes in *texts*."""
    texts_by_key: dict[TextKey, str] = {}
    indexes: dict[ColumnKey, IndexExpressions] = {}
    for text in texts:
        shape = _OPAQUE.sub(_masked, text)
        owner: QualifiedName | None = None
        for match in _OWNER.finditer(shape):
            if match["end"] is not None:
                owner = None
            elif match["owner"] is not None:
                owner = _qualified(text[slice(*match.span("owner"))], default_namespace)
            elif owner is not None and (inside := _inside(text, shape, match.end())):
                kind = "check" if match["check"] else "column"
                name = _plain(text[slice(*match.span(kind))])
                texts_by_key["check" if match["check"] else "generated", owner, name] = inside
        for match in _INDEX.finditer(shape):
            table = _qualified(text[slice(*match.span("table"))], default_namespace)
            where = text[slice(*match.span("where"))].strip()
            name = _plain(text[slice(*match.span("name"))])
            indexes[table, name] = IndexExpressions(keys=(), where=where)
    return Hints(texts=texts_by_key, indexes=indexes)


def _masked(match: re.Match[str]) -> str:
    """Return a meaningless text of the same length as the match."""
    text = match[0]
    return f'"{"x" * (len(text) - 2)}"' if text.startswith('"') else "'" * len(text)


def _inside(text: str, shape: str, start: int) -> str:
    """Return the text inside the parentheses that open at *start*."""
    depth = 0
    for place in range(start, len(shape)):
        depth += {"(": 1, ")": -1}.get(shape[place], 0)
        if depth == 0:
            return text[start + 1 : place].strip()
    return ""


def _plain(name: str) -> str:
    return unquoted(name) if name.startswith('"') else name.lower()


def _qualified(text: str, default_namespace: str | None) -> QualifiedName:
    """Return the name as in hints, without the default namespace."""
    *space, name = (_plain(part) for part in re.findall(r'"(?:[^"]|"")*"|[^".]+', text))
    namespace = space[0] if space and space[0] != default_namespace else None
    return QualifiedName(namespace, name)
