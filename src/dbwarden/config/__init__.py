"""Find, read and validate the configuration of databases.

A project's ``dbwarden.py`` has the name of this package, so a type checker may mistake it for the
package and report that ``from dbwarden import database_config`` does not exist. ``from
dbwarden.config import database_config`` imports the same function under an unambiguous name.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # not from the package, which a type checker mistakes for the project's file
    from dbwarden.library import database_config as database_config
    from dbwarden.library import tenant_databases as tenant_databases

__all__ = ["database_config", "tenant_databases"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'dbwarden.config' has no attribute {name!r}")
    import dbwarden

    return getattr(dbwarden, name)
