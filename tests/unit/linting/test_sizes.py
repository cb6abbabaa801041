"""Sizes of live tables scale the severity of findings."""

import json

import pytest

from dbwarden.linting.findings import LintSeverity
from dbwarden.linting.sizes import (
    LiveStats,
    Scale,
    TableSize,
    dump_stats,
    parse_stats,
    scale_severity,
)

GB = 1024**3


def stats(oldest: float | None = None) -> LiveStats:
    return LiveStats(
        server="PostgreSQL 18.6",
        taken_at="2026-11-30T12:00:00Z",
        oldest_transaction=oldest,
        tables={
            "small": TableSize(rows=300, bytes=16384, writes_per_second=0.0),
            "middle": TableSize(rows=200_000, bytes=30_000_000, writes_per_second=0.5),
            "large": TableSize(rows=41_000_000, bytes=12 * GB, writes_per_second=900),
            "wide": TableSize(rows=900, bytes=2 * GB, writes_per_second=0),
            "busy": TableSize(rows=10, bytes=8192, writes_per_second=150),
            "lite": TableSize(rows=2_000_000),
        },
    )


@pytest.mark.parametrize(
    ("table", "scale", "severity"),
    [
        ("small", "size", "info"),
        ("unknown", "size", "info"),
        ("middle", "size", "warning"),
        ("large", "size", "error"),
        ("wide", "size", "error"),
        ("busy", "size", "error"),
        ("lite", "size", "error"),
        ("large", "traffic", "error"),
        ("busy", "traffic", "error"),
        ("wide", "traffic", "warning"),
        ("small", "traffic", "info"),
    ],
)
def test_the_severity_follows_the_table(table: str, scale: Scale, severity: LintSeverity) -> None:
    assert scale_severity("warning", scale, table, stats()) == severity


def test_a_long_transaction_raises_what_is_not_small() -> None:
    assert scale_severity("warning", "size", "middle", stats(60)) == "error"
    assert scale_severity("warning", "size", "middle", stats(1)) == "warning"
    assert scale_severity("warning", "size", "large", stats(60)) == "error"
    assert scale_severity("warning", "size", "small", stats(60)) == "info"
    assert "60 s old" in stats(60).waits
    assert stats(1).waits == stats().waits == ""


def test_a_size_is_written_for_people() -> None:
    assert stats().describe("large") == "large (41 M rows, 12 GB, 900 writes/s)"
    assert stats().describe("middle") == "middle (200 k rows, 29 MB, 0 writes/s)"
    assert stats().describe("lite") == "lite (2 M rows)"
    assert stats().describe("new") == "new (not in the live database yet)"
    assert str(TableSize(rows=1, bytes=512)) == "1 row, 512 B"
    assert str(TableSize(rows=1_500)) == "1.5 k rows"


def test_a_file_of_sizes_is_read_as_it_was_written() -> None:
    written = dump_stats({"primary": stats(60), "other": stats()})
    assert parse_stats(written) == {"primary": stats(60), "other": stats()}


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", '{"dbwarden_stats": 2, "databases": {}}', '{"dbwarden_stats": 1}'),
        '{"dbwarden_stats": 1, "databases": []}',
        '{"dbwarden_stats": 1, "databases": {"primary": {}}}',
        json.dumps(
            {
                "dbwarden_stats": 1,
                "databases": {
                    "primary": {
                        "server": "",
                        "taken_at": "",
                        "oldest_transaction": None,
                        "tables": {"a": {"rows": "many", "bytes": 1, "writes_per_second": 1}},
                    }
                },
            }
        ),
    ],
)
def test_another_file_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_stats(text)
