"""The findings of a run, as the formats take them. Pure."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dbwarden.linting.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The findings of a run, with the paths of their files as they are shown.

    ``lines`` are a sentence about each database, ``allowed`` the findings that files allow.
    """

    version: str
    findings: Sequence[tuple[str, Finding]]
    allowed: Sequence[tuple[str, Finding]] = ()
    lines: Sequence[str] = ()


def fingerprints(findings: Sequence[tuple[str, Finding]]) -> Iterator[str]:
    """Yield a text for each finding that does not depend on the lines before it."""
    seen: Counter[str] = Counter()
    for path, finding in findings:
        base = f"{finding.rule}\0{path}\0{finding.table}"
        seen[base] += 1
        yield hashlib.sha256(f"{base}\0{seen[base]}".encode()).hexdigest()[:32]
