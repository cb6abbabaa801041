"""Parse the text of a file as a migration. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import assert_never

from dbwarden.errors import MigrationFileError
from dbwarden.files.backfills import (
    BackfillHeader,
    FileProblem,
    build_backfill,
    problems_of_header,
    problems_of_sql,
)
from dbwarden.files.checksum import NOTHING, checksum
from dbwarden.files.declarations import Declarations, Fact
from dbwarden.files.directives import (
    Allow,
    BackfillOption,
    Declares,
    DependsOn,
    Directive,
    Fault,
    InPhase,
    Requires,
    RequiresBackfill,
    Review,
    SectionMark,
    SectionName,
    directive_of,
)
from dbwarden.files.lexing import Lexis, SourceText, comments, has_code, lexis_of, skip_gap
from dbwarden.files.migration import (
    Allowance,
    Backfill,
    Migration,
    Origin,
    Phase,
    Requirement,
    Section,
)
from dbwarden.files.naming import FileName, parse_name
from dbwarden.types import DatabaseName, DialectName, Location, Version

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class _Mark:
    """The offsets of a section's marker line (``start``) and of its SQL (``end``)."""

    section: SectionName
    start: int
    end: int


@dataclass(slots=True)
class ParsingState:
    """The state of parsing one file.

    ``remark`` is the last comment of the header that is not a directive, ``reasons`` are the
    remarks that explain why the upgrade fails on rows.
    """

    source: SourceText
    lexis: Lexis
    marks: list[_Mark] = field(default_factory=list)
    depends_on: list[Version] = field(default_factory=list)
    requires: list[Requirement] = field(default_factory=list)
    requires_backfill: list[Version] = field(default_factory=list)
    phase: Phase | None = None
    backfill: BackfillHeader = field(default_factory=BackfillHeader)
    facts: dict[Fact, list[str]] = field(default_factory=dict)
    origin: Origin | None = None
    reviews: list[str] = field(default_factory=list)
    allows: list[Allowance] = field(default_factory=list)
    remark: str = ""
    reasons: list[str] = field(default_factory=list)
    problems: list[MigrationFileError] = field(default_factory=list)

    def add_problem(self, offset: int, message: str, next_step: str) -> None:
        """Add a problem at *offset* of the file."""
        self.problems.append(self.source.error(offset, message, next_step))

    def add_problems(self, problems: Iterable[FileProblem]) -> None:
        """Add *problems*."""
        for each in problems:
            self.add_problem(each.offset, each.message, each.next_step)


def parse(text: str, *, path: Path, database: DatabaseName, dialect: DialectName) -> Migration:
    """Parse *text*, the content of the file at *path*, as a migration of *database*.

    Args:
        text: The decoded text with its original line ends.
        path: The path of the file, whose name has version and name.
        database: The database to which the migration belongs.
        dialect: The database kind that defines quotes and comments.

    Raises:
        MigrationFileError: Every problem of the file, each with its line.
    """
    name = parse_name(path, database)
    state = ParsingState(SourceText(text=text, path=path, database=database), lexis_of(dialect))
    read_comments(state)
    sections = _split_sections(state)
    _check(state, sections)
    backfill = read_backfill(state, name)
    _check_placeholders(state)
    header = text[: min((mark.start for mark in state.marks), default=0)]
    return build(state, name, header, sections, backfill)


def build(
    state: ParsingState,
    name: FileName,
    header: str,
    sections: Mapping[SectionName, Section],
    backfill: Backfill | None,
) -> Migration:
    """Return the migration that was read.

    Raises:
        MigrationFileError: Every problem of the file, each with its line.
    """
    path, database = state.source.path, state.source.database
    assert database is not None
    if state.problems:
        raise combine_problems(state.problems, f"{path.name} has problems", database)
    return Migration(
        database=database,
        kind=name.kind,
        version=name.version,
        name=name.name,
        path=path,
        upgrade=sections["upgrade"],
        rollback=sections.get("rollback"),
        irreversible="irreversible" in state.facts,
        depends_on=tuple(dict.fromkeys(state.depends_on)),
        requires=tuple(dict.fromkeys(state.requires)),
        header=header,
        declarations=_declarations(state),
        origin=state.origin,
        reviews=tuple(state.reviews),
        allows=tuple(state.allows),
        backfill=backfill,
        requires_backfill=tuple(dict.fromkeys(state.requires_backfill)),
        phase=state.phase,
    )


def combine_problems(
    problems: list[MigrationFileError], message: str, database: DatabaseName
) -> MigrationFileError:
    """Return one error for all *problems*; the problem itself if there is only one."""
    if len(problems) == 1:
        return problems[0]
    return MigrationFileError(f"{message} ({len(problems)})", problems=problems, database=database)


def read_comments(state: ParsingState) -> None:
    """Read the directives in the comments of a file."""
    text = state.source.text
    for start, end in comments(state.lexis, text):
        line_start = text.rfind("\n", 0, start) + 1
        directive = directive_of(
            text[start:end],
            in_header=not state.marks,
            on_separate_line=not text[line_start:start].strip(),
        )
        if directive is not None:
            _apply(state, directive, start, line_start, end)
        elif not state.marks:
            remark = text[start:end].removeprefix("--")
            whole = f"{state.remark} {remark}" if remark.startswith("  ") else remark
            state.remark = " ".join(whole.split())


