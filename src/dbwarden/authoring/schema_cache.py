"""Cache the schemas of scratch databases, keyed by the content that builds them.

The folder ``.dbwarden`` in the project's root is git-ignored by its own ``.gitignore`` and may be
deleted at any time. An entry that cannot be read or written is a cache miss.
"""

import contextlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from hashlib import sha256
from operator import attrgetter
from pathlib import Path
from typing import Any

import dbwarden.schema
from dbwarden import __version__
from dbwarden.files.disk import keep_newest, write_private
from dbwarden.schema import Schema

ENTRIES = 50
"""Number of cached schemas; the oldest are deleted first."""

_NOT_OURS = (ValueError, KeyError, TypeError, IndexError)
"""Errors of an entry with a valid checksum that another program wrote."""

_PLAIN = frozenset({str, int, float, bool, type(None)})
_TYPES: dict[str, Any] = {"tuple": tuple} | {
    name: value
    for name, value in vars(dbwarden.schema).items()
    if isinstance(value, type) and (is_dataclass(value) or issubclass(value, tuple | Enum))
}
_FIELDS = {
    name: [field.name for field in fields(value)]
    for name, value in _TYPES.items()
    if is_dataclass(value)
}
_NAMES = {value: name for name, value in _TYPES.items()}
_VALUES = {_TYPES[name]: attrgetter(*names) for name, names in _FIELDS.items()}
_BY_NAME = frozenset(
    name for name in _FIELDS if any(field.kw_only for field in fields(_TYPES[name]))
)


def folder_of(root: Path) -> Path:
    """Return the git-ignored folder of the project at *root*."""
    return root / ".dbwarden"


def _path_of(root: Path, key: str) -> Path:
    return folder_of(root) / "cache" / f"{key}.json"


def key_of(parts: Iterable[str]) -> str:
    """Return the key of the schema that is built from *parts*."""
    shape = json.dumps(_FIELDS, sort_keys=True)
    text = json.dumps([__version__, shape, *parts])
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def has(root: Path, key: str) -> bool:
    """Return whether there is an entry for *key*. Blocking."""
    return os.path.exists(_path_of(root, key))


def load(root: Path, key: str) -> bytes | None:
    """Return the entry of *key*, ``None`` if there is no readable one. Blocking."""
    path = _path_of(root, key)
    with contextlib.suppress(OSError):
        content = path.read_bytes()
        with contextlib.suppress(OSError):  # readable, but owned by another user
            os.utime(path)
        return content
    return None


def save(root: Path, key: str, content: bytes) -> None:
    """Store *content* as the entry of *key*, if the folder can be written. Blocking."""
    folder = prepared(root) / "cache"
    draft = folder / f".{key}.{os.getpid()}"
    try:
        folder.mkdir(exist_ok=True)
        draft.unlink(missing_ok=True)
        write_private(draft, content)
        draft.replace(folder / f"{key}.json")
        keep_newest(folder, "*.json", ENTRIES)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def prepared(root: Path) -> Path:
    """Create the project's git-ignored folder where that is possible, and return it. Blocking."""
    folder = folder_of(root)
    with contextlib.suppress(OSError):  # a read-only checkout has no cache
        folder.mkdir(exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            write_private(ignore, b"*\n")
    return folder


def dump(schema: Schema) -> bytes:
    """Return *schema* as :func:`parse` reads it: a checksum and JSON.

    The JSON is one list of rows, each with the name of a type and its values. A value other than
    text, number, boolean or null is the position of its own row, as ``[position]``. Equal values
    share a row.

    Raises:
        TypeError: A value has a type that ``dbwarden.schema`` does not export.
    """
    writer = _Writer()
    writer.slot(schema)
    text = json.dumps([*writer.rows], separators=(",", ":")).encode()
    return sha256(text).hexdigest().encode() + b"\n" + text


def parse(content: bytes) -> Schema | None:
    """Return the schema that :func:`dump` wrote; ``None`` if *content* was not written by it."""
    checksum, _, text = content.partition(b"\n")
    if sha256(text).hexdigest().encode() != checksum:
        return None
    values: list[Any] = []
    with contextlib.suppress(*_NOT_OURS):
        for name, *parts in json.loads(text):
            values.append(_build(name, [values[p[0]] if type(p) is list else p for p in parts]))
        return values[-1] if isinstance(values[-1], Schema) else None
    return None


@dataclass(slots=True)
class _Writer:
    """The rows of one schema, each with its position."""

    rows: dict[tuple[Any, ...], int] = field(default_factory=dict)

    def slot(self, value: Any) -> Any:
        """Return the reference of a row to *value*, and add the row of *value* if it is new."""
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind not in _NAMES:
            raise TypeError(f"{kind.__name__} is not exported by dbwarden.schema")
        row = (_NAMES[kind], *map(self.slot, _parts(kind, value)))
        return (self.rows.setdefault(row, len(self.rows)),)


def _parts(kind: type, value: Any) -> Sequence[Any]:
    if kind in _VALUES:
        values: Sequence[Any] = _VALUES[kind](value)
        return values
    return (value.value,) if isinstance(value, Enum) else value


def _build(name: str, parts: list[Any]) -> Any:
    kind = _TYPES[name]
    if name in _BY_NAME:
        return kind(**dict(zip(_FIELDS[name], parts, strict=True)))
    return kind(parts) if issubclass(kind, tuple) else kind(*parts)
