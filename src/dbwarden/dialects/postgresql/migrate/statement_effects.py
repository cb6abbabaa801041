"""Determine how to find out from the catalog whether a statement took effect. Pure.

A statement outside a transaction may have run without a confirmation. Each class here describes
how the next run finds out. Names are as in the catalog: folded, unquoted, truncated to 63 bytes.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from dbwarden.dialects.base import Statement
from dbwarden.dialects.postgresql.sql.lexer import Token, leading_words, tokens
from dbwarden.dialects.postgresql.sql.transactions import is_off

ServerObject = Literal["database", "tablespace", "subscription"]
"""The objects that CREATE and DROP handle outside a transaction."""
Reindexable = Literal["index", "table", "schema", "database", "system"]
"""What REINDEX handles."""


@dataclass(frozen=True, slots=True)
class NameInText:
    """A name with its namespace, or ``None`` if the search path decides."""

    namespace: str | None
    name: str


@dataclass(frozen=True, slots=True)
class IndexBuilt:
    """CREATE INDEX CONCURRENTLY: done if a valid index exists; an invalid one is dropped first.

    ``index`` is ``None`` if the server chooses the name. The index is in the table's namespace.
    """

    index: str | None
    table: NameInText


@dataclass(frozen=True, slots=True)
class IndexDropped:
    """DROP INDEX CONCURRENTLY: done if none of the indexes exists."""

    indexes: tuple[NameInText, ...]


@dataclass(frozen=True, slots=True)
class Reindexed:
    """REINDEX CONCURRENTLY: repeatable once its leftovers (``_ccnew``, ``_ccold``) are dropped.

    ``name`` is ``None`` for the current database.
    """

    what: Reindexable
    name: NameInText | None


@dataclass(frozen=True, slots=True)
class PartitionDetached:
    """DETACH PARTITION CONCURRENTLY: done if detached; FINALIZE completes an interrupted one."""

    parent: NameInText
    partition: NameInText


@dataclass(frozen=True, slots=True)
class EnumValueAdded:
    """ALTER TYPE ... ADD VALUE: done if the type has the value."""

    type: NameInText
    value: str


@dataclass(frozen=True, slots=True)
class ObjectMade:
    """CREATE DATABASE, TABLESPACE or SUBSCRIPTION: done if it exists."""

    kind: ServerObject
    name: str


@dataclass(frozen=True, slots=True)
class ObjectDropped:
    """DROP DATABASE, TABLESPACE or SUBSCRIPTION: done if it does not exist."""

    kind: ServerObject
    name: str


@dataclass(frozen=True, slots=True)
class SessionSetting:
    """SET, RESET, set_config(): lost with the connection, so run again on resume."""


@dataclass(frozen=True, slots=True)
class Repeatable:
    """VACUUM, ANALYZE, ALTER SYSTEM ...: safe to run again."""


@dataclass(frozen=True, slots=True)
class Transactional:
    """A statement that can run in a transaction, together with its journal row."""


@dataclass(frozen=True, slots=True)
class UnknownEffect:
    """CALL, SELECT, DO with COMMIT ...: the catalog does not show whether it ran."""


Probe = (
    IndexBuilt
    | IndexDropped
    | Reindexed
    | PartitionDetached
    | EnumValueAdded
    | ObjectMade
    | ObjectDropped
    | SessionSetting
    | Repeatable
    | Transactional
    | UnknownEffect
)

_REPEATABLE = {
    "analyze", "checkpoint", "cluster", "discard", "listen", "load", "refresh", "show",
    "unlisten", "vacuum",
}  # fmt: skip
_TRANSACTIONAL = {
    "alter", "comment", "copy", "create", "delete", "drop", "grant", "import", "insert", "lock",
    "merge", "notify", "reassign", "reindex", "revoke", "security", "truncate", "update",
}  # fmt: skip


# Patterns of a statement as words and signs with a blank after each; see ``_normalize``.
_WORD = r"[a-z_\x80-\U0010ffff][a-z0-9_$\x80-\U0010ffff]*"
_NAME = rf'(?:"\d+"|{_WORD})(?: \. (?:"\d+"|{_WORD}))*(?! uescape )'
_PLACEHOLDERS = {
    "NAMES": f"({_NAME}(?: , {_NAME})*)(?! , )",
    "NAME": f"({_NAME})",
    "STRING": r"('\d+')",
}


class _Form:
    """One form of statements: how it begins, how it goes on, and the probe of its parts.

    A statement that begins like this and goes on in another way is unknown.
    """

    def __init__(self, beginning: str, rest: str, probe: Callable[..., Probe]) -> None:
        self._kinds = re.findall(r"NAMES|NAME|STRING|(?<!\\)\((?!\?)", beginning + rest)
        self._beginning, self._whole = _compile(beginning), _compile(beginning + rest)
        self._probe = probe

    def probe(self, text: str, sql_tokens: Sequence[Token]) -> Probe | None:
        """Return the probe of a statement of this form; ``None`` if it begins in another way."""
        if not self._beginning.match(text):
            return None
        match = self._whole.match(text)
        if match is None:
            return UnknownEffect()
        parts = zip(self._kinds, match.groups(), strict=True)
        return self._probe(*(part and _read(kind, part, sql_tokens) for kind, part in parts))


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub("|".join(_PLACEHOLDERS), lambda it: _PLACEHOLDERS[it[0]], pattern))


def _read(
    kind: str, part: str, sql_tokens: Sequence[Token]
) -> str | NameInText | tuple[NameInText, ...]:
    """Return the value of one *part* of a statement."""
    match kind:
        case "NAMES":
            return tuple(_name(each, sql_tokens) for each in part.split(" , "))
        case "NAME":
            return _name(part, sql_tokens)
        case "STRING":
            return sql_tokens[int(part[1:-1])].value
    return part


def _name(text: str, sql_tokens: Sequence[Token]) -> NameInText:
    names = [
        sql_tokens[int(word[1:-1])].value if word[0] == '"' else word for word in text.split(" . ")
    ]
    return NameInText(names[-2] if len(names) > 1 else None, names[-1])


def _reindexed(
    options: str | None, what: Reindexable, concurrently: str | None, name: NameInText | None
) -> Probe:
    words = options.split() if options else []
    if concurrently or ("concurrently" in words and not is_off(words, "concurrently")):
        return Reindexed(what, name)
    return Transactional() if what in ("index", "table") else Repeatable()


_OBJECT = f"({'|'.join(get_args(ServerObject))}) "
_FORMS = (
    _Form(f"create {_OBJECT}", "NAME ", lambda kind, name: ObjectMade(kind, name.name)),
    _Form(
        "create (?:unique )?index concurrently ",
        "(?:if not exists )?(?:NAME )?on (?:only )?NAME ",
        lambda index, table: IndexBuilt(index.name if index else None, table),
    ),
    _Form(
        f"drop {_OBJECT}",
        "(?:if exists )?NAME ",
        lambda kind, name: ObjectDropped(kind, name.name),
    ),
    _Form("drop index concurrently ", "(?:if exists )?NAMES ", IndexDropped),
    _Form(
        r"alter table (?:if exists )?(?:only )?NAME (?:\* )?detach partition NAME concurrently ",
        "",
        PartitionDetached,
    ),
    _Form("alter type NAME add value ", "(?:if not exists )?STRING ", EnumValueAdded),
    _Form("alter system ", "", Repeatable),
    _Form("alter database NAME set tablespace ", "", lambda _: Repeatable()),
    _Form("alter subscription NAME (?:refresh|set) ", "", lambda _: Repeatable()),
    _Form("alter subscription NAME (?:add|drop) ", "", lambda _: UnknownEffect()),
    _Form(
        "reindex ",
        r"(?:\( ([^)]*)\) )?(?:verbose )?"
        f"({'|'.join(get_args(Reindexable))}) (concurrently )?(?:NAME )?",
        _reindexed,
    ),
    _Form("set (?:local|transaction|constraints) ", "", Repeatable),
    _Form("(?:set|reset) ", "", SessionSetting),
    # set_config('search_path', '', false) alone, as in a dump
    _Form(
        r"select (?:pg_catalog \. )?set_config \( STRING , STRING , false \) $",
        "",
        lambda *_: SessionSetting(),
    ),
)
"""The first form that a statement begins like decides."""


def probe_of(statement: Statement) -> Probe:
    """Return the way to find out whether *statement* took effect after an interruption."""
    sql_tokens = tokens(statement.text)
    text = _normalize(sql_tokens)
    for form in _FORMS:
        if (probe := form.probe(text, sql_tokens)) is not None:
            return probe
    first = text.partition(" ")[0]
    if first in _REPEATABLE:
        return Repeatable()
    whole = first in _TRANSACTIONAL or (first == "do" and not commits_inside(statement))
    return Transactional() if whole else UnknownEffect()


def commits_inside(statement: Statement) -> bool:
    """Return whether *statement* may end transactions of its own."""
    first = leading_words(statement.text, 0, 1)
    return first == ["call"] or (first == ["do"] and _ENDS.search(statement.text) is not None)


_ENDS = re.compile(r"\b(?:commit|rollback|call|execute)\b", re.IGNORECASE)


def _normalize(sql_tokens: Sequence[Token]) -> str:
    """Return the tokens with a blank after each; quoted ones as their quoted positions."""
    quotes = {"name": '"', "string": "'"}
    return "".join(
        f"{quote}{place}{quote} " if (quote := quotes.get(token.kind)) else f"{token.value} "
        for place, token in enumerate(sql_tokens)
    )
