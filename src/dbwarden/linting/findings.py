"""Define findings and their severity. Pure."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

LintSeverity = Literal["info", "warning", "error"]
"""From advice to danger."""

SEVERITIES: tuple[LintSeverity, ...] = get_args(LintSeverity)


def is_at_least(one: LintSeverity, other: LintSeverity) -> bool:
    """Return whether *one* is as severe as *other*."""
    return SEVERITIES.index(one) >= SEVERITIES.index(other)


@dataclass(frozen=True, slots=True, kw_only=True)
class LintFinding:
    """One finding: the rule, the place, what the file does, and what to write instead.

    ``table`` is the table whose size matters, ``subject`` the name that a header should declare.
    ``reason`` is that of the file for allowing the finding, if it does.
    """

    rule: str
    severity: LintSeverity
    path: Path
    line: int
    column: int
    message: str
    next_step: str
    table: str | None = None
    subject: str | None = None
    reason: str | None = None
