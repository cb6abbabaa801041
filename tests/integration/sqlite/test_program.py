"""Generated files run in the sqlite3 program."""

import subprocess
from pathlib import Path
from shutil import which

import pytest

from tests.acceptance.judging_sqlite import built, read, script, write
from tests.unit.dialects.sqlite.ddl.schemas import CASCADE


def cascading() -> str:
    """The SQL that builds the parent of a cascading foreign key anew."""
    current = read(built(CASCADE))
    return script(write(current, read(built(CASCADE.replace("name TEXT", "name TEXT UNIQUE")))))


@pytest.mark.skipif(which("sqlite3") is None, reason="needs the program sqlite3")
def test_the_file_runs_unchanged_in_the_sqlite3_program(tmp_path: Path) -> None:
    program = which("sqlite3") or ""

    def shell(sql: str) -> str:
        done = subprocess.run(
            [program, "-bail", str(tmp_path / "app.db")],
            input=sql,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    assert shell(CASCADE) == ""
    assert shell(cascading()) == ""
    assert shell("SELECT * FROM c ORDER BY id") == "1|1\n2|2\n3|2\n"
    assert "overflow" in shell(f"PRAGMA foreign_keys = ON; {cascading()}")
    assert shell("SELECT count(*) FROM c") == "3\n"
