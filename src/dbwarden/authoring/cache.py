"""Schemas that were read from scratch, kept by the content that they come from.

The folder ``.dbwarden`` in the project's root is git-ignored by its own ``.gitignore`` and may be
deleted at any time. What cannot be read or written is simply not there.
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from hashlib import sha256
from itertools import count
from operator import attrgetter
from pathlib import Path
from typing import Any

import dbwarden.schema
from dbwarden import __version__
from dbwarden.schema import InAnyOrder, Kind, Schema
from dbwarden.schema.garbage import collecting_no_garbage

KEPT = 50
"""How many schemas are kept; the oldest go first."""

_CLASSES: dict[str, Any] = {
    name: value for name, value in vars(dbwarden.schema).items() if is_dataclass(value)
} | {"Schema": Schema}
_FIELDS = {name: [field.name for field in fields(value)] for name, value in _CLASSES.items()}
_VALUES = {value: (name, attrgetter(*_FIELDS[name])) for name, value in _CLASSES.items()}
_PLAIN = frozenset({str, int, float, bool, type(None)})
_ONCE = frozenset({"Schema", "Table"})
"""What occurs once: to see that, all that it holds would have to be hashed."""
_BY_POSITION = ("QualifiedName", "Ref")
_AGAIN = "again"


def folder_of(root: Path) -> Path:
    """The git-ignored folder of the project at *root*."""
    return root / ".dbwarden"


def _path_of(root: Path, key: str) -> Path:
    return folder_of(root) / "cache" / f"{key}.json"


def key_of(parts: Iterable[str]) -> str:
    """The name under which the schema that comes from *parts* is kept."""
    shape = json.dumps(_FIELDS, sort_keys=True)
    text = json.dumps([__version__, shape, *parts])
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def has(root: Path, key: str) -> bool:
    """Whether something is kept under *key*. Blocking."""
    return _path_of(root, key).exists()


def load(root: Path, key: str) -> bytes | None:
    """What is kept under *key*. Blocking."""
    path = _path_of(root, key)
    try:
        found = path.read_bytes()
        os.utime(path)
    except OSError:
        return None
    return found


def save(root: Path, key: str, content: bytes) -> None:
    """Keep *content* under *key*. Blocking."""
    folder = prepared(root) / "cache"
    draft = folder / f".{key}.{os.getpid()}"
    try:
        folder.mkdir(exist_ok=True)
        draft.write_bytes(content)
        draft.replace(folder / f"{key}.json")
        _forget_oldest(folder)
    except OSError:
        draft.unlink(missing_ok=True)


def prepared(root: Path) -> Path:
    """The project's folder, made and git-ignored where that is possible. Blocking."""
    folder = folder_of(root)
    try:
        folder.mkdir(exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
    except OSError:  # a read-only checkout has no cache
        pass
    return folder


def _forget_oldest(folder: Path) -> None:
    kept = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in kept[KEPT:]:
        path.unlink(missing_ok=True)


def dump(schema: Schema) -> bytes:
    """*schema* as it is kept; ``parse`` takes it back."""
    with collecting_no_garbage():
        found = json.dumps(_encode(schema, {}, count()), separators=(",", ":"))
    return found.encode("utf-8", "surrogatepass")


def parse(content: bytes) -> Schema | None:
    """The schema kept as *content*; ``None`` where it cannot be read."""
    with collecting_no_garbage():
        try:
            found = _decode(json.loads(content.decode("utf-8", "surrogatepass")), [])
        except (ValueError, KeyError, TypeError, IndexError):
            return None
    return found if isinstance(found, Schema) else None


def _encode(value: Any, known: dict[Any, int], numbers: Iterator[int]) -> Any:
    """*value* in JSON; what occurs again, as a column does in many tables, is a number then."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is tuple:
        return [_encode(item, known, numbers) for item in value]
    if kind is Kind:
        return {"Kind": value.value}
    name, values = _VALUES[kind]
    if name not in _ONCE and value in known:
        return {_AGAIN: known[value]}
    found = {name: [_encode(item, known, numbers) for item in values(value)]}
    number = next(numbers)
    if name not in _ONCE:
        known[value] = number
    return found


def _decode(value: Any, known: list[Any]) -> Any:
    if isinstance(value, list):
        return tuple([_decode(item, known) for item in value])
    if not isinstance(value, dict):
        return value
    ((name, content),) = value.items()
    if name == _AGAIN:
        return known[content]
    if name == "Kind":
        return Kind(content)
    values = [_decode(item, known) if isinstance(item, list | dict) else item for item in content]
    if name in _BY_POSITION:
        made = _CLASSES[name](*values)
    else:
        named = dict(zip(_FIELDS[name], values, strict=True))
        if named.get("parameters"):
            named["parameters"] = InAnyOrder(named["parameters"])
        made = _CLASSES[name](**named)
    known.append(made)
    return made
