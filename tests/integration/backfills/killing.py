"""Run ``backfill run`` in processes of its own and kill them while they work."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import anyio

import dbwarden
from dbwarden.config.database_options import DatabaseConfig

CONFIGURATION = """
from dbwarden import database_config

database_config(database_name="primary", database_type={kind!r}, database_url={url!r})
"""


async def write_configuration(config: DatabaseConfig) -> None:
    """Write the configuration that the processes load."""
    url = (await config.resolve_url()).render()
    text = CONFIGURATION.format(kind=config.database_type, url=url)
    (config.root / "dbwarden.py").write_text(text, encoding="utf-8")


def start(folder: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    """Start ``backfill run``."""
    return subprocess.Popen(
        [sys.executable, "-m", "dbwarden", "backfill", "run", *arguments],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


async def rows_done(config: DatabaseConfig) -> tuple[int, str]:
    """The rows that are done, and the state of the only backfill."""
    (progress,) = (await dbwarden.backfill_status(config)).backfills
    return progress.rows, progress.state


async def kill_at_work(config: DatabaseConfig, kills: int, *arguments: str) -> int:
    """Kill runners, each after it has moved the cursor; return how many were killed."""
    killed = 0
    while killed < kills:
        before, state = await rows_done(config)
        if state == "done":
            break
        process = start(config.root, *arguments)
        while process.poll() is None:
            now, _ = await rows_done(config)
            if now > before:
                process.send_signal(signal.SIGKILL)
                break
            await anyio.sleep(0.005)
        await anyio.to_thread.run_sync(process.wait)
        killed += process.returncode == -signal.SIGKILL
    return killed
