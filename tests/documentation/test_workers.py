"""The cluster of docs/workers.md works as printed, in a fresh environment with the wheel."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = """
from dbwarden import database_config, tenant_databases

database_config(database_name="primary", database_url="sqlite:///primary.db", default=True)
tenant_databases(
    name="tenant_{tenant_id}",
    database_url="sqlite:///{tenant_id}.db",
    tenants=["acme", "blue-sky", "corner"],
)
"""


def console_blocks(heading: str) -> list[str]:
    """Return the console blocks of a section of the page."""
    text = (ROOT / "docs" / "workers.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^```console\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


def masked(text: str) -> list[str]:
    """Return the lines in an order that does not depend on times, without these."""
    lines = [re.sub(r"[\d.]+ m?s$", "TIME", line).rstrip() for line in text.splitlines()]
    return [re.sub(" {2,}", "  ", line) for line in sorted(lines) if line]


@contextmanager
def started(line: str, folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """Run a command of the page in the background until the block ends."""
    words = shlex.split(line.removesuffix("&"))
    with (folder / "dask.log").open("ab") as log:
        process = subprocess.Popen(words, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


@pytest.mark.long
def test_a_run_on_a_local_cluster_prints_what_the_page_shows(tmp_path: Path) -> None:
    install, run = console_blocks("A cluster on this machine")
    (pip, scheduler, worker) = [line.removeprefix("$ ") for line in install.splitlines()]
    command, _, printed = run.removeprefix("$ ").partition("\n")
    port = str(free_port())

    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "COV", "PYTEST", "DBWARDEN", "VIRTUAL_ENV"))
    }
    environment["PATH"] = f"{tmp_path / 'env' / 'bin'}{os.pathsep}{environment['PATH']}"
    assert shlex.split(pip) == ["pip", "install", "dbwarden[dask]"]
    subprocess.run(
        ["pip", "install", "--quiet", f"{wheel}[dask]"], env=environment, check=True, timeout=500
    )

    folder = tmp_path / "project"
    for name in ("primary", "tenant"):
        (folder / "migrations" / name).mkdir(parents=True)
        text = f"-- upgrade\nCREATE TABLE {name}s (id TEXT);\n\n-- rollback\nDROP TABLE {name}s;\n"
        (folder / "migrations" / name / f"{name}__0001_start.sql").write_text(text)
    (folder / "dbwarden.py").write_text(PROJECT)
    with ExitStack() as background:
        for line in (f"{scheduler.removesuffix(' &')} --port {port}", worker):
            line = line.replace("8786", port)
            background.enter_context(started(line, folder, environment))
        done = subprocess.run(
            shlex.split(command.replace("8786", port)),
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=200,
        )

    assert done.returncode == 0, done.stdout
    assert masked(done.stdout) == masked(printed)
