"""``make demo`` and ``make online`` work and leave nothing behind."""

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[3] / "examples"
DEMO = EXAMPLES / "three_databases" / "demo.py"
STORY = EXAMPLES / "online" / "story.py"
ROWS = "12000"
"""More rows than `migrate` fills by itself."""

MARK = "DBWARDEN_DEMO_OF_TEST"

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="/proc tells which processes are left"
)


def left(mark: str) -> list[str]:
    """The processes that inherited *mark*: whatever the demo started, and what that started."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and mark.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def start(script: Path, argument: str, mark: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, script, argument],
        env={**os.environ, MARK: mark, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_demo_ends_with_a_healthy_application_and_leaves_nothing(kind: str) -> None:
    mark = uuid.uuid4().hex
    process = start(DEMO, kind, mark)
    said, _ = process.communicate(timeout=100)
    assert process.returncode == 0, said
    assert said.count("$ dbwarden migrate --all") == 2
    asked = said.partition("/health\n")[2]
    assert '"status": "ok"' in asked
    for name in ("primary", "replica", "analytics", "logging"):
        assert f'"database": "{name}"' in asked
    assert "Application shutdown complete." in asked
    assert left(mark) == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("by", "code"), [("ctrl-c", 130), ("sigterm", 143)], ids=["ctrl-c", "sigterm"]
)
def test_an_interrupted_demo_leaves_nothing(by: str, code: int) -> None:
    mark = uuid.uuid4().hex
    process = start(DEMO, "postgresql", mark)
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if "Waiting for application startup." in line:
            if by == "ctrl-c":  # a terminal sends it to all
                os.killpg(process.pid, signal.SIGINT)
            else:
                process.send_signal(signal.SIGTERM)
            break
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == code, said + rest
    assert left(mark) == []


@pytest.mark.long
def test_a_failing_demo_reports_it_and_leaves_nothing() -> None:
    mark = uuid.uuid4().hex
    process = start(DEMO, "sqlite", mark, APP_REPLICA="sqlite:///nowhere/app.db")
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1, said
    assert "replica: " in said and said.rstrip().endswith("The application did not start.")
    assert left(mark) == []


@pytest.mark.long
def test_the_online_story_ends_without_an_error_and_leaves_nothing() -> None:
    mark = uuid.uuid4().hex
    process = start(STORY, ROWS, mark)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert "\nerrors 0\n" in said
    assert "\nlongest blocked query " in said
    assert left(mark) == []


@pytest.mark.long
@pytest.mark.parametrize("by", ["ctrl-c", "sigterm"])
def test_an_interrupted_online_story_leaves_nothing(by: str) -> None:
    mark = uuid.uuid4().hex
    process = start(STORY, ROWS, mark)
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if line.startswith("$ dbwarden backfill run"):
            if by == "ctrl-c":  # a terminal sends it to all
                os.killpg(process.pid, signal.SIGINT)
            else:
                process.send_signal(signal.SIGTERM)
            break
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said + rest
    assert left(mark) == []


@pytest.mark.long
def test_a_failing_online_story_reports_it_and_leaves_nothing() -> None:
    mark = uuid.uuid4().hex
    process = start(STORY, ROWS, mark, DBWARDEN_CONFIG="nowhere.py")
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1, said
    assert "nowhere.py" in said
    assert "'dbwarden make-migrations -m 'create orders'' returned non-zero" in said
    assert left(mark) == []
