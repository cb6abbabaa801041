"""What users need in their own tests.

``pytest`` finds the fixtures by itself (``dbwarden_database``, ``dbwarden_project``). A line makes
the ready-made tests yours: ``from dbwarden.testing.ready_made import *``.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbwarden.testing.databases import FreshDatabase as FreshDatabase
    from dbwarden.testing.overriding import override_database as override_database

__all__ = ["FreshDatabase", "override_database"]


def __getattr__(name: str) -> object:
    if name == "FreshDatabase":
        from dbwarden.testing.databases import FreshDatabase

        return FreshDatabase
    if name == "override_database":
        from dbwarden.testing.overriding import override_database

        return override_database
    raise AttributeError(f"module 'dbwarden.testing' has no attribute {name!r}")
