"""Define a rule, and the draft of a finding. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dbwarden.linting.facts import FileFacts, StatementFacts
from dbwarden.linting.findings import LintSeverity
from dbwarden.linting.sizes import Scale


@dataclass(frozen=True, slots=True, kw_only=True)
class RawFinding:
    """What a rule found: at a statement or, without one, in the whole file.

    ``table`` is the table whose size matters, ``subject`` the name that a header should declare.
    ``next_step``, ``severity`` and ``scale`` override the rule's.
    """

    message: str
    next_step: str | None = None
    statement: StatementFacts | None = None
    table: str | None = None
    subject: str | None = None
    severity: LintSeverity | None = None
    scale: Scale | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LintRule:
    """One rule: a stable name, a sentence, the next step, and a function from facts to findings.

    ``severity`` applies without sizes. With the sizes of a live database, ``scale`` says what
    makes a finding of the rule worse; ``None`` if nothing does.
    """

    name: str
    sentence: str
    next_step: str = ""
    find: Callable[[FileFacts], Iterator[RawFinding]]
    severity: LintSeverity = "warning"
    scale: Scale | None = None
