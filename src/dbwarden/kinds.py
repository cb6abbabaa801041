"""Map a database kind to the package that implements it. No other module does.

A kind's package, and with it its driver, is imported when it is first needed: commands that
never connect start faster that way.
"""

from typing import TYPE_CHECKING, assert_never

from dbwarden.dialects.base import Dialect
from dbwarden.types import DialectName

if TYPE_CHECKING:  # commands that only read or migrate start without the schema's classes
    from dbwarden.dialects.authoring import AuthoringDialect
    from dbwarden.dialects.serving import ServingDialect  # and without SQLAlchemy


def dialect_for(kind: DialectName) -> Dialect:
    """Return the dialect that connects to databases of *kind* and migrates them."""
    match kind:
        case "postgresql":
            from dbwarden.dialects.postgresql import DIALECT as POSTGRESQL

            return POSTGRESQL
        case "sqlite":
            from dbwarden.dialects.sqlite import DIALECT as SQLITE

            return SQLITE
        case _:
            assert_never(kind)


def authoring_dialect_for(kind: DialectName) -> "AuthoringDialect":
    """Return the dialect that writes and proves migrations for databases of *kind*."""
    match kind:
        case "postgresql":
            from dbwarden.dialects.postgresql.scratch import authoring_dialect as postgresql

            return postgresql.AUTHORING_DIALECT
        case "sqlite":
            from dbwarden.dialects.sqlite.scratch import authoring_dialect as sqlite

            return sqlite.AUTHORING_DIALECT
        case _:
            assert_never(kind)


def serving_dialect_for(kind: DialectName) -> "ServingDialect":
    """Return the dialect of the application's engines for databases of *kind*."""
    match kind:
        case "postgresql":
            from dbwarden.dialects.postgresql.serve import engine as postgresql

            return postgresql
        case "sqlite":
            from dbwarden.dialects.sqlite.serve import engine as sqlite

            return sqlite
        case _:
            assert_never(kind)
