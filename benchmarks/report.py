"""What is shown: lines on the terminal, a JSON file, a table and a chart for the docs."""

import json
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.measure import Bar, Figure, Report, Timing, Verdict, judge, ratio

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results.json"
CHART = ROOT / "docs" / "benchmarks.svg"
PAGE = ROOT / "docs" / "benchmarks.md"
SEVERAL = "Several runs on one machine, one after the other."
TIMES = "\u00d7"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


# -- one line a figure --------------------------------------------------------------------------


def line(figure: Figure) -> str:
    """A figure for the terminal: its values, and what became of its bars."""
    values = ", ".join(
        f"{name} {amount(timing.median, figure.unit)}{'~' if timing.sample else ''}"
        for name, timing in figure.timings.items()
    )
    verdicts = "".join(f"\n      {say(verdict, figure.unit)}" for verdict in judge(figure))
    return f"[{figure.part}] {figure.case}\n      {values}{verdicts}"


def amount(value: float, unit: str) -> str:
    if unit != "s":
        return f"{value:,.3g} {unit}"
    return f"{value * 1000:,.0f} ms" if value < 1 else f"{value:,.1f} s"


def say(verdict: Verdict, unit: str) -> str:
    bar, word = verdict.bar, "met" if verdict.met else "MISSED"
    if bar.compared_with is None:
        return f"{word}: {bar.subject} {amount(verdict.ratio, unit)}, at most {bar.limit:g}"
    if bar.kind == "at most":
        text = f"{bar.subject} / {bar.compared_with} = {verdict.ratio:.2f}, at most {bar.limit:g}"
    else:
        text = f"{bar.compared_with} / {bar.subject} = {verdict.ratio:.1f}, at least {bar.limit:g}"
    return f"{word}: {text}"


# -- the table of ratios ------------------------------------------------------------------------


def table(figures: Iterable[Figure]) -> str:
    """Every figure, a Markdown table a part."""
    parts: dict[str, list[Figure]] = {}
    for figure in figures:
        parts.setdefault(figure.part, []).append(figure)
    return "\n\n".join(_part(name, rows) for name, rows in parts.items())


def _part(name: str, figures: Sequence[Figure]) -> str:
    titles = "| Case | dbwarden | Compared with | Ratio | Bar | |"
    head = f"{titles}\n| --- | ---: | --- | ---: | --- | --- |"
    rows = [row for figure in figures for row in _rows(figure)]
    return "\n".join([f"### {name[0].upper()}{name[1:]}", "", head, *rows])


def _rows(figure: Figure) -> list[str]:
    """One row for each rival; the first names the case."""
    if any(verdict.bar.compared_with is None for verdict in judge(figure)):
        return _absolute_rows(figure)
    subject = ours(figure)
    verdicts = {_row_of(verdict.bar, subject): verdict for verdict in judge(figure)}
    mine = figure.timings[subject]
    rows: list[str] = []
    for name, timing in figure.timings.items():
        if name == subject:
            continue
        verdict = verdicts.get(name)
        cells = [
            figure.case if not rows else "",
            f"{amount(mine.median, figure.unit)}" if not rows else "",
            f"{name} {_value(timing, figure.unit)}",
            _factor(timing, mine),
            _bar(verdict.bar, subject) if verdict else "",
            _word(verdict),
        ]
        rows.append("| " + " | ".join(cells) + " |")
    return rows


def _absolute_rows(figure: Figure) -> list[str]:
    """The values that have a bar of their own, then those of others."""
    rows: list[str] = []
    for verdict in judge(figure):
        name = verdict.bar.subject
        case = figure.case if name == "dbwarden" else f"{figure.case}: {name}"
        mine, bar = amount(verdict.ratio, figure.unit), f"≤ {verdict.bar.limit:g}"
        rows.append(f"| {case} | {mine} | | | {bar} | {_word(verdict)} |")
    judged = {verdict.bar.subject for verdict in judge(figure)}
    for name, timing in figure.timings.items():
        if name not in judged:
            rows.append(f"| | | {name} {_value(timing, figure.unit)} | | | |")
    return rows


def ours(figure: Figure) -> str:
    """The subject of a figure that is dbwarden."""
    return next(name for name in figure.timings if name.startswith("dbwarden"))


def _value(timing: Timing, unit: str) -> str:
    return amount(timing.median, unit) + (f" ({timing.sample})" if timing.sample else "")


def _factor(timing: Timing, mine: Timing) -> str:
    times = ratio(timing, mine)
    return f"{times:,.1f} {TIMES}" if times >= 2 else f"{times:.2f} {TIMES}"


def _row_of(bar: Bar, subject: str) -> str | None:
    """In whose row a bar stands: the rival's, or that of another subject of ours."""
    return bar.compared_with if bar.subject == subject else bar.subject


def _bar(bar: Bar, subject: str) -> str:
    if bar.subject != subject:
        floor = f" (or {amount(bar.floor, 's')})" if bar.floor else ""
        return f"≤ {bar.limit:g} {TIMES} {bar.compared_with}{floor}"
    if bar.kind == "at least":
        return f"≥ {bar.limit:g} {TIMES}"
    return f"≥ {1 / bar.limit:.2f} {TIMES} (we ≤ {bar.limit:g} {TIMES})"


def _word(verdict: Verdict | None) -> str:
    if verdict is None:
        return ""
    return "met" if verdict.met else "**missed**"


def missed(figures: Iterable[Figure]) -> list[str]:
    """A line for each bar that was missed."""
    return [
        f"[{figure.part}] {figure.case}: {say(verdict, figure.unit)}"
        for figure in figures
        for verdict in judge(figure)
        if not verdict.met
    ]


# -- files --------------------------------------------------------------------------------------


