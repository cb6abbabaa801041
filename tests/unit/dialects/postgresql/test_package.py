"""The names of the package."""

import subprocess
import sys

import pytest

from dbwarden.dialects import postgresql

PROGRAM = """
import sys
sys.modules["asyncpg"] = None
from dbwarden.dialects import postgresql
from dbwarden.errors import MissingDriver
try:
    postgresql.DIALECT
except MissingDriver as error:
    print(error.message, error.next_step, sep="\\n")
"""


def test_without_the_driver_the_error_names_the_package_to_install() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)

    assert done.stdout.splitlines() == [
        "asyncpg, the driver for PostgreSQL, is not installed",
        "Install it with: pip install asyncpg",
    ], done.stderr


def test_the_package_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="no attribute 'ENGINE'"):
        _ = postgresql.ENGINE
