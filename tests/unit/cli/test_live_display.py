"""The last lines of a terminal: one per database, or one for many."""

import re

import pytest

from dbwarden.cli.live_display import MOST_LINES, Line, LiveDisplay
from dbwarden.telemetry import Event


def event(name: str, **fields: object) -> Event:
    return Event(name=name, level="info", fields=fields)


def test_a_line_shows_the_share_that_is_done_and_the_time() -> None:
    line = Line(label="app", total=4, done=1, doing="0001")
    assert line.text(75.9, 5) == f"app    [{'######':<24}] 1/4  1:15  0001"
    assert Line(label="app").text(0, 3) == f"app  [{' ' * 24}] 0/?  0:00  "


async def test_each_database_has_its_line_and_all_lines_are_taken_away(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with LiveDisplay(["a", "bb"]) as live:
        live.on_event(event("planned", database="bb", migrations=2))
        live.on_event(event("migration_applied", database="bb", version="0001"))
        live._draw()
    first, second, gone = capsys.readouterr().err.split("\x1b[2F")
    assert re.findall(r"\x1b\[K(\w+) .*? (\d/\S)", first) == [("a", "0/?"), ("bb", "0/?")]
    assert re.findall(r"\x1b\[K(\w+) .*? (\d/\S)", second) == [("a", "0/?"), ("bb", "1/2")]
    assert "0001" in second
    assert gone == "\x1b[J"


async def test_a_backfill_shows_its_rows_unless_migrations_are_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with LiveDisplay(["a", "bb"]) as live:
        live.on_event(event("planned", database="bb", migrations=2))
        for database in ("a", "bb"):
            live.on_event(event("backfill_batch", database=database, done=50, total=200))
        live._draw()
    shown = capsys.readouterr().err.split("\x1b[2F")[1]
    assert re.findall(r"\x1b\[K(\w+) +\[(#*) *\] (\S+)", shown) == [
        ("a", "######", "50/200"),
        ("bb", "", "0/2"),
    ]


async def test_many_databases_share_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"db{number}" for number in range(MOST_LINES + 1)]
    with LiveDisplay(names) as live:
        live.on_event(event("outcome", database="db3", state="succeeded", last=True))
        live.on_event(event("outcome", database="db4", state="failed", last=False))
        live._draw()
    shown = capsys.readouterr().err.split("\x1b[1F")[1]
    assert shown.startswith("\x1b[Kdatabases")
    assert f"1/{len(names)}" in shown and "db3" in shown
