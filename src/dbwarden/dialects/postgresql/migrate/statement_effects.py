"""Determine how to find out from the catalog whether a statement took effect. Pure.

A statement outside a transaction may have run without a confirmation. Each class here describes
how the next run finds out. Names are as in the catalog: folded, unquoted, truncated to 63 bytes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from dbwarden.dialects.base import Statement
from dbwarden.dialects.postgresql.sql.lexer import Token, tokens
from dbwarden.dialects.postgresql.sql.transactions import is_off

ServerObject = Literal["database", "tablespace", "subscription"]
"""The objects that CREATE and DROP handle outside a transaction."""
Reindexable = Literal["index", "table", "schema", "database", "system"]
"""What REINDEX handles."""


@dataclass(frozen=True, slots=True)
class QualifiedName:
    """A name with its namespace, or ``None`` if the search path decides."""

    namespace: str | None
    name: str


@dataclass(frozen=True, slots=True)
class IndexBuilt:
    """CREATE INDEX CONCURRENTLY: done if a valid index exists; an invalid one is dropped first.

    ``index`` is ``None`` if the server chooses the name. The index is in the table's namespace.
    """

    index: str | None
    table: QualifiedName


@dataclass(frozen=True, slots=True)
class IndexDropped:
    """DROP INDEX CONCURRENTLY: done if none of the indexes exists."""

    indexes: tuple[QualifiedName, ...]


@dataclass(frozen=True, slots=True)
class Reindexed:
    """REINDEX CONCURRENTLY: repeatable once its leftovers (``_ccnew``, ``_ccold``) are dropped.

    ``name`` is ``None`` for the current database.
    """

    what: Reindexable
    name: QualifiedName | None


@dataclass(frozen=True, slots=True)
class PartitionDetached:
    """DETACH PARTITION CONCURRENTLY: done if detached; FINALIZE completes an interrupted one."""

    parent: QualifiedName
    partition: QualifiedName


@dataclass(frozen=True, slots=True)
class EnumValueAdded:
    """ALTER TYPE ... ADD VALUE: done if the type has the value."""

    type: QualifiedName
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
class Unknown:
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
    | Unknown
)

_REPEATABLE = {
    "analyze", "checkpoint", "cluster", "discard", "listen", "load", "refresh", "show",
    "unlisten", "vacuum",
}  # fmt: skip
_TRANSACTIONAL = {
    "alter", "comment", "copy", "create", "delete", "drop", "grant", "import", "insert", "lock",
    "merge", "notify", "reassign", "reindex", "revoke", "security", "truncate", "update",
}  # fmt: skip


def probe_of(statement: Statement) -> Probe:
    """Return the way to find out whether *statement* took effect after an interruption."""
    reader = _Reader(tokens(statement.text))
    first = reader.word()
    special = _special(reader, first)
    if special is not None:
        return special
    if first in _REPEATABLE:
        return Repeatable()
    whole = first in _TRANSACTIONAL or (first == "do" and not commits_inside(statement))
    return Transactional() if whole else Unknown()


def commits_inside(statement: Statement) -> bool:
    """Return whether *statement* may end transactions of its own."""
    first = _Reader(tokens(statement.text)).word()
    return first == "call" or (first == "do" and _ENDS.search(statement.text) is not None)


_ENDS = re.compile(r"\b(?:commit|rollback|call|execute)\b", re.IGNORECASE)


def _special(reader: "_Reader", first: str) -> Probe | None:
    match first:
        case "create":
            return _create(reader)
        case "drop":
            return _drop(reader)
        case "alter":
            return _alter(reader)
        case "reindex":
            return _reindex(reader)
        case "set":
            local = reader.take("local") or reader.take("transaction") or reader.take("constraints")
            return Repeatable() if local else SessionSetting()
        case "reset":
            return SessionSetting()
        case "select" if _sets_config(reader):
            return SessionSetting()
    return None


def _sets_config(reader: "_Reader") -> bool:
    """Return whether only ``set_config('search_path', '', false)`` follows, as in a dump."""
    if reader.take("pg_catalog"):
        reader.sign(".")
    called = reader.take("set_config") and reader.sign("(")
    name = called and reader.string() is not None and reader.sign(",")
    value = name and reader.string() is not None and reader.sign(",")
    return value and reader.take("false") and reader.sign(")") and not reader.peek().value


class _Reader:
    """Reads tokens from left to right."""

    __slots__ = ("_at", "_tokens")

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens, self._at = tokens, 0

    def peek(self, ahead: int = 0) -> Token:
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else Token("sign", "")

    def word(self) -> str:
        """Take the next token if it is a word; otherwise return ``""``."""
        token = self.peek()
        if token.kind != "word":
            return ""
        self._at += 1
        return token.value

    def take(self, *words: str) -> bool:
        """Take *words* if they come next, all or none."""
        if any(self.peek(at) != Token("word", word) for at, word in enumerate(words)):
            return False
        self._at += len(words)
        return True

    def sign(self, sign: str) -> bool:
        if self.peek() != Token("sign", sign):
            return False
        self._at += 1
        return True

    def name(self) -> QualifiedName | None:
        """Take ``name`` or ``namespace.name``."""
        parts: list[str] = []
        while self.peek().is_name:
            parts.append(self.peek().value)
            self._at += 1
            if not self.sign("."):
                break
        if not parts or self.peek() == Token("word", "uescape"):
            return None
        return QualifiedName(parts[-2] if len(parts) > 1 else None, parts[-1])

    def string(self) -> str | None:
        token = self.peek()
        self._at += 1
        return token.value if token.kind == "string" else None

    def options(self) -> list[str]:
        """Take ``( ... )`` if it comes next, and return the words in it."""
        inside: list[str] = []
        if self.sign("("):
            while self.peek().value and not self.sign(")"):
                inside.append(self.peek().value)
                self._at += 1
        return inside


def _create(reader: _Reader) -> Probe | None:
    if kind := _server_object(reader):
        name = reader.name()
        return ObjectMade(kind, name.name) if name else Unknown()
    reader.take("unique")
    if not reader.take("index", "concurrently"):
        return None
    reader.take("if", "not", "exists")
    index = None
    if not reader.take("on"):
        index = reader.name()
        if index is None or not reader.take("on"):
            return Unknown()
    reader.take("only")
    table = reader.name()
    if table is None:
        return Unknown()
    return IndexBuilt(index.name if index else None, table)


def _server_object(reader: _Reader) -> ServerObject | None:
    kinds: tuple[ServerObject, ...] = get_args(ServerObject)
    return next((kind for kind in kinds if reader.take(kind)), None)


def _drop(reader: _Reader) -> Probe | None:
    kind = _server_object(reader)
    if kind is None and not reader.take("index", "concurrently"):
        return None
    reader.take("if", "exists")
    names = _names(reader)
    if not names:
        return Unknown()
    return ObjectDropped(kind, names[0].name) if kind else IndexDropped(names)


def _names(reader: _Reader) -> tuple[QualifiedName, ...]:
    names: list[QualifiedName] = []
    while name := reader.name():
        names.append(name)
        if not reader.sign(","):
            return tuple(names)
    return ()


def _alter(reader: _Reader) -> Probe | None:
    match reader.word():
        case "table":
            return _detach(reader)
        case "type":
            return _add_value(reader)
        case "system":
            return Repeatable()
        case "database":
            reader.name()
            return Repeatable() if reader.take("set", "tablespace") else None
        case "subscription":
            return _alter_subscription(reader)
    return None


def _detach(reader: _Reader) -> Probe | None:
    reader.take("if", "exists")
    reader.take("only")
    parent = reader.name()
    reader.sign("*")
    if not reader.take("detach", "partition"):
        return None
    partition = reader.name()
    if not reader.take("concurrently"):
        return None
    return PartitionDetached(parent, partition) if parent and partition else Unknown()


def _add_value(reader: _Reader) -> Probe | None:
    name = reader.name()
    if not reader.take("add", "value"):
        return None
    reader.take("if", "not", "exists")
    value = reader.string()
    return EnumValueAdded(name, value) if name and value is not None else Unknown()


def _alter_subscription(reader: _Reader) -> Probe | None:
    reader.name()
    if reader.take("refresh") or reader.take("set"):
        return Repeatable()
    return Unknown() if reader.take("add") or reader.take("drop") else None


def _reindex(reader: _Reader) -> Probe | None:
    options = reader.options()
    concurrently = "concurrently" in options and not is_off(options, "concurrently")
    reader.take("verbose")
    kinds: tuple[Reindexable, ...] = get_args(Reindexable)
    what = next((kind for kind in kinds if reader.take(kind)), None)
    concurrently = reader.take("concurrently") or concurrently
    if what is None:
        return Unknown()
    if concurrently:
        return Reindexed(what, reader.name())
    return None if what in ("index", "table") else Repeatable()
