"""Modules that a process loads, and one that is missing."""

import subprocess
import sys
from pathlib import Path

CONFIGURATION = """
from dbwarden import database_config

database_config(database_name="primary", database_url="sqlite:///app.db")
"""
WITHOUT_DRIVER = """
import sys
sys.modules["asyncpg"] = None
from dbwarden.dialects import postgresql
from dbwarden.errors import MissingDriver
try:
    postgresql.DIALECT
except MissingDriver as error:
    print(error.message, error.next_step, sep="\\n")
"""


def test_loading_a_configuration_loads_no_heavy_package(tmp_path: Path) -> None:
    path = tmp_path / "dbwarden.py"
    path.write_text(CONFIGURATION)
    heavy = ["sqlalchemy", "fastapi", "asyncpg", "aiosqlite", "structlog", "anyio", "cyclopts"]
    script = (
        "import sys; from dbwarden.config.loading import load_project; "
        f"load_project({str(path)!r}).default.server; "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    shown = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "[]"


def test_dask_is_imported_by_a_run_on_its_workers_only() -> None:
    script = (
        "import sys; import dbwarden.fleet.workers.coordinating; "
        "from dbwarden.fleet.workers.engines import engine_of; engine_of('dask://host:8786'); "
        "print([name for name in ['dask', 'distributed'] if name in sys.modules])"
    )
    shown = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "[]"


def test_without_the_driver_the_error_names_the_package_to_install() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_DRIVER], capture_output=True, text=True)

    assert done.stdout.splitlines() == [
        "asyncpg, the driver for PostgreSQL, is not installed",
        "Install it with: pip install asyncpg",
    ], done.stderr
