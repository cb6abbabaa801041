"""Write findings for a terminal, in the form that editors recognize. Pure."""

from collections.abc import Iterator

from dbwarden.linting.formats.report import Report


def text(report: Report) -> str:
    """Return ``file:line:column: severity rule: message``, each with its next step."""
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    for path, finding in report.findings:
        place = f"{path}:{finding.line}:{finding.column}"
        yield f"{place}: {finding.severity} {finding.rule}: {finding.message}"
        yield f"    next: {finding.next_step}"
    yield from report.lines
