"""Validate and normalize the value of each option. Pure.

A check takes an argument of ``database_config`` and returns the value for ``DatabaseConfig``.
"""

import math
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dbwarden.config.names import did_you_mean, problem_of_name
from dbwarden.config.urls import KINDS

OptionCheck = Callable[[Any, Path], object]

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_POOL = frozenset({"pool_size", "max_overflow", "pool_timeout", "pool_recycle", "pool_pre_ping"})
_RESERVED = frozenset({"url", "creator", "async_creator", "module", "strategy"})


class ValueProblem(Exception):
    """A problem of a value; internal to ``dbwarden.config``."""


def shown(value: object) -> str:
    """Return *value* shortened for a message; only its type if it may contain a secret."""
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    if isinstance(value, str) and is_url(value):
        return "a URL"
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:57] + "...")
    return f"a value of type {type(value).__name__}"


def is_url(value: object) -> bool:
    """Return whether *value* is text that contains a URL, which may contain a password."""
    return isinstance(value, str) and "://" in value


def is_record(value: object) -> bool:
    """Return whether *value* is a named tuple, such as a ``sqlalchemy.URL``."""
    return isinstance(value, tuple) and hasattr(value, "_fields")


def name(value: Any, root: Path) -> str:
    """Check the name of a database."""
    reference(value, root)
    if problem := problem_of_name(value):
        raise ValueProblem(problem)
    return str(value)


def text(value: Any, root: Path) -> str:
    """Check non-empty text."""
    if not isinstance(value, str) or not value:
        raise ValueProblem(f"must be text, not {shown(value)}")
    return str(value)


def reference(value: Any, root: Path) -> str:
    """Check the name of another database."""
    if is_url(value):
        raise ValueProblem("is a URL, not a name")
    return text(value, root)


def choice(words: Sequence[str]) -> OptionCheck:
    """Return a check for one of *words*."""

    def check(value: Any, root: Path) -> str:
        if value not in words:
            hint = did_you_mean(value, words) if isinstance(value, str) else ""
            raise ValueProblem(f"must be {' or '.join(map(repr, words))}, not {shown(value)}{hint}")
        return str(value)

    return check


kind = choice(KINDS)
partitions = choice(("declared", "all"))


def source(value: Any, root: Path) -> object:
    """Accept any URL source; it is read later, together with the type."""
    return value


def flag(value: Any, root: Path) -> bool:
    """Check a boolean."""
    if not isinstance(value, bool):
        raise ValueProblem(f"must be True or False, not {shown(value)}")
    return value


def identifier(value: Any, root: Path) -> str:
    """Check the name of a table or namespace."""
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        raise ValueProblem(
            "must be a plain name (letters, digits and underscores, at most 63), "
            f"not {shown(value)}"
        )
    return value


def seconds(*, optional: bool = False, also: float | None = None) -> OptionCheck:
    """Return a check for positive seconds; *optional* allows ``None``, and *also* is allowed."""

    def check(value: Any, root: Path) -> float | None:
        if value is None and optional:
            return None
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and (value == also or (value > 0 and math.isfinite(value))):
            return float(value)
        none = ", or None for no limit" if optional else ""
        extra = f", or {also:g}" if also is not None else ""
        raise ValueProblem(f"must be a number of seconds above 0{extra}{none}, not {shown(value)}")

    return check


def count(least: int) -> OptionCheck:
    """Return a check for an integer of at least *least*."""

    def check(value: Any, root: Path) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueProblem(f"must be a whole number, {least} or more, not {shown(value)}")
        return value

    return check


def path(value: Any, root: Path) -> Path:
    """Check a path and make it absolute from *root*."""
    given = os.fspath(value) if isinstance(value, str | os.PathLike) else ""
    if not given or is_url(given) or "\0" in given:
        raise ValueProblem(f"must be a path, not {shown(given or value)}")
    return Path(os.path.normpath(root / value))


def _pattern(item: Any, root: Path) -> str:
    if is_url(item):
        raise ValueProblem("has a URL, not a pattern such as 'table audit_*'")
    return text(item, root)


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, str | os.PathLike):
        raise ValueProblem(f"must be a list; write [{shown(os.fspath(value))}]")
    if not isinstance(value, list | tuple | set | frozenset) or is_record(value):
        raise ValueProblem(f"must be a list, not {shown(value)}")
    return sorted(value, key=str) if isinstance(value, set | frozenset) else value


def _model_path(item: Any, root: Path) -> str:
    """Check a dotted module, a file or a folder, and make a path absolute; ``!`` excludes one."""
    if isinstance(item, str) and item.startswith("!"):
        return f"!{_model_path(item[1:], root)}"
    given = str(os.fspath(item)) if isinstance(item, str | os.PathLike) else None
    if given and (
        not isinstance(item, str) or "/" in given or os.sep in given or given.endswith(".py")
    ):
        return str(path(given, root))
    if given and _DOTTED.fullmatch(given):
        return given
    raise ValueProblem(f"{shown(item)} is neither a dotted module (app.models) nor a path")


def each(check: OptionCheck) -> OptionCheck:
    """Return a check for a list of values that each pass *check*."""
    return lambda value, root: tuple(check(item, root) for item in _items(value))


paths = each(path)
model_paths = each(_model_path)
patterns = each(_pattern)


def engine_options(value: Any, root: Path) -> Mapping[str, Any]:
    """Check options of SQLAlchemy's ``create_async_engine``."""
    _require_mapping(value)
    if is_url(keys := " ".join(value)):
        raise ValueProblem(f"must have names as keys, not {shown(keys)}")
    if pool := sorted(_POOL & value.keys()):
        raise ValueProblem(f"{pool[0]!r} is an option of database_config itself; give it there")
    if reserved := sorted(_RESERVED & value.keys()):
        raise ValueProblem(f"{reserved[0]!r} is set by dbwarden and cannot be given")
    return MappingProxyType(dict(value))


NAMED = (
    *("table", "column", "index", "primary_key", "unique", "foreign_key", "check", "exclusion"),
)
"""The kinds of objects whose names ``naming`` restricts."""


def naming(value: Any, root: Path) -> Mapping[str, str]:
    """Check the patterns of names, by kind of object."""
    _require_mapping(value)
    for key, pattern in value.items():
        if key not in NAMED:
            raise ValueProblem(f"has {shown(key)}; its keys are {', '.join(NAMED)}")
        try:
            re.compile(text(pattern, root))
        except re.error as error:
            raise ValueProblem(
                f"{key}: {shown(pattern)} is no regular expression: {error}"
            ) from None
    return MappingProxyType(dict(value))


def _require_mapping(value: Any) -> None:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ValueProblem(f"must be a dictionary with text as keys, not {shown(value)}")
