"""What a comment in a migration file says to dbwarden, if anything. Pure.

Headers stand before the first section::

    -- depends_on: ["0003"]
    -- requires: primary@0042, analytics@0007
    -- dbwarden: irreversible

A marker stands before the statement it is for: ``-- @dbwarden:autocommit``. Every other comment is
the author's own, unless it looks so much like one of these that it must have been meant as one.
"""

import re
from dataclasses import dataclass
from typing import Literal

from dbwarden.files.migration import Requirement
from dbwarden.files.spelling import closest
from dbwarden.types import DatabaseName, Version

SectionName = Literal["upgrade", "rollback"]

# The comments worth a look: a lone word, a name with a colon, and what begins with "@".
_NAME = r"[A-Za-z_-]++(?:[ \t][A-Za-z_-]++)?"
_TELLING = re.compile(rf"--[ \t]*+(?:@|{_NAME}[ \t]*+(?::|\r?$))")
_BLOCK = re.compile(r"/\*+\s*(@?dbwarden\s*:.*?|depends_on\s*:.*?)\s*\*+/", re.IGNORECASE)
_LONE_WORD = re.compile(r"([A-Za-z_-]+)[ \t]*:?")
_NAMED = re.compile(rf"({_NAME})[ \t]*+:[ \t]*+(.*)")
_AT = re.compile(r"@[ \t]*([A-Za-z_-]+)[ \t]*:?[ \t]*(.*)")
_LIST = re.compile(r"\[[ \t]*(?:(['\"]?)[0-9]+\1[ \t]*(?:,[ \t]*|(?=\])))*\]")
_REQUIREMENT = re.compile(r"([\w.-]+)@([0-9]+)")

_SECTIONS = {
    "upgrade": "upgrade", "up": "upgrade", "rollback": "rollback", "down": "rollback",
    "downgrade": "rollback", "revert": "rollback", "undo": "rollback",
}  # fmt: skip
_HEADERS = ("depends_on", "requires", "dbwarden")
_MARKER = "-- @dbwarden:autocommit"
_IRREVERSIBLE = "-- dbwarden: irreversible"


@dataclass(frozen=True, slots=True)
class SectionMark:
    """``-- upgrade`` or ``-- rollback``, on a line of its own."""

    section: SectionName


@dataclass(frozen=True, slots=True)
class DependsOn:
    """Versions of this database that must come first."""

    versions: tuple[Version, ...]


@dataclass(frozen=True, slots=True)
class Requires:
    """Versions of other databases that must come first."""

    requirements: tuple[Requirement, ...]


@dataclass(frozen=True, slots=True)
class Irreversible:
    """This migration cannot be taken back."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A comment that was meant for dbwarden but says nothing it knows, and what was meant."""

    message: str
    next_step: str


Directive = SectionMark | DependsOn | Requires | Irreversible | Fault


def directive_of(comment: str, *, in_header: bool, own_line: bool) -> Directive | None:
    """What *comment*, with its dashes, says; ``None`` when it is the author's own.

    A correct marker says nothing here: it is the splitting that heeds it.

    Args:
        comment: The comment as written.
        in_header: It stands before the first section.
        own_line: Nothing else stands on its line.
    """
    if comment.startswith("/*"):
        found = _BLOCK.fullmatch(comment)
        return _fault(comment, f"-- {found[1]}") if found else None
    if not _TELLING.match(comment):
        return None
    content = comment[2:].strip()
    if content.startswith("@"):
        return _marker(content, in_header)
    lone = _LONE_WORD.fullmatch(content) if own_line else None
    if lone and (said := _section(content, lone[1])):
        return said
    if named := _NAMED.fullmatch(content):
        name, value = named[1].lower(), named[2]
        return _header(content, name, value) if in_header else _misplaced(content, name, value)
    return None


def _fault(comment: str, meant: str) -> Fault:
    return Fault(f"dbwarden does not know {comment!r}", f"Did you mean {meant} ?")


def _marker(content: str, in_header: bool) -> Fault | None:
    found = _AT.fullmatch(content)
    name, value = (found[1].lower(), found[2].strip().lower()) if found else ("", "")
    if name == "dbwarden" and value == "autocommit" and ":" in content:
        return _marker_too_early() if in_header else None
    if closest(name, ["dbwarden"]) is None:
        return _fault(content, _MARKER) if closest(name, ["autocommit"]) else None
    return _fault(content, _IRREVERSIBLE if closest(value, ["irreversible"]) else _MARKER)


def _marker_too_early() -> Fault:
    return Fault(
        "@dbwarden:autocommit stands before the first section, where there is no statement",
        "Put it on the line before the statement that it is for.",
    )


def _section(content: str, word: str) -> Directive | None:
    if content.lower() in ("upgrade", "rollback"):
        return SectionMark("upgrade" if content.lower() == "upgrade" else "rollback")
    meant = _SECTIONS.get(word.lower()) or closest(word, ("upgrade", "rollback"))
    if meant is None:
        return None
    return Fault(
        f"'-- {content}' looks like the beginning of a section, but is a comment",
        f"Write -- {meant} on a line of its own; or say more, if it is a comment.",
    )


def _header(content: str, name: str, value: str) -> Directive | None:
    match name:
        case "depends_on":
            return _depends_on(content, value)
        case "requires":
            return _requires(content, value)
        case "dbwarden" if value.strip().lower() == "irreversible":
            return Irreversible()
        case "dbwarden" if closest(value, ["autocommit"]):
            return _marker_too_early()
        case "dbwarden":
            return _fault(content, _IRREVERSIBLE)
    meant = closest(re.sub("[- \t]", "_", name), _HEADERS)
    return _fault(content, f"-- {meant}: {value}") if meant else None


def _depends_on(content: str, value: str) -> DependsOn | Fault:
    if not _LIST.fullmatch(value):
        return Fault(
            f"'{content}' is not a list of versions", 'Write it as -- depends_on: ["0003", "0004"].'
        )
    numbers = (int(number) for number in re.findall(r"[0-9]+", value))
    return DependsOn(tuple(dict.fromkeys(Version(number) for number in numbers)))


def _requires(content: str, value: str) -> Requires | Fault:
    found = [_REQUIREMENT.fullmatch(part.strip()) for part in value.split(",")]
    if not all(found):
        return Fault(
            f"'{content}' does not name databases and versions",
            "Write it as -- requires: primary@0042, analytics@0007.",
        )
    return Requires(
        tuple(
            Requirement(database=DatabaseName(part[1]), version=Version(int(part[2])))
            for part in found
            if part
        )
    )


def _misplaced(content: str, name: str, value: str) -> Fault | None:
    """A header that stands in a section, where it is not heeded."""
    match name:
        case "dbwarden" if closest(value, ["autocommit"]):
            return _fault(content, _MARKER)
        case "depends_on" | "dbwarden":
            pass
        case "requires" if _REQUIREMENT.search(value):
            pass
        case _ if closest(name, ["dbwarden"]):
            return _fault(content, _MARKER)
        case _:
            return None
    return Fault(f"the header '{content}' stands in a section", "Move it above -- upgrade.")


_FAILING = re.compile(
    r"^--[ \t]*(fails where tables have rows\b.*(?:\n--[ \t]{2,}.*)*)", re.I | re.M
)


def failing_note(text: str) -> str | None:
    """Return what the header of the file *text* says about rows on which the upgrade fails."""
    found = _FAILING.search(text)
    return " ".join(found[1].replace("\n--", " ").split()).rstrip(".") if found else None