def as_json(report: Report, *, quick: bool) -> str:
    """The whole run; values are seconds unless the figure names a unit."""
    import os

    document = {
        "machine": {
            "system": platform.system(),
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "quick": quick,
        "remarks": report.remarks,
        "figures": [_figure_json(figure) for figure in report.figures],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _figure_json(figure: Figure) -> dict[str, object]:
    return {
        "part": figure.part,
        "case": figure.case,
        "unit": figure.unit,
        "values": {
            name: {
                "median": round(timing.median, 6),
                "best": round(timing.best, 6),
                "rounds": [round(value, 6) for value in timing.values],
                **({"sample": timing.sample} if timing.sample else {}),
            }
            for name, timing in figure.timings.items()
        },
        "bars": [
            {
                "subject": verdict.bar.subject,
                "compared_with": verdict.bar.compared_with,
                "kind": verdict.bar.kind,
                "limit": verdict.bar.limit,
                **({"floor": verdict.bar.floor} if verdict.bar.floor else {}),
                "measured": round(verdict.ratio, 4),
                "met": verdict.met,
            }
            for verdict in judge(figure)
        ],
    }


def from_files(paths: Sequence[Path]) -> Report:
    """One report of what earlier runs wrote with ``--json``; a later one's parts take the place."""
    report = Report()
    parts: dict[str, list[Figure]] = {}
    for path in paths:
        document = json.loads(path.read_text())
        assert not document["quick"], f"{path} is from a run with --quick"
        fresh: dict[str, list[Figure]] = {}
        for found in document["figures"]:
            fresh.setdefault(found["part"], []).append(_figure_of(found))
        parts |= fresh
        report.remarks += [text for text in document["remarks"] if text not in report.remarks]
    report.figures += [figure for figures in parts.values() for figure in figures]
    if len(paths) > 1 and SEVERAL not in report.remarks:
        report.remarks.append(SEVERAL)
    return report


def _figure_of(found: Mapping[str, Any]) -> Figure:
    return Figure(
        part=found["part"],
        case=found["case"],
        unit=found["unit"],
        timings={
            name: Timing(values=tuple(value["rounds"]), sample=value.get("sample"))
            for name, value in found["values"].items()
        },
        bars=tuple(
            Bar(
                subject=bar["subject"],
                compared_with=bar["compared_with"],
                kind=bar["kind"],
                floor=bar.get("floor", 0.0),
                limit=bar["limit"],
            )
            for bar in found["bars"]
        ),
    )


def write_page(report: Report) -> None:
    """Put the table into the docs, between its two marks."""
    text = PAGE.read_text()
    picture = f"![dbwarden compared with others]({CHART.name})"
    body = "\n\n".join([picture, table(report.figures), *report.remarks])
    pattern = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    assert pattern.search(text), f"{PAGE.name} has lost its marks"
    PAGE.write_text(pattern.sub(lambda _: f"{BEGIN}\n\n{body}\n\n{END}", text))


# -- the chart ----------------------------------------------------------------------------------


CHARTED = (
    ("start, 50 databases 20 ms away", "start of an application, 50 databases, 20 ms away"),
    ("/health, 50 databases 20 ms away", "/health, 50 databases, 20 ms away"),
    ("check, 200 databases 20 ms away", "check 200 databases, 20 ms away"),
    ("200 migrations on one database 20 ms away", "200 migrations, 20 ms away"),
    ("1,000 migrations on one database on loopback", "1,000 migrations, loopback"),
    ("migrate --all, 50 databases on loopback, up to date", "migrate --all, 50 databases"),
    ("status", "status, a whole process"),
)
WIDTH, LABEL, BAR_HEIGHT, GAP = 760, 250, 16, 26
STYLE = """\
text { font: 12px system-ui, sans-serif; fill: #222 }
.title { font-weight: 600 } .ours { fill: #2b7a4b } .other { fill: #a9b4bf }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .other { fill: #66727e } }"""


def chart(figures: Sequence[Figure]) -> str:
    """A picture of some figures: bars, each group scaled to its own slowest."""
    found = {figure.case: figure for figure in figures}
    y, parts = 10, []
    for case, title in CHARTED:
        if case in found:
            group, y = _group(found[case], title, y)
            parts.append(group)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img" '
        f'aria-label="dbwarden compared with others">\n<style>{STYLE}</style>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _group(figure: Figure, title: str, y: int) -> tuple[str, int]:
    subject = ours(figure)
    slowest = max(timing.median for timing in figure.timings.values())
    lines = [f'<text class="title" x="8" y="{y + 12}">{escape(title)}</text>']
    y += 20
    for name, timing in sorted(figure.timings.items(), key=lambda item: item[1].median):
        lines += _bar_of(name, timing, subject, figure, slowest, y)
        y += BAR_HEIGHT + 4
    return "\n".join(lines), y + GAP - 8


def _bar_of(
    name: str, timing: Timing, subject: str, figure: Figure, slowest: float, y: int
) -> list[str]:
    width = max(2.0, (WIDTH - LABEL - 110) * timing.median / slowest)
    shown = amount(timing.median, figure.unit) + (" (scaled up)" if timing.sample else "")
    kind = "ours" if name == subject else "other"
    return [
        f'<text x="{LABEL - 8}" y="{y + 12}" text-anchor="end">{escape(name)}</text>',
        f'<rect class="{kind}" x="{LABEL}" y="{y}" width="{width:.1f}" height="{BAR_HEIGHT}"/>',
        f'<text x="{LABEL + width + 6:.1f}" y="{y + 12}">{escape(shown)}</text>',
    ]


def write_all(report: Report) -> None:
    RESULTS.write_text(as_json(report, quick=False))
    CHART.write_text(chart(report.figures))
    write_page(report)
