"""Parse and write the directives in comments of a migration file. Pure.

Headers come before the first section::

    -- depends_on: ["0003"]
    -- requires: primary@0042, analytics@0007
    -- dbwarden: irreversible
    -- dbwarden: loses users.email, users.phone
    -- dbwarden: from alembic 4f2a after 1b3c
    -- dbwarden: review: it reads rows of users
    -- dbwarden: allow drop-column: no release reads it any more
    -- requires-backfill: 0007
    -- phase: post

and, in a file that is a backfill::

    -- dbwarden: backfill
    -- table: users
    -- batch: 5000
    -- batch-seconds: 0.1
    -- until: country IS NOT NULL

A marker comes before its statement: ``-- @dbwarden:autocommit``, or ``-- @dbwarden:allow rename:
the application reads both``, which is a header too. Any other comment is ignored, unless it
resembles a directive so closely that it is probably a mistake.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, get_args

from dbwarden.config.names import closest
from dbwarden.files.declarations import Fact
from dbwarden.files.migration import Origin, Phase, Requirement
from dbwarden.quoting import quoted, unquoted
from dbwarden.types import DatabaseName, Version

SectionName = Literal["upgrade", "rollback"]
OptionName = Literal["table", "batch", "batch-seconds", "until"]

# The comments to examine: a single word, a name with a colon, and text that begins with "@".
_NAME = r"[A-Za-z_-]++(?:[ \t][A-Za-z_-]++)?"
_CANDIDATE = re.compile(rf"--[ \t]*+(?:@|{_NAME}[ \t]*+(?::|\r?$))")
_BLOCK = re.compile(r"/\*+\s*(@?dbwarden\s*:.*?|depends_on\s*:.*?)\s*\*+/", re.IGNORECASE)
_LONE_WORD = re.compile(r"([A-Za-z_-]+)[ \t]*:?")
_NAMED = re.compile(rf"({_NAME})[ \t]*+:[ \t]*+(.*)")
_AT = re.compile(r"@[ \t]*([A-Za-z_-]+)[ \t]*:?[ \t]*(.*)")
_LIST = re.compile(r"\[[ \t]*(?:(['\"]?)[0-9]+\1[ \t]*(?:,[ \t]*|(?=\])))*\]")
_REQUIREMENT = re.compile(r"([\w.-]+)@([0-9]+)")
_REQUIREMENTS = re.compile(rf"{_REQUIREMENT.pattern}(?:\s*,\s*{_REQUIREMENT.pattern})*")

_SECTIONS = {
    "upgrade": "upgrade", "up": "upgrade", "rollback": "rollback", "down": "rollback",
    "downgrade": "rollback", "revert": "rollback", "undo": "rollback",
}  # fmt: skip
_OPTIONS: dict[str, OptionName] = {name: name for name in get_args(OptionName)}
# What a misspelt name is followed by, if it is not a word of a sentence, as in "phrase: a b".
_PLAUSIBLE = {
    "depends_on": re.compile(r"[\['\"]?[0-9].*|\[.*"),
    "requires": re.compile(r"\S+@.*"),
    "requires_backfill": re.compile(r"[0-9].*"),
    "phase": re.compile(r"\w+"),
    "dbwarden": re.compile(r".*"),
    "table": re.compile(r"\S+|\".*"),
    "batch": re.compile(r"\S+"),
    "batch_seconds": re.compile(r"\S+"),
    "until": re.compile(r".*"),
}
_PHASES: dict[str, Phase] = {"pre": "pre", "post": "post"}
_NUMBERS = re.compile(r"[0-9]+(?:[ \t]*,[ \t]*[0-9]+)*")
_MARKER = "-- @dbwarden:autocommit"
_WIDTH = 100
_ALLOWED = re.compile(r"allow[ \t]+([a-z-]+)[ \t]*:[ \t]*(\S.*)", re.IGNORECASE)

_FACTS: dict[str, Fact] = {fact: fact for fact in get_args(Fact)}
_WITH_NAMES: tuple[Fact, ...] = ("loses", "untried", "rollback-differs")
_PLAIN = r'[^\s",]+'
_ITEM = rf'(?:"(?:[^"]|"")*"|{_PLAIN})'
_ORIGIN = re.compile(
    r"(\w+)[ \t]+([^\s,]+)"
    r"(?:[ \t]+after[ \t]+([^\s,]+(?:[ \t]*,[ \t]*[^\s,]+)*))?(?:[ \t]+in[ \t]+(\S+))?"
)
_ITEMS = re.compile(rf"{_ITEM}(?:[ \t]*,[ \t]*{_ITEM})*")


class SectionMark(NamedTuple):
    """``-- upgrade`` or ``-- rollback`` on a separate line."""

    section: SectionName


class DependsOn(NamedTuple):
    """Versions of this database that must come first."""

    versions: tuple[Version, ...]


class Requires(NamedTuple):
    """Versions of other databases that must come first."""

    requirements: tuple[Requirement, ...]


class RequiresBackfill(NamedTuple):
    """Backfills of this database that must have ended first."""

    versions: tuple[Version, ...]


class InPhase(NamedTuple):
    """The phase of a deployment in which the migration runs."""

    phase: Phase


class BackfillOption(NamedTuple):
    """An option of a backfill; a plain comment in other files.

    ``written`` is the name in the file, which may be misspelt.
    """

    name: OptionName
    value: str
    written: str


class Declares(NamedTuple):
    """A fact about the file, with the names of the tables and columns that it is about."""

    fact: Fact
    names: tuple[str, ...] = ()


class Review(NamedTuple):
    """A reason why a person should read the file."""

    why: str


class Allow(NamedTuple):
    """A finding of ``lint`` that the file allows."""

    rule: str
    reason: str


class Fault(NamedTuple):
    """A comment that resembles a directive but is none, with the correction."""

    message: str
    next_step: str


Directive = (
    SectionMark
    | DependsOn
    | Requires
    | RequiresBackfill
    | InPhase
    | BackfillOption
    | Declares
    | Origin
    | Review
    | Allow
    | Fault
)


def directive_of(comment: str, *, in_header: bool, on_separate_line: bool) -> Directive | None:
    """Parse *comment*; return ``None`` if it is not a directive.

    A correct ``autocommit`` returns ``None`` too, because the statement splitter reads it.

    Args:
        comment: The comment as written, with its dashes.
        in_header: Whether it comes before the first section.
        on_separate_line: Whether nothing precedes it on its line.
    """
    if comment.startswith("/*"):
        match = _BLOCK.fullmatch(comment)
        return _fault(comment, f"-- {match[1]}") if match else None
    if not _CANDIDATE.match(comment):
        return None
    content = comment[2:].strip()
    if content.startswith("@"):
        return _check_marker(content, in_header)
    word = _LONE_WORD.fullmatch(content) if on_separate_line else None
    if word and (directive := _parse_section(content, word[1])):
        return directive
    if pair := _NAMED.fullmatch(content):
        name, value = pair[1].lower(), pair[2]
        parse = _parse_header if in_header else _check_misplaced
        return parse(content, name, value)
    return None


def _fault(comment: str, suggestion: str) -> Fault:
    return Fault(f"dbwarden does not know {comment!r}", f"Did you mean {suggestion} ?")


def _check_marker(content: str, in_header: bool) -> Allow | Fault | None:
    match = _AT.fullmatch(content)
    name, value = (match[1].lower(), match[2].strip().lower()) if match else ("", "")
    if match and name == "dbwarden" and _is_allow(value):
        return _parse_allow(content, match[2].strip())
    if name == "dbwarden" and value == "autocommit" and ":" in content:
        return _marker_too_early() if in_header else None
    if closest(name, ("dbwarden",)) is None:
        return _fault(content, _MARKER) if closest(name, ("autocommit",)) else None
    fact = closest(value.partition(" ")[0], tuple(_FACTS))
    return _fault(content, f"-- dbwarden: {fact}" if fact else _MARKER)


def _is_allow(value: str) -> bool:
    word = re.split(r"[ \t:]", value, maxsplit=1)[0]
    return closest(word, ("allow",)) is not None


def _parse_allow(content: str, value: str) -> Allow | Fault:
    if match := _ALLOWED.fullmatch(value):
        return Allow(match[1].lower(), match[2].strip())
    start = content[: content.index(":") + 1]
    space = "" if start.startswith("@") else " "
    return Fault(
        f"'{content}' does not say which rule it allows, and why",
        f"Write it as -- {start}{space}allow RULE: REASON.",
    )


def _marker_too_early() -> Fault:
    return Fault(
        "@dbwarden:autocommit is before the first section, where there is no statement",
        "Put it on the line before the statement.",
    )


def _parse_section(content: str, word: str) -> Directive | None:
    if content.lower() in ("upgrade", "rollback"):
        return SectionMark("upgrade" if content.lower() == "upgrade" else "rollback")
    section = _SECTIONS.get(word.lower()) or closest(word, ("upgrade", "rollback"))
    if section is None:
        return None
    return Fault(
        f"'-- {content}' looks like the beginning of a section, but is a comment",
        f"Write -- {section} on a line of its own; or say more, if it is a comment.",
    )


def _parse_header(content: str, name: str, value: str) -> Directive | None:
    match name:
        case "depends_on":
            if _LIST.fullmatch(value):
                return DependsOn(_versions(value))
            problem, form = "is not a list of versions", 'depends_on: ["0003", "0004"]'
        case "requires":
            if _REQUIREMENTS.fullmatch(value):
                pairs = _REQUIREMENT.findall(value)
                return Requires(tuple(_requirement(*pair) for pair in pairs))
            problem = "does not name databases and versions"
            form = "requires: primary@0042, analytics@0007"
        case "requires-backfill" | "requires_backfill" | "requires backfill":
            if _NUMBERS.fullmatch(value):
                return RequiresBackfill(_versions(value))
            problem, form = "does not name versions", "requires-backfill: 0007"
        case "phase":
            if (phase := _PHASES.get(value.lower())) is not None:
                return InPhase(phase)
            return Fault(f"'{content}' is not a phase", "Write -- phase: pre or -- phase: post.")
        case "dbwarden" if closest(value, ("autocommit",)):
            return _marker_too_early()
        case "dbwarden" if _is_allow(value.lower()):
            return _parse_allow(content, value)
        case "dbwarden":
            return _parse_declaration(content, value)
        case _ if name in _OPTIONS:
            return BackfillOption(_OPTIONS[name], value, name)
        case _:
            return _check_misspelt(content, name, value)
    return Fault(f"'{content}' {problem}", f"Write it as -- {form}.")


def _check_misspelt(content: str, name: str, value: str) -> BackfillOption | Fault | None:
    """Return what *name* probably misspells. Any other comment may have a colon, too."""
    meant = closest(re.sub("[- \t]", "_", name), tuple(_PLAUSIBLE), 0.8)
    if meant is None or not _PLAUSIBLE[meant].fullmatch(value):
        return None
    written = meant if meant == "depends_on" else meant.replace("_", "-")
    if written in _OPTIONS:
        return BackfillOption(_OPTIONS[written], value, name)
    return _fault(content, f"-- {written}: {value}")


def _versions(value: str) -> tuple[Version, ...]:
    numbers = (int(number) for number in re.findall(r"[0-9]+", value))
    return tuple(dict.fromkeys(Version(number) for number in numbers))


def _requirement(database: str, version: str) -> Requirement:
    return Requirement(database=DatabaseName(database), version=Version(int(version)))


def _parse_declaration(content: str, value: str) -> Declares | Origin | Review | Fault:
    word, _, names = value.partition(" ")
    match word.lower():
        case "from":
            return _parse_origin(content, names)
        case "review:" | "review":
            return Review(names.strip())
    fact = _FACTS.get(word.lower())
    if fact is None:
        fact_name = closest(word, tuple(_FACTS)) or "irreversible"
        return _fault(content, f"-- dbwarden: {fact_name} {names}".rstrip())
    if fact not in _WITH_NAMES:
        return _fault(content, f"-- dbwarden: {fact}") if names else Declares(fact)
    if not _ITEMS.fullmatch(names.strip()):
        return Fault(
            f"'{content}' does not name tables and columns",
            f"Write it as -- dbwarden: {fact} users.email, orders.",
        )
    return Declares(fact, tuple(map(unquoted, re.findall(_ITEM, names))))


def _parse_origin(content: str, value: str) -> Origin | Fault:
    match = _ORIGIN.fullmatch(value.strip())
    if match is None:
        return Fault(
            f"'{content}' does not name a tool and its migration",
            "Write it as -- dbwarden: from alembic 4f2a after 1b3c, 9d9d.",
        )
    tool, name, after, table = match.groups()
    before = tuple(re.split(r"[ \t]*,[ \t]*", after)) if after else ()
    return Origin(tool=tool, id=name, after=before, table=table)


def declare_origin(origin: Origin) -> str:
    """Return the header line that names the migration of another tool."""
    after = f" after {', '.join(origin.after)}" if origin.after else ""
    table = f" in {origin.table}" if origin.table else ""
    return f"-- dbwarden: from {origin.tool} {origin.id}{after}{table}"


def declare_review(why: str) -> str:
    """Return the header line that asks for a review."""
    return f"-- dbwarden: review: {' '.join(why.split())}"


def _quote(name: str) -> str:
    plain = " ".join(name.split())
    return plain if re.fullmatch(_PLAIN, plain) else quoted(plain)


def declare(fact: Fact, names: Iterable[str] = ()) -> Iterator[str]:
    """Yield the header lines that declare *fact* about *names*."""
    start = line = f"-- dbwarden: {fact}"
    for item in map(_quote, names):
        if line is not start and len(line) + len(item) + 2 > _WIDTH:
            yield line
            line = start
        line += f"{',' if line is not start else ''} {item}"
    yield line


def _check_misplaced(content: str, name: str, value: str) -> Fault | None:
    """Report a header inside a section, where it has no effect."""
    match name:
        case "dbwarden" if closest(value, ("autocommit",)):
            return _fault(content, _MARKER)
        case "depends_on" | "requires-backfill" | "dbwarden":
            pass
        case "phase" if value.strip().lower() in _PHASES:
            pass
        case "requires" if _REQUIREMENT.search(value):
            pass
        case _ if closest(name, ("dbwarden",)):
            return _fault(content, _MARKER)
        case _:
            return None
    return Fault(f"the header '{content}' is inside a section", "Move it above -- upgrade.")
