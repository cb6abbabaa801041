"""Edit the text of a file so that a finding goes away. Pure.

The text of a statement's safer form comes from the dialect. Whether an edited file leads to the
same schema is for the caller to prove.
"""

from collections.abc import Callable
from dataclasses import dataclass

from dbwarden.files.directives import declare
from dbwarden.linting.facts import FileFacts, StatementFacts
from dbwarden.linting.findings import LintFinding
from dbwarden.linting.rules import UNUSED_ALLOW

ALONE = "-- @dbwarden:autocommit\n"
"""The line before a statement that runs outside of the transaction of the others."""

SaferForm = Callable[[str, StatementFacts], tuple[str, ...] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A replacement of one part of a file's text."""

    start: int
    end: int
    text: str


def edit_for(
    file: FileFacts, finding: LintFinding, text: str, safer_form: SaferForm
) -> Edit | None:
    """Return the edit that could make *finding* go away; ``None`` if there is none.

    *text* is the content of the file, in which everything before the finding is as it was.
    """
    line, column = place_of_edit(file, finding)
    start = offset_of(text, line, column)
    if finding.rule == UNUSED_ALLOW:
        end = text.find("\n", start) + 1 or len(text)
        alone = not text[text.rfind("\n", 0, start) + 1 : start].strip()
        return Edit(start=start, end=end, text="") if alone else None
    if finding.rule == "undeclared-loss" and finding.subject is not None:
        lines = "\n".join(declare("loses", [finding.subject]))
        return Edit(start=start, end=start, text=f"{lines}\n\n")
    for statement in file.statements:
        end = start + len(statement.text)
        if (statement.line, statement.column) == (line, column) and text[
            start:end
        ] == statement.text:
            form = safer_form(finding.rule, statement)
            return Edit(start=start, end=end, text=_written(text, start, form)) if form else None
    return None


def place_of_edit(file: FileFacts, finding: LintFinding) -> tuple[int, int]:
    """Return line and column of the edit for *finding*."""
    if finding.rule == "undeclared-loss":
        return file.migration.upgrade.line - 1, 1
    return finding.line, finding.column


def _written(text: str, start: int, form: tuple[str, ...]) -> str:
    """Return *form* as SQL; a comment of its own line begins one."""
    sql = ";\n".join(form)
    line = text[text.rfind("\n", 0, start) + 1 : start]
    return f"\n{sql}" if sql.startswith(ALONE) and line.strip() else sql


def offset_of(text: str, line: int, column: int) -> int:
    """Return the offset of *line* and *column*, which count from 1."""
    start = 0
    for _ in range(line - 1):
        start = text.index("\n", start) + 1
    return start + column - 1


def apply(text: str, edit: Edit) -> str:
    """Return *text* with *edit*, in the line ends of the text."""
    new = edit.text.replace("\r\n", "\n")
    if "\r\n" in text:
        new = new.replace("\n", "\r\n")
    return f"{text[: edit.start]}{new}{text[edit.end :]}"
