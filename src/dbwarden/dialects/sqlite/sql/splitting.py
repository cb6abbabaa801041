"""Split SQLite text into statements, as the standard library does, and into steps. Pure."""

import re
from sqlite3 import complete_statement

from dbwarden.dialects import splitting as common
from dbwarden.dialects.base import Statement
from dbwarden.dialects.splitting import Ending, Span
from dbwarden.files.lexing import SQLITE, SourceText, skip_gap

_STOPS = re.compile(r";|'|\"|`|\[|--|/\*")
_WORD = re.compile(r"[A-Za-z_]+")
_PRAGMA = re.compile(r"(?:[A-Za-z_0-9]+|\"[^\"]*\")")
_CONTROL = {"begin", "commit", "end", "rollback", "savepoint", "release"}

_SETTINGS = {
    "automatic_index", "busy_timeout", "cache_size", "cache_spill", "case_sensitive_like",
    "cell_size_check", "checkpoint_fullfsync", "foreign_keys", "fullfsync",
    "hard_heap_limit", "ignore_check_constraints", "journal_size_limit", "legacy_alter_table",
    "locking_mode", "mmap_size", "query_only", "read_uncommitted", "recursive_triggers",
    "reverse_unordered_selects", "secure_delete", "soft_heap_limit", "synchronous", "temp_store",
    "threads", "trusted_schema", "wal_autocheckpoint", "writable_schema",
}  # fmt: skip
"""PRAGMAs that apply to the connection only."""

_OUTSIDE = {
    "auto_vacuum", "encoding", "foreign_keys", "journal_mode", "locking_mode", "page_size",
    "synchronous", "temp_store", "temp_store_directory", "wal_checkpoint",
}  # fmt: skip
"""PRAGMAs that SQLite refuses or ignores inside a transaction."""


def _end_of(source: SourceText, start: int) -> Ending:
    """Return the first semicolon that completes the statement.

    Only CREATE TRIGGER may contain semicolons, and it ends with ``; END;``. So
    ``complete_statement``, which reads from the start, is called only after such an END, which
    keeps the time linear.
    """
    text, search = source.text, _STOPS.search
    comments: list[tuple[int, int]] = []
    position, last = start, -1
    trigger = None
    while match := search(text, position):
        at = match.start()
        if text[at] != ";":
            position = common.skip(source, SQLITE, at, comments)
            continue
        if trigger is None:
            trigger = not complete_statement(text[start : at + 1])
        if not trigger or (
            _is_end(text, last + 1, at) and complete_statement(text[start : at + 1])
        ):
            return Ending(common.trim(text, start, at, comments), at + 1)
        position, last = at + 1, at
    code = common.trim(text, start, len(text), comments)
    if not complete_statement(text[start:code] + ";"):
        raise source.error(
            start, "this trigger has no END;", "Close its body with END; after its last statement."
        )
    return Ending(code, len(text))


def _is_end(text: str, start: int, semicolon: int) -> bool:
    """Return whether only END is between two semicolons."""
    word = skip_gap(SQLITE, text, start)
    return text[word : word + 3].lower() == "end" and skip_gap(SQLITE, text, word + 3) == semicolon


def _check(source: SourceText, span: Span) -> None:
    match = _WORD.match(source.text, span.start)
    if match and match[0].lower() in _CONTROL:
        raise common.transaction_control(source, span, match[0])


def refuses_transaction(statement: Statement) -> bool:
    """Return whether SQLite refuses or ignores *statement* inside a transaction."""
    word = _first_word(statement.text)
    return word in ("vacuum", "attach", "detach") or pragma_of(statement) in _OUTSIDE


def is_connection_setting(statement: Statement) -> bool:
    """Return whether *statement* affects only the connection, so that a resume repeats it."""
    return _first_word(statement.text) in ("attach", "detach") or pragma_of(statement) in _SETTINGS


def pragma_of(statement: Statement) -> str | None:
    """Return the name of the PRAGMA in lower case; ``None`` for other statements."""
    if _first_word(statement.text) != "pragma":
        return None
    text = statement.text
    name = _PRAGMA.match(text, skip_gap(SQLITE, text, len("pragma")))
    while name and text.startswith(".", after := skip_gap(SQLITE, text, name.end())):
        name = _PRAGMA.match(text, skip_gap(SQLITE, text, after + 1))
    return name[0].strip('"').lower() if name else ""


def _first_word(text: str) -> str:
    match = _WORD.match(text)
    return match[0].lower() if match else ""


SPLITTER = common.Splitter(
    lexis=SQLITE, end_of=_end_of, check=_check, refuses_transaction=refuses_transaction
)
split, steps = SPLITTER.split, SPLITTER.steps
