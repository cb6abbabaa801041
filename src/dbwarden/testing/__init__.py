"""Provide fixtures and ready-made tests for users' test suites.

The line ``pytest_plugins = ["dbwarden.testing.plugin"]`` in a ``conftest.py`` loads the fixtures
(``dbwarden_database``, ``dbwarden_project``); pytest does not load them by itself. The line
``from dbwarden.testing.ready_made import *`` in a test module adds the ready-made tests.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbwarden.fastapi.state import override_database as override_database
    from dbwarden.testing.databases import FreshDatabase as FreshDatabase

__all__ = ["FreshDatabase", "override_database"]


def __getattr__(name: str) -> object:
    if name == "FreshDatabase":
        from dbwarden.testing.databases import FreshDatabase

        return FreshDatabase
    if name == "override_database":
        from dbwarden.fastapi.state import override_database

        return override_database
    raise AttributeError(f"module 'dbwarden.testing' has no attribute {name!r}")
