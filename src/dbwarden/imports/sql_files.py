"""Read the SQL files of Flyway, dbmate and Prisma."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, assert_never

from dbwarden.errors import UsageError
from dbwarden.types import Location

SQLTool = Literal["flyway", "dbmate", "prisma"]

_FLYWAY = re.compile(r"(?:(?P<kind>[VU])(?P<version>[0-9]+(?:[._][0-9]+)*)|R)__(?P<name>.+)\.sql")
_DBMATE = re.compile(r"(?P<version>[0-9]+)_(?P<name>.+)\.sql")
_MARK = re.compile(r"(?im)^--[ \t]*migrate:(?P<way>up|down)(?P<options>[^\n]*)$\n?")
_PLACEHOLDER = re.compile(r"\$\{[^}\s]+\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignFile:
    """One migration of another tool.

    ``id`` is what the tool records. ``autocommit`` and ``rollback_autocommit`` are true if it
    runs outside of a transaction. A ``repeatable`` one runs again when its text has changed.
    """

    id: str
    name: str
    path: Path
    upgrade: str
    rollback: str | None = None
    autocommit: bool = False
    rollback_autocommit: bool = False
    repeatable: bool = False
    reviews: tuple[str, ...] = ()


def read_files(tool: SQLTool, folder: Path) -> tuple[ForeignFile, ...]:
    """Read the migrations of *tool* in *folder*, in the order in which it runs them. Blocking.

    Raises:
        UsageError: The folder has none, or a file cannot be read.
    """
    if not folder.is_dir():
        raise UsageError(
            f"{folder} is not a folder", next_step=f"Name the folder of {tool}'s migrations."
        )
    match tool:
        case "flyway":
            files = tuple(_flyway(folder))
        case "dbmate":
            files = tuple(_dbmate(folder))
        case "prisma":
            files = tuple(_prisma(folder))
        case _:
            assert_never(tool)
    if not files:
        raise UsageError(
            f"{folder} has no migration of {tool}",
            next_step=f"Name the folder of {tool}'s migrations.",
        )
    return files


def _flyway(folder: Path) -> Iterator[ForeignFile]:
    paths = [
        (path, match)
        for path in sorted(folder.rglob("*.sql"))
        if (match := _FLYWAY.fullmatch(path.name))
    ]
    undo = {_numbers(m["version"]): path for path, m in paths if m["kind"] == "U"}
    versioned = [(path, match) for path, match in paths if match["kind"] == "V"]
    versioned.sort(key=lambda pair: _numbers(pair[1]["version"]))
    repeatable = [(path, match) for path, match in paths if match["kind"] is None]
    for path, match in (*versioned, *repeatable):
        version = match["version"]
        back = undo.get(_numbers(version)) if version is not None else None
        yield ForeignFile(
            id=version.replace("_", ".") if version is not None else match["name"],
            name=match["name"].replace("_", " "),
            path=path,
            upgrade=_read(path),
            rollback=_read(back) if back is not None else None,
            autocommit=_outside_transaction(path),
            rollback_autocommit=back is not None and _outside_transaction(back),
            repeatable=version is None,
            reviews=_placeholders(path, back),
        )


def _numbers(version: str) -> tuple[int, ...]:
    """Return the parts of *version*; ``1.0`` is the same as ``1``."""
    numbers = [int(part) for part in re.split("[._]", version)]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _outside_transaction(path: Path) -> bool:
    settings = path.with_name(f"{path.name}.conf")
    return settings.is_file() and bool(
        re.search(r"(?im)^\s*executeInTransaction\s*=\s*false\b", _read(settings))
    )


def _placeholders(*paths: Path | None) -> tuple[str, ...]:
    names = [name for path in paths if path for name in _PLACEHOLDER.findall(_read(path))]
    if not names:
        return ()
    return (f"replace Flyway's placeholders: {', '.join(dict.fromkeys(names))}",)


def _dbmate(folder: Path) -> Iterator[ForeignFile]:
    for path in sorted(folder.glob("*.sql")):
        match = _DBMATE.fullmatch(path.name)
        if match is None:
            continue
        text = _read(path)
        marks = list(_MARK.finditer(text))
        file = ForeignFile(
            id=match["version"], name=match["name"].replace("_", " "), path=path, upgrade=""
        )
        ends = [mark.start() for mark in marks[1:]] + [len(text)]
        for mark, end in zip(marks, ends, strict=True):
            sql, outside = text[mark.end() : end], "transaction:false" in mark["options"]
            if mark["way"].lower() == "up":
                file = replace(file, upgrade=sql, autocommit=outside)
            else:
                file = replace(file, rollback=sql, rollback_autocommit=outside)
        yield file


def _prisma(folder: Path) -> Iterator[ForeignFile]:
    for path in sorted(folder.glob("*/migration.sql")):
        yield ForeignFile(
            id=path.parent.name,
            name=re.sub(r"^[0-9]+_", "", path.parent.name).replace("_", " "),
            path=path,
            upgrade=_read(path),
        )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"the file cannot be read: {error}",
            location=Location(path=path),
            next_step="Save it as UTF-8.",
        ) from error
