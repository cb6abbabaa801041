"""Schemas that were read from scratch, kept by the content that they come from.

The folder ``.dbwarden`` in the project's root is git-ignored by its own ``.gitignore`` and may be
deleted at any time. What cannot be read or written is simply not there.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import dbwarden.schema
from dbwarden import __version__
from dbwarden.authoring.garbage import collecting_no_garbage
from dbwarden.schema import Kind, Schema

KEPT = 50
"""How many schemas are kept; the oldest go first."""

_CLASSES: dict[str, Any] = {
    name: value for name, value in vars(dbwarden.schema).items() if is_dataclass(value)
} | {"Schema": Schema}
_FIELDS = {name: [field.name for field in fields(value)] for name, value in _CLASSES.items()}
_BY_POSITION = ("QualifiedName", "Ref")
_AGAIN = "again"


def folder_of(root: Path) -> Path:
    """The git-ignored folder of the project at *root*."""
    return root / ".dbwarden"


def key_of(parts: Iterable[str]) -> str:
    """The name under which the schema that comes from *parts* is kept."""
    shape = json.dumps(_FIELDS, sort_keys=True)
    text = json.dumps([__version__, shape, *parts])
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def load(root: Path, key: str) -> bytes | None:
    """What is kept under *key*. Blocking."""
    path = folder_of(root) / "cache" / f"{key}.json"
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
        found = json.dumps(_encode(schema, {}), separators=(",", ":"))
    return found.encode("utf-8", "surrogatepass")


def parse(content: bytes) -> Schema | None:
    """The schema kept as *content*; ``None`` where it cannot be read."""
    with collecting_no_garbage():
        try:
            found = _decode(json.loads(content.decode("utf-8", "surrogatepass")), [])
        except (ValueError, KeyError, TypeError, IndexError):
            return None
    return found if isinstance(found, Schema) else None


def _encode(value: Any, known: dict[Any, int]) -> Any:
    """*value* in JSON; what occurs again, as a column does in many tables, is a number then."""
    if isinstance(value, tuple):
        return [_encode(item, known) for item in value]
    if isinstance(value, Kind):
        return {"Kind": value.value}
    if is_dataclass(value) and not isinstance(value, type):
        if value in known:
            return {_AGAIN: known[value]}
        name = type(value).__name__
        found = {name: [_encode(getattr(value, field), known) for field in _FIELDS[name]]}
        known[value] = len(known)
        return found
    return value


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
        made = _CLASSES[name](**dict(zip(_FIELDS[name], values, strict=True)))
    known.append(made)
    return made
