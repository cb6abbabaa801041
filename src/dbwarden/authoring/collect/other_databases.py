"""Ignore the namespaces of other configured databases in the same PostgreSQL database.

They are no drift, no migration drops them, and ``baseline`` does not write them.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from dbwarden.authoring.collect.set_up import set_up_of
from dbwarden.authoring.scratch_session import ScratchSession
from dbwarden.config.neighbours import neighbours
from dbwarden.schema import Grant, Namespace, ObjectKind, Ref, Schema, SchemaObject, Table

T = TypeVar("T", bound=SchemaObject | Table)


async def read_live(scratch: ScratchSession, files_schema: Schema | None = None) -> Schema:
    """Read the schema of the configured database, without the namespaces of its neighbours.

    Objects of ``scratch_setup`` are as that file defines them. Other objects in their namespaces
    are left out, unless *files_schema*, that of the migration files, has tables there.
    """
    live = await scratch.authoring_dialect.read_live(scratch.config)
    setup = await set_up_of(scratch)
    if setup is not None:
        live = setup.added_to(live, setup.foreign(files_schema))
    project = scratch.config.project
    if project is None or live.default_namespace is None or not live.of(Namespace):
        return live
    theirs = tuple(neighbours(scratch.config, project))
    return without(live, theirs) if theirs else live


def without(schema: Schema, theirs: Sequence[re.Pattern[str]]) -> Schema:
    """Return *schema* without the namespaces that *theirs* match, and their contents. Pure."""

    def stays(ref: Ref) -> bool:
        named = ref.kind in (ObjectKind.NAMESPACE, ObjectKind.DEFAULT_PRIVILEGES)
        name = ref.name if named else ref.namespace
        return not name or not any(pattern.fullmatch(name) for pattern in theirs)

    def kept(objects: Iterable[T]) -> tuple[T, ...]:
        return tuple(obj for obj in objects if stays(obj.on if isinstance(obj, Grant) else obj.ref))

    return replace(
        schema,
        tables=kept(schema.tables),
        objects=kept(schema.objects),
        existing_grants=kept(schema.existing_grants),
        dependencies=tuple(pair for pair in schema.dependencies if all(map(stays, pair))),
    )
