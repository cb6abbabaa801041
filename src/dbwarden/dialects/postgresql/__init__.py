"""PostgreSQL. Importing this package loads no driver; asking for ``DIALECT`` does."""

from typing import TYPE_CHECKING, Any

from dbwarden.errors import MissingDriver

if TYPE_CHECKING:
    from dbwarden.dialects.postgresql.migrate.dialect import DIALECT as DIALECT


def __getattr__(name: str) -> Any:
    # Asked once: what is found here becomes a global of this module.
    if name != "DIALECT":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from dbwarden.dialects.postgresql.migrate.dialect import DIALECT
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        raise MissingDriver(
            "asyncpg, the driver for PostgreSQL, is not installed",
            next_step="Install it with: pip install asyncpg",
        ) from error
    globals()[name] = DIALECT
    return DIALECT
