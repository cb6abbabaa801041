"""The configuration of databases: what it says, where it is found, what is wrong with it.

A project's ``dbwarden.py`` has the name of this package, and a type checker takes the one for the
other: it finds nothing in ``from dbwarden import database_config``. ``from dbwarden.config import
database_config`` is the same function under a name that only the package can have.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbwarden.config.registry import database_config as database_config
    from dbwarden.config.registry import tenant_databases as tenant_databases

__all__ = ["database_config", "tenant_databases"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'dbwarden.config' has no attribute {name!r}")
    from dbwarden.config import registry

    return getattr(registry, name)
