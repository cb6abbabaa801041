"""SQLite: all that is odd about it. Importing the package loads nothing of it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbwarden.dialects.sqlite.migrate.dialect import DIALECT

__all__ = ["DIALECT"]


def __getattr__(name: str) -> object:
    if name != "DIALECT":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dbwarden.dialects.sqlite.migrate.dialect import DIALECT

    return DIALECT
