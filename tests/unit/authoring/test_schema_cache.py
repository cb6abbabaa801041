"""Schemas survive the cache unchanged, and broken entries are ignored."""

import builtins
import dataclasses
import hashlib
import itertools
import types
import typing
from collections.abc import Iterator
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from dbwarden.authoring import schema_cache as cache
from dbwarden.schema import Column, InAnyOrder, QualifiedName, Schema, Table
from dbwarden.schema.tables import Parameters

NAME = QualifiedName("public", "users")
NICK = Column(name="nick", type="text")
SMALL = Schema(tables=(Table(name=NAME, columns=(NICK,)),))


def test_a_stored_schema_is_loaded_unchanged(tmp_path: Path) -> None:
    cache.save(tmp_path, "key", cache.dump(SMALL))
    kept = cache.load(tmp_path, "key")
    assert kept is not None
    assert exact(cache.parse(kept)) == exact(SMALL)
    assert (tmp_path / ".dbwarden" / ".gitignore").read_text() == "*\n"


def test_values_shared_by_many_tables_are_stored_once(tmp_path: Path) -> None:
    names = [QualifiedName("public", f"table_{number}") for number in range(10)]
    schema = Schema(tables=tuple(Table(name=name, columns=(NICK,)) for name in names))
    content = cache.dump(schema)
    assert content.count(b'"nick"') == 1
    assert cache.parse(content) == schema


def test_a_broken_entry_counts_as_missing(tmp_path: Path) -> None:
    assert cache.load(tmp_path, "key") is None
    for broken in (b'{"Schema": [1]}', b"", b"\xff", b'{"again": 3}', b"7"):
        assert cache.parse(broken) is None
        assert cache.parse(hashlib.sha256(broken).hexdigest().encode() + b"\n" + broken) is None
    content = cache.dump(SMALL)
    for position in range(len(content)):
        changed = bytes([content[position] ^ 1])
        assert cache.parse(content[:position] + changed + content[position + 1 :]) is None


def samples(hint: Any) -> Iterator[Any]:
    """Values of every kind that a field of this type can have; an error for an unknown type."""
    match typing.get_origin(hint) or hint:
        case builtin if builtin in (str, int, bool):
            yield {str: "\U0001f600\udc80'", int: 2**70, bool: True}[builtin]
            yield builtin()
        case types.NoneType:
            yield None
        case typing.Literal:
            yield from typing.get_args(hint)
        case types.UnionType | typing.Union:
            yield from itertools.chain(*map(samples, typing.get_args(hint)))
        case builtins.tuple:
            items = typing.get_args(hint)
            if items[-1] is ...:
                several = tuple(samples(items[0]))
                yield from ((), several, several[::-1])
            else:
                yield from zip(*map(samples, items), strict=False)
            if hint == Parameters:
                yield from (InAnyOrder([("b", "1"), ("a", "2")]), InAnyOrder())
        case value if dataclasses.is_dataclass(value):
            yield from instances(value)
        case value if isinstance(value, type) and issubclass(value, Enum):
            yield from value
        case unknown:
            raise AssertionError(f"no sample of {unknown}: can the cache keep it?")


def instances(cls: Any) -> Iterator[Any]:
    """Values of a class of the schema: each sample of each field, the others at their first."""
    hints = typing.get_type_hints(cls)
    fields = {field.name: tuple(samples(hints[field.name])) for field in dataclasses.fields(cls)}
    first = {name: values[0] for name, values in fields.items()}
    for name, values in fields.items():
        for value in values:
            yield cls(**{**first, name: value})


def exact(value: Any) -> Any:
    """*value* with its types, and with what is no part of a comparison."""
    if dataclasses.is_dataclass(value):
        parts: tuple[Any, ...] = tuple(
            getattr(value, field.name) for field in dataclasses.fields(value)
        )
    else:
        parts = value if isinstance(value, tuple) else ()
    return type(value), [exact(part) for part in parts] if parts else repr(value)


def test_every_object_kind_and_field_is_kept(tmp_path: Path) -> None:
    kept = 0
    for schema in instances(Schema):
        found = cache.parse(cache.dump(schema))
        assert exact(found) == exact(schema)
        kept += 1
    assert kept > len(dataclasses.fields(Schema))


def test_an_unknown_type_is_an_error_of_the_cache() -> None:
    with pytest.raises(TypeError, match="PurePosixPath is not exported"):
        cache.dump(Schema(objects=(PurePosixPath("/"),)))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [".dbwarden", ".dbwarden/cache", ".dbwarden/cache/key.json"])
def test_a_file_in_place_of_the_cache_folder_disables_the_cache(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir() if path.suffix == ".json" else path.write_text("in the way")
    cache.save(tmp_path, "key", cache.dump(SMALL))
    assert cache.load(tmp_path, "key") is None
    assert cache.has(tmp_path, "key") == path.is_dir()


def test_the_oldest_entries_are_deleted(tmp_path: Path) -> None:
    for number in range(cache.ENTRIES + 3):
        cache.save(tmp_path, f"key{number}", b"{}")
    assert len(list((tmp_path / ".dbwarden" / "cache").iterdir())) == cache.ENTRIES


def test_the_key_depends_on_every_part() -> None:
    assert cache.key_of(["a", "b"]) != cache.key_of(["ab"])
    assert cache.key_of(["a"]) == cache.key_of(["a"])