def _apply(
    state: ParsingState, directive: Directive, start: int, line_start: int, end: int
) -> None:
    match directive:
        case SectionMark(section):
            newline = state.source.text.find("\n", end)
            after = newline + 1 if newline >= 0 else len(state.source.text)
            state.marks.append(_Mark(section, line_start, after))
        case DependsOn(versions):
            state.depends_on.extend(versions)
        case Requires(requirements):
            _add_requirements(state, requirements, start)
        case RequiresBackfill(versions):
            state.requires_backfill.extend(versions)
        case InPhase(phase):
            if state.phase not in (None, phase):
                state.add_problem(start, "a second -- phase", "Remove one of them.")
            state.phase = phase
        case BackfillOption():
            state.backfill.options.append((start, directive))
        case Declares(fact, names):
            if fact == "backfill" and state.backfill.start is None:
                state.backfill.start = start
            state.facts.setdefault(fact, []).extend(names)
            if fact == "fails-on-rows":
                state.reasons.append(state.remark)
            state.remark = ""
        case Origin():
            state.origin = directive
        case Review(why):
            state.reviews.append(why)
        case Allow(rule, reason):
            line, column = state.source.place(start)
            state.allows.append(
                Allowance(
                    rule=rule,
                    reason=reason,
                    line=line,
                    column=column,
                    in_header=not state.marks,
                )
            )
        case Fault(message, next_step):
            state.add_problem(start, message, next_step)
        case _:
            assert_never(directive)


def _declarations(state: ParsingState) -> Declarations | None:
    facts = state.facts
    if not facts.keys() - {"irreversible"}:
        return None
    return Declarations(
        {fact: tuple(names) for fact, names in facts.items()},
        reason=". ".join(filter(None, state.reasons)),
    )


def read_backfill(state: ParsingState, name: FileName) -> Backfill | None:
    """Return the backfill that the header declares, if any; add the problems of the header."""
    header = state.backfill
    if header.start is None:
        return None
    if name.version is None:
        state.add_problem(
            header.start,
            "a repeatable migration cannot be a backfill",
            "Give it a version: rename it like 0007_fill_country.sql.",
        )
    state.add_problems(problems_of_header(header))
    if state.problems:
        return None
    return build_backfill(header, lambda offset: state.source.place(offset)[0])


def _check_placeholders(state: ParsingState) -> None:
    for mark, sql in _texts(state):
        batched = mark.section == "upgrade" and state.backfill.start is not None
        state.add_problems(problems_of_sql(state.lexis, sql, mark.end, batched=batched))


def _add_requirements(
    state: ParsingState, requirements: tuple[Requirement, ...], start: int
) -> None:
    for requirement in requirements:
        if requirement.database == state.source.database:
            state.add_problem(
                start,
                f"it requires a version of {requirement.database}, its own database",
                f'Write it as -- depends_on: ["{requirement.version:04d}"].',
            )
    state.requires.extend(requirements)


def _texts(state: ParsingState) -> Iterator[tuple[_Mark, str]]:
    """Yield the mark of each section, and its SQL."""
    text, marks = state.source.text, state.marks
    ends = [*(mark.start for mark in marks[1:]), len(text)]
    for mark, end in zip(marks, ends, strict=False):
        yield mark, text[mark.end : end]


def _split_sections(state: ParsingState) -> dict[SectionName, Section]:
    """Return the first section of each name."""
    sections: dict[SectionName, Section] = {}
    for mark, text in _texts(state):
        if mark.section in sections:
            state.add_problem(
                mark.start,
                f"a second {mark.section} section",
                "A file has one upgrade and one rollback: join them, or make another migration.",
            )
            continue
        meaning = checksum(text) if has_code(text) else NOTHING
        line, _ = state.source.place(mark.end)
        sections[mark.section] = Section(text=text, line=line, checksum=meaning)
    return sections


def _check(state: ParsingState, sections: dict[SectionName, Section]) -> None:
    _check_before_sections(state)
    at = {mark.section: mark.start for mark in reversed(state.marks)}
    if "upgrade" not in sections:
        if not state.problems:
            state.add_problem(
                0,
                "it has no upgrade section",
                "Put -- upgrade on a line of its own before the SQL, and -- rollback before the "
                "SQL that reverts it.",
            )
        return
    if sections["upgrade"].empty:
        state.add_problem(
            at["upgrade"], "its upgrade has no statement", "Write its SQL, or remove the file."
        )
    if "rollback" not in sections:
        return
    if at["rollback"] < at["upgrade"]:
        state.add_problem(
            at["rollback"],
            "its rollback section precedes its upgrade section",
            "Put the upgrade section first.",
        )
    if "irreversible" in state.facts and not sections["rollback"].empty:
        state.add_problem(
            at["rollback"],
            "it is marked irreversible, but has a rollback",
            "Remove the header -- dbwarden: irreversible, or the rollback's SQL.",
        )


def _check_before_sections(state: ParsingState) -> None:
    text = state.source.text
    first = state.marks[0].start if state.marks else len(text)
    code = skip_gap(state.lexis, text)
    if code >= first:
        return
    if text.startswith("/*", code):
        state.add_problem(code, "this comment is never closed", "Close it where it should end.")
    elif state.marks:
        state.add_problem(
            code, "there is SQL before the first section", "Move it below -- upgrade, or remove it."
        )


def decode(data: bytes, *, path: Path, database: DatabaseName) -> str:
    """Decode *data* as UTF-8, with or without a byte order mark, and keep its line ends.

    Raises:
        MigrationFileError: *data* is not UTF-8 or contains a zero byte; with its location.
    """
    data = data.removeprefix(_BOM)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        fault = f"byte 0x{data[error.start]:02x} is not UTF-8"
        before = data[: error.start].decode("utf-8")
    else:
        if "\0" not in text:
            return text
        fault, before = "the text contains a zero byte", text[: text.index("\0")]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    raise MigrationFileError(
        fault,
        database=database,
        location=Location(path=path, line=line, column=column),
        next_step="Save the file as UTF-8.",
    )
