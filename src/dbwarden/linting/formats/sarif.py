"""Write findings as a SARIF 2.1.0 log, for code scanners. Pure."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from dbwarden.linting.findings import Finding, Severity
from dbwarden.linting.formats.report import Report, fingerprints
from dbwarden.linting.rules import RULES

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_LEVELS: dict[Severity, str] = {"info": "note", "warning": "warning", "error": "error"}
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
                        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
                    }
                    for rule in RULES.values()
                ],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": _results(findings),
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _results(findings: Sequence[tuple[str, Finding]]) -> list[dict[str, Any]]:
    return [
        {
            "ruleId": finding.rule,
            "ruleIndex": _PLACES[finding.rule],
            "level": _LEVELS[finding.severity],
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
