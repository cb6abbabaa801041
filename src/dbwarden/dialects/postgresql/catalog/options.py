"""Parse storage parameters. Pure."""

from collections.abc import Iterable

from dbwarden.dialects.postgresql.catalog.rows import Row
from dbwarden.schema import InAnyOrder, Parameters


def parameters(options: Iterable[str] | None) -> Parameters:
    """Return the parameters in an array of ``name=value``, as the catalog stores them."""
    if not options:
        return ()
    pairs = (option.partition("=") for option in options)
    return InAnyOrder((name, value) for name, _, value in pairs)


def table_parameters(row: Row) -> Parameters:
    """Return the storage parameters of a table or materialized view and of its TOAST table."""
    toast = tuple((f"toast.{name}", value) for name, value in parameters(row["toast_options"]))
    return InAnyOrder((*parameters(row["options"]), *toast)) or ()
