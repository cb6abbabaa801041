"""Write findings as annotations of a GitHub workflow. Pure."""

from dbwarden.linting.findings import Finding, Severity
from dbwarden.linting.formats.report import Report

_LEVELS: dict[Severity, str] = {"info": "notice", "warning": "warning", "error": "error"}


def github(report: Report) -> str:
    """Return a workflow command for each finding."""
    return "\n".join(_command(path, finding) for path, finding in report.findings)


def _command(path: str, finding: Finding) -> str:
    properties = {
        "file": path,
        "line": str(finding.line),
        "col": str(finding.column),
        "title": f"dbwarden {finding.rule}",
    }
    named = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    message = _data(f"{finding.message}. {finding.next_step}")
    return f"::{_LEVELS[finding.severity]} {named}::{message}"


def _data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")
