"""Read the objects of ``scratch_setup``, which exist outside dbwarden's control.

Models may define its tables, or reference them without a definition. Neither models nor a live
database change these objects in a comparison.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import TypeVar

from dbwarden.authoring.scratch_session import EMPTY, ScratchSession
from dbwarden.schema import ON_TABLES, Enum, Grant, QualifiedName, Schema, SchemaObject, Table

T = TypeVar("T", bound=SchemaObject | Table)


@dataclass(frozen=True, slots=True)
class SetUp:
    """The schema of a scratch database in which only ``scratch_setup`` has run."""

    schema: Schema

    def table(self, namespace: str | None, name: str) -> Table | None:
        """Return the table called *name*; the namespace ``None`` is the default one."""
        return self.schema.table(self._qualified(namespace, name))

    def has_enum(self, namespace: str | None, name: str) -> bool:
        """Return whether ``scratch_setup`` creates the enum called *name*."""
        qualified = self._qualified(namespace, name)
        return any(enum.name == qualified for enum in self.schema.of(Enum))

    def _qualified(self, namespace: str | None, name: str) -> QualifiedName:
        return QualifiedName(namespace or self.schema.default_namespace, name)

    def foreign(self, files_schema: Schema | None) -> frozenset[str]:
        """Return the namespaces where ``scratch_setup`` has tables and *files_schema* has none."""
        theirs = {table.name.namespace for table in self.schema.tables}
        theirs -= {self.schema.default_namespace}
        known = {table.ref for table in self.schema.tables}
        more = {
            it.name.namespace
            for it in (files_schema.tables if files_schema else ())
            if it.ref not in known
        }
        return frozenset(space for space in theirs - more if space is not None)

    def added_to(self, live: Schema, foreign: AbstractSet[str]) -> Schema:
        """Return *live* with the objects of ``scratch_setup``, and no others in *foreign*."""
        mine = {table.name for table in self.schema.tables}

        def merged(own: Iterable[T], theirs: Iterable[T]) -> tuple[T, ...]:
            known = {obj.ref: obj for obj in own}
            stays = (obj for obj in theirs if obj.ref in known or _stays(obj, foreign, mine))
            objects = {obj.ref: obj for obj in stays} | known
            return tuple(objects[ref] for ref in sorted(objects, key=lambda ref: ref.sort_key))

        pairs = dict.fromkeys((*live.dependencies, *self.schema.dependencies))
        extended = replace(
            live,
            tables=merged(self.schema.tables, live.tables),
            objects=merged(self.schema.objects, live.objects),
            existing_grants=merged(self.schema.existing_grants, live.existing_grants),
        )
        there = {it.ref.table for it in (*extended.tables, *extended.objects)}
        return replace(
            extended,
            dependencies=tuple(
                pair
                for pair in pairs
                if all(ref.namespace not in foreign or ref.table in there for ref in pair)
            ),
        )


def _stays(
    obj: SchemaObject | Table, foreign: AbstractSet[str], mine: AbstractSet[QualifiedName]
) -> bool:
    """Return whether live *obj* is outside the foreign namespaces, or on our tables."""
    ref = obj.on if isinstance(obj, Grant) else obj.ref
    if ref.namespace not in foreign:
        return True
    return ref.table in mine if ref is not obj.ref or ref.kind in ON_TABLES else False


async def set_up_of(session: ScratchSession) -> SetUp | None:
    """Return the objects of ``scratch_setup``, or ``None`` if none is configured."""
    if session.config.scratch_setup is None:
        return None
    return SetUp(await session.schema(EMPTY))
