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
from dbwarden.schema import Kind, Schema

KEPT = 50
"""How many schemas are kept; the oldest go first."""

_CLASSES: dict[str, Any] = {
    name: value for name, value in vars(dbwarden.schema).items() if is_dataclass(value)
} | {"Schema": Schema}
_FIELDS = {name: [field.name for field in fields(value)] for name, value in _CLASSES.items()}
_BY_POSITION = ("QualifiedName", "Ref")


def folder_of(root: Path) -> Path:
    """The git-ignored folder of the project at *root*."""
    return root / ".dbwarden"


def key_of(parts: Iterable[str]) -> str:
    """The name under which the schema that comes from *parts* is kept."""
    shape = json.dumps(_FIELDS, sort_keys=True)
    text = json.dumps([__version__, shape, *parts])
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def load(root: Path, key: str) -> Schema | None:
    """The schema kept under *key*. Blocking."""
    path = folder_of(root) / "cache" / f"{key}.json"
    try:
        found = _decode(json.loads(path.read_bytes()))
        os.utime(path)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, Schema) else None


def save(root: Path, key: str, schema: Schema) -> None:
    """Keep *schema* under *key*. Blocking."""
    folder = prepared(root) / "cache"
    draft = folder / f".{key}.{os.getpid()}"
    try:
        folder.mkdir(exist_ok=True)
        draft.write_text(json.dumps(_encode(schema), separators=(",", ":")), encoding="utf-8")
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


def _encode(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_encode(item) for item in value]
    if isinstance(value, Kind):
        return {"Kind": value.value}
    if is_dataclass(value) and not isinstance(value, type):
        name = type(value).__name__
        return {name: [_encode(getattr(value, field)) for field in _FIELDS[name]]}
    return value


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_decode(item) for item in value)
    if not isinstance(value, dict):
        return value
    ((name, content),) = value.items()
    if name == "Kind":
        return Kind(content)
    values = [_decode(item) for item in content]
    if name in _BY_POSITION:
        return _CLASSES[name](*values)
    return _CLASSES[name](**dict(zip(_FIELDS[name], values, strict=True)))
