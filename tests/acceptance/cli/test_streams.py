"""Standard output that is closed early, full, or missing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFIGURATION = """
from dbwarden import database_config
for number in range(3000):
    database_config(database_name=f"d{number}", database_url=f"sqlite:///{number}.db")
"""
COMMAND = f"{sys.executable} -m dbwarden"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "dbwarden.py").write_text(CONFIGURATION)
    return tmp_path


def shell(folder: Path, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200", **environment},
    )


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_leaves_early_stops_nothing(project: Path, unbuffered: str) -> None:
    script = f"{COMMAND} databases | head -1; echo ${{PIPESTATUS[0]}}"
    done = shell(project, script, PYTHONUNBUFFERED=unbuffered)
    assert (done.stdout.splitlines()[0].split()[0], done.stdout[-2:]) == ("database", "0\n")
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("arguments", ["databases", "databases --json", "--help"])
def test_lost_output_is_a_failure(project: Path, arguments: str) -> None:
    done = shell(project, f"{COMMAND} {arguments} > /dev/full; echo $?")
    assert done.stdout == "1\n"
    assert done.stderr == ("error: standard output cannot be written: No space left on device\n")


def test_without_standard_output_a_command_works(project: Path) -> None:
    done = shell(project, f"{COMMAND} databases >&-; echo $?")
    assert (done.stdout, done.stderr) == ("0\n", "")
    done = shell(project, f"{COMMAND} migrate -d nope 2>&-; echo $?")
    assert done.stdout == "2\n"


def test_thousands_of_problems_are_shortened_to_the_first(project: Path) -> None:
    config = project / "dbwarden.py"
    config.write_text(config.read_text().replace("{number}.db", "app.db"))
    done = shell(project, f"{COMMAND} databases; echo $?")
    assert done.stdout == "2\n"
    assert "the configuration has 2999 problems" in done.stderr
    assert done.stderr.endswith("\n  and 2899 more\n")


def test_a_deleted_working_folder_is_an_error(project: Path) -> None:
    script = f"mkdir gone; cd gone; rmdir ../gone; {COMMAND} status; {COMMAND} init"
    done = shell(project, script)
    assert "error: the working folder cannot be told: No such file or directory" in done.stderr
    assert "dbwarden.py cannot be written: No such file or directory" in done.stderr
    assert "Traceback" not in done.stderr


def test_characters_that_a_terminal_cannot_show_are_replaced(project: Path) -> None:
    folder = project / "s\u00f6 \u540d"
    folder.mkdir()
    (folder / "dbwarden.py").write_text(CONFIGURATION.replace("3000", "1"))
    poor = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert shell(folder, f"{COMMAND} databases", **poor).stderr == ""
    done = shell(folder, f"{COMMAND} settings --json", **poor)
    assert json.loads(done.stdout)["databases"][0]["database_name"] == "d0"
