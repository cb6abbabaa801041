"""Programs that run in their own process."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx


def run(root: Path, command: str) -> None:
    words = re.findall(r'"[^"]*"|\S+', command)
    done = subprocess.run(
        [sys.executable, "-m", *(word.strip('"') for word in words)],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


@contextmanager
def uvicorn(root: Path, app: str = "app.main:app") -> Iterator[httpx.Client]:
    command = [sys.executable, "-m", "uvicorn", app, "--port", "0"]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}  # .dict() is pydantic 1's
    process = subprocess.Popen(
        command, cwd=root, env=environment, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    said = ""
    try:
        for line in process.stderr:
            said += line
            if found := re.search(r"running on (http://[\d.]+:\d+)", line):
                with httpx.Client(base_url=found[1], timeout=30) as client:
                    yield client
                return
        raise AssertionError(said)
    finally:
        process.terminate()
        process.communicate(timeout=30)
