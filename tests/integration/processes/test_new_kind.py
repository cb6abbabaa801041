"""The type checker lists the work of a new database kind."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PLACES = {
    "authoring/write/models_code.py": 1,
    "config/urls.py": 1,
    "files/lexing.py": 1,
    "kinds.py": 3,
    "schema/kind_traits.py": 1,
    "testing/databases.py": 2,
}
"""The files that choose by a database kind, and the number of choices in each."""


@pytest.mark.long
def test_mypy_lists_every_place_that_a_new_database_kind_needs(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    types = tmp_path / "src/dbwarden/types.py"
    kinds = 'Literal["postgresql", "sqlite"]'
    text = types.read_text(encoding="utf-8")
    assert kinds in text
    types.write_text(text.replace(kinds, kinds.replace("]", ', "mysql"]')), encoding="utf-8")
    mypy = subprocess.run(
        [sys.executable, "-m", "mypy", "src"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    errors = [line for line in mypy.stdout.splitlines() if ": error: " in line]
    assert all('"Literal[\'mysql\']"; expected "Never"' in line for line in errors), errors
    files = [re.sub(r"^src/dbwarden/([^:]+):.*", r"\1", line) for line in errors]
    assert {file: files.count(file) for file in files} == PLACES, mypy.stdout + mypy.stderr
