"""The README's first steps print what it shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def said(folder: Path, command: str) -> str:
    words = command.replace("dbwarden", f"{sys.executable} -m dbwarden", 1)
    done = subprocess.run(
        ["bash", "-c", words],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "120"},
    )
    return done.stdout + done.stderr


def shape(text: str) -> list[list[str]]:
    """Words by line, without what is another each time: durations, times, process numbers."""
    text = re.sub(r"\d+(\.\d+)? m?s\b|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|pid \d+|on [\w.-]+,", "", text)
    return sorted(line.split() for line in text.splitlines() if line.strip())


def test_the_first_two_minutes_print_what_the_readme_shows(tmp_path: Path) -> None:
    shown = re.findall(r"^```\n(\$ .*?)^```", README, re.DOTALL | re.MULTILINE)
    (sql,) = re.findall(r"^```sql\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    steps = [step for block in shown for step in re.split(r"^\$ ", block, flags=re.M) if step]
    for step in steps:
        command, _, expected = step.partition("\n")
        if command.startswith("pip "):
            continue
        assert shape(said(tmp_path, command)) == shape(expected), command
        if command.startswith("dbwarden new"):
            (file,) = (tmp_path / "migrations" / "primary").iterdir()
            file.write_text(sql)
