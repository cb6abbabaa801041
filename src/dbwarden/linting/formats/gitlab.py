"""Write findings as a code quality report of GitLab. Pure."""

import json

from dbwarden.linting.findings import Severity
from dbwarden.linting.formats.report import Report, fingerprints

_LEVELS: dict[Severity, str] = {"info": "info", "warning": "minor", "error": "major"}


def gitlab(report: Report) -> str:
    """Return the report as JSON."""
    document = [
        {
            "description": f"{finding.message}. {finding.next_step}",
            "check_name": finding.rule,
            "fingerprint": fingerprint,
            "severity": _LEVELS[finding.severity],
            "location": {"path": path, "lines": {"begin": finding.line}},
        }
        for (path, finding), fingerprint in zip(
            report.findings, fingerprints(report.findings), strict=True
        )
    ]
    return json.dumps(document, indent=2)
