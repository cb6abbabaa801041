"""Write findings in the formats of terminals, reviews and code scanners. Pure."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from dbwarden.linting.findings import LintFinding, LintSeverity
from dbwarden.linting.rules import RULES

Format = Literal["text", "json", "github", "gitlab", "sarif", "markdown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The findings of a run, with the paths of their files as they are shown.

    ``lines`` are a sentence about each database, ``allowed`` the findings that files allow.
    """

    version: str
    findings: Sequence[tuple[str, LintFinding]]
    allowed: Sequence[tuple[str, LintFinding]] = ()
    lines: Sequence[str] = ()


def fingerprints(findings: Sequence[tuple[str, LintFinding]]) -> Iterator[str]:
    """Yield a text for each finding that does not depend on the lines before it."""
    seen: Counter[str] = Counter()
    for path, finding in findings:
        base = f"{finding.rule}\0{path}\0{finding.table}"
        seen[base] += 1
        yield hashlib.sha256(f"{base}\0{seen[base]}".encode()).hexdigest()[:32]


# -- text ----------------------------------------------------------------------------------------


def text(report: Report) -> str:
    """Return ``file:line:column: severity rule: message``, each with its next step."""
    return "\n".join(_text_lines(report))


def _text_lines(report: Report) -> Iterator[str]:
    for path, finding in report.findings:
        place = f"{path}:{finding.line}:{finding.column}"
        yield f"{place}: {finding.severity} {finding.rule}: {finding.message}"
        yield f"    next: {finding.next_step}"
    yield from report.lines


# -- markdown ------------------------------------------------------------------------------------

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~#])")


def markdown(report: Report) -> str:
    """Return a table of the findings."""
    return "\n".join(_table_lines(report))


def _table_lines(report: Report) -> Iterator[str]:
    if report.findings:
        yield "| severity | rule | place | finding | next step |"
        yield "|---|---|---|---|---|"
    for path, finding in report.findings:
        cells = (
            finding.severity,
            finding.rule,
            _escape_cell(f"{path}:{finding.line}"),
            _escape_cell(finding.message),
            _escape_cell(finding.next_step),
        )
        yield f"| {' | '.join(cells)} |"
    if report.findings:
        yield ""
    yield from map(_escape_cell, report.lines)


def _escape_cell(value: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(value.split()))


# -- github --------------------------------------------------------------------------------------

_GITHUB_LEVELS: dict[LintSeverity, str] = {"info": "notice", "warning": "warning", "error": "error"}


def github(report: Report) -> str:
    """Return a workflow command for each finding."""
    return "\n".join(_github_command(path, finding) for path, finding in report.findings)


def _github_command(path: str, finding: LintFinding) -> str:
    properties = {
        "file": path,
        "line": str(finding.line),
        "col": str(finding.column),
        "title": f"dbwarden {finding.rule}",
    }
    named = ",".join(f"{name}={_escape_property(value)}" for name, value in properties.items())
    message = _escape_data(f"{finding.message}. {finding.next_step}")
    return f"::{_GITHUB_LEVELS[finding.severity]} {named}::{message}"


def _escape_data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(value: str) -> str:
    return _escape_data(value).replace(":", "%3A").replace(",", "%2C")


# -- gitlab --------------------------------------------------------------------------------------

_GITLAB_LEVELS: dict[LintSeverity, str] = {"info": "info", "warning": "minor", "error": "major"}


def gitlab(report: Report) -> str:
    """Return the report as JSON."""
    document = [
        {
            "description": f"{finding.message}. {finding.next_step}",
            "check_name": finding.rule,
            "fingerprint": fingerprint,
            "severity": _GITLAB_LEVELS[finding.severity],
            "location": {"path": path, "lines": {"begin": finding.line}},
        }
        for (path, finding), fingerprint in zip(
            report.findings, fingerprints(report.findings), strict=True
        )
    ]
    return json.dumps(document, indent=2)


# -- sarif ---------------------------------------------------------------------------------------

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_SARIF_LEVELS: dict[LintSeverity, str] = {"info": "note", "warning": "warning", "error": "error"}
_PLACES = {name: place for place, name in enumerate(RULES)}


def sarif(report: Report) -> str:
    """Return the log as JSON. Allowed findings are in it as suppressed results."""
    findings = [*report.findings, *report.allowed]
    run = {
        "tool": {
            "driver": {
                "name": "dbwarden",
                "semanticVersion": report.version,
                "rules": [
                    {
                        "id": rule.name,
                        "shortDescription": {"text": rule.sentence},
                        "defaultConfiguration": {"level": _SARIF_LEVELS[rule.severity]},
                    }
                    for rule in RULES.values()
                ],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": _sarif_results(findings),
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _sarif_results(findings: Sequence[tuple[str, LintFinding]]) -> list[dict[str, Any]]:
    return [
        {
            "ruleId": finding.rule,
            "ruleIndex": _PLACES[finding.rule],
            "level": _SARIF_LEVELS[finding.severity],
            "message": {"text": f"{finding.message}. {finding.next_step}"},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": quote(path)},
                        "region": {"startLine": finding.line, "startColumn": finding.column},
                    }
                }
            ],
            "partialFingerprints": {"dbwarden/v1": fingerprint},
            "suppressions": [{"kind": "inSource", "justification": finding.reason}]
            if finding.reason is not None
            else [],
        }
        for (path, finding), fingerprint in zip(findings, fingerprints(findings), strict=True)
    ]


FORMATS: Mapping[Format, Callable[[Report], str]] = {
    "text": text,
    "github": github,
    "gitlab": gitlab,
    "sarif": sarif,
    "markdown": markdown,
}
"""Every format except ``json``, the document that all commands have."""
