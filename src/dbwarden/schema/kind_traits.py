"""Define the facts about a database kind on which comparisons of schemas depend."""

from dataclasses import dataclass
from typing import assert_never

from dbwarden.types import DialectName


@dataclass(frozen=True, slots=True, kw_only=True)
class KindTraits:
    """The facts about one database kind.

    Attributes:
        rebuilds_tables: A change that ALTER TABLE lacks copies the table, so every column can be
            altered.
        names_ignore_case: Names that differ only in case are the same.
        resolves_names_late: Names in views and triggers are resolved when they are used, so the
            objects need not exist before.
        renames_tables_only: Other objects than tables and columns have no RENAME.
        names_constraints: The server gives unnamed constraints a name.
    """

    rebuilds_tables: bool
    names_ignore_case: bool
    resolves_names_late: bool
    renames_tables_only: bool
    names_constraints: bool


_POSTGRESQL = KindTraits(
    rebuilds_tables=False,
    names_ignore_case=False,
    resolves_names_late=False,
    renames_tables_only=False,
    names_constraints=True,
)
_SQLITE = KindTraits(
    rebuilds_tables=True,
    names_ignore_case=True,
    resolves_names_late=True,
    renames_tables_only=True,
    names_constraints=False,
)


def traits_of(kind: DialectName) -> KindTraits:
    """Return the facts about *kind*."""
    match kind:
        case "postgresql":
            return _POSTGRESQL
        case "sqlite":
            return _SQLITE
        case _:
            assert_never(kind)
