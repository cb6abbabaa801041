"""Read names of migration files: ``primary__0001_create_users.sql``, ``primary__RA__views.sql``."""

import re
from dataclasses import dataclass
from pathlib import Path

from dbwarden.config.names import closest
from dbwarden.errors import MigrationFileError, UsageError
from dbwarden.migration_history import HistoryKind
from dbwarden.types import DatabaseName, Location, Version, format_version

_LONGEST_SLUG = 60
_VERSIONED = re.compile(r"([0-9]{4,})_([^\W_][\w.-]*)\.(?:sql|py)")
_REPEATABLE = re.compile(r"(RA|ROC)__([^\W_][\w.-]*)\.sql")
_KINDS = {"RA": HistoryKind.ALWAYS, "ROC": HistoryKind.ON_CHANGE}
_LOOSE = r"(?i)(?:(.+?)__)?(?:V?([0-9]+)|(RA?|ROC?)(?=_))[_.\s-]*(.*?)\.(?:sql|py)"
"""The forms of a name for which there is advice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileName:
    """The parts of a file's name; ``version`` is ``None`` for repeatable migrations."""

    kind: HistoryKind
    version: Version | None
    name: str


def versioned_name(database: DatabaseName, version: Version, words: str) -> str:
    """Return the name of a versioned migration's file; see ``slug`` for *words*."""
    return f"{database}__{format_version(version)}_{words}.sql"


def parse_name(path: Path, database: DatabaseName) -> FileName:
    """Read the name of the migration file at *path*.

    Raises:
        MigrationFileError: The name is not one of *database*; the error suggests one.
    """
    prefix = f"{database}__"
    rest = path.name.removeprefix(prefix) if path.name.startswith(prefix) else ""
    if (match := _VERSIONED.fullmatch(rest)) and int(match[1]):
        return FileName(kind=HistoryKind.VERSIONED, version=Version(int(match[1])), name=match[2])
    if (match := _REPEATABLE.fullmatch(rest)) and not match[2].isdigit():
        return FileName(kind=_KINDS[match[1]], version=None, name=match[2])
    raise MigrationFileError(
        f"the name {path.name} is not that of a migration of {database}",
        database=database,
        location=Location(path=path),
        next_step=_advice(path.name, database),
    )


def _advice(name: str, database: DatabaseName) -> str:
    pattern = f"{database}__0001_create_users.sql"
    match = re.fullmatch(_LOOSE, name)
    if match is None:
        return f"Name it like {pattern} or {database}__ROC__views.sql, or move it elsewhere."
    owner, number, kind, words = match.groups()
    if owner is not None and owner != database and closest(owner, (database,)) is None:
        return f"Move it to the folder of {owner}, or rename it to {_correct(match, database)}."
    if number is not None and not int(number):
        return f"Versions begin with 0001: name it like {pattern}."
    if not words or (kind and words.isdigit()):
        return f"Add a name in words, as in {pattern}."
    return f"Rename it to {_correct(match, database)}."


def _correct(match: re.Match[str], database: DatabaseName) -> str:
    _, number, kind, words = match.groups()
    name = _slug(words) or "name"
    if number is not None:
        return versioned_name(database, Version(int(number)), name)
    return f"{database}__{'RA' if kind.upper() == 'RA' else 'ROC'}__{name}.sql"


def slug(message: str) -> str:
    """Convert *message* to a part of a file's name: lower case, words joined by underscores.

    Raises:
        UsageError: *message* has no letter or digit.
    """
    name = _slug(message)
    if not name:
        raise UsageError(
            f"the message {message!r} has no letter or digit to name a file after",
            next_step='Say in a few words what the migration does, as in -m "create users".',
        )
    return name


def _slug(message: str) -> str:
    from unicodedata import combining, normalize  # large, and needed by few commands

    plain = "".join(char for char in normalize("NFKD", message) if not combining(char))
    words = re.findall(r"[^\W_]+", normalize("NFC", plain).lower())
    name = "_".join(words)
    if len(name) <= _LONGEST_SLUG:
        return name
    whole_words = name[: _LONGEST_SLUG + 1].rpartition("_")[0]
    return whole_words or name[:_LONGEST_SLUG]


def parse_version(text: str, what: str = "version") -> Version:
    """Parse a version; ``7`` and ``0007`` are the same.

    Raises:
        UsageError: *text* is not a number; *what* names the option in the message.
    """
    if not (text.isascii() and text.isdigit()):
        raise UsageError(
            f"{what} {text!r} is not a version",
            next_step="Give the number in the file's name, as in 0007.",
        )
    return Version(int(text))
