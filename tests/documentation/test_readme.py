"""The README's first steps print what it shows."""

import re
from pathlib import Path

from tests.documentation.tutorial import Reader

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_first_two_minutes_print_what_the_readme_shows(tmp_path: Path) -> None:
    shown = re.findall(r"^```\n(\$ .*?)^```", README, re.DOTALL | re.MULTILINE)
    (sql,) = re.findall(r"^```sql\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    steps = [step for block in shown for step in re.split(r"^\$ ", block, flags=re.M) if step]
    for step in steps:
        command, _, expected = step.partition("\n")
        if command.startswith("pip "):
            continue
        Reader(tmp_path).do(command, expected)
        if command.startswith("dbwarden new"):
            (file,) = (tmp_path / "migrations" / "primary").iterdir()
            file.write_text(sql)
