"""Write findings as a comment of a review. Pure."""

import re
from collections.abc import Iterator

from dbwarden.linting.formats.report import Report

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~#])")


def markdown(report: Report) -> str:
    """Return a table of the findings."""
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    if report.findings:
        yield "| severity | rule | place | finding | next step |"
        yield "|---|---|---|---|---|"
    for path, finding in report.findings:
        cells = (
            finding.severity,
            finding.rule,
            _escape(f"{path}:{finding.line}"),
            _escape(finding.message),
            _escape(finding.next_step),
        )
        yield f"| {' | '.join(cells)} |"
    if report.findings:
        yield ""
    yield from map(_escape, report.lines)


def _escape(value: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(value.split()))
