"""Name the parts of models that the server or SQLAlchemy refuses; leave them out on request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dbwarden.errors import ConfigurationError, DBWardenError, ScratchRefused
from dbwarden.schema import Ref
from dbwarden.schema.closure import reachable
from dbwarden.types import DatabaseName

if TYPE_CHECKING:  # SQLAlchemy takes 0.25 s to import
    from dbwarden.authoring.collect.origins import ModelOrigin

KEEP_GOING = "To compare the rest without it, pass --keep-going."


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedModel:
    """A part of the models that was refused and left out, and its objects.

    The namespace of an object is ``None`` if the model has none.
    """

    error: DBWardenError
    refs: tuple[Ref, ...]


def name_origin(error: ScratchRefused, origins: Mapping[str, "ModelOrigin"]) -> ScratchRefused:
    """Return *error* with the model that its statement comes from. Blocking: reads the module."""
    origin = origins.get(error.statement or "")
    if origin is None or error.location is not None:
        return error
    error.location = origin.location
    error.name_subject(origin.what)
    error.next_step = error.next_step or f"Correct {origin.what}."
    return error


def without(
    statements: Sequence[str], origins: Mapping[str, "ModelOrigin"], error: ScratchRefused
) -> tuple[tuple[str, ...], tuple[RefusedModel, ...]] | None:
    """Return *statements* without the refused one and its dependents, and the refused objects.

    Return ``None`` if the objects of the statement are unknown. Blocking: reads the modules.
    """
    origin = origins.get(error.statement or "")
    if origin is None or not origin.refs:
        return None
    known = {sql: found for sql in statements if (found := origins.get(sql)) is not None}
    missing = reachable(
        origin.tables,
        lambda name: [
            table for it in known.values() if name in (it.table, *it.needs) for table in it.tables
        ],
    )
    dropped = [
        (sql, it) for sql, it in known.items() if not missing.isdisjoint({it.table, *it.needs})
    ]
    # The other statements of a table are left out with it.
    refused = [RefusedModel(error=error, refs=origin.refs)] + [
        needs_refused(error.database, it)
        for _, it in dropped
        if it.table not in origin.tables
        and not missing.isdisjoint(it.needs)
        and (it.table in it.tables or it.table not in missing)
    ]
    gone = {error.statement, *(sql for sql, _ in dropped)}
    return tuple(sql for sql in statements if sql not in gone), tuple(refused)


def needs_refused(database: DatabaseName | None, origin: "ModelOrigin") -> RefusedModel:
    """Return the refusal of *origin*, whose foreign key leads to an object that was left out."""
    error = ConfigurationError(
        f"{origin.what} was left out too, because its foreign key needs a table that was left out",
        database=database,
        location=origin.location,
        next_step="Correct that table first.",
    )
    return RefusedModel(error=error, refs=origin.refs)
