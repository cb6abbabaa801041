"""Read the objects of ``scratch_setup``, which exist outside dbwarden's control.

Models may define its tables, or reference them without a definition. Neither models nor a live
database change these objects in a comparison.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields, replace
from typing import Any

from dbwarden.authoring.scratch_session import EMPTY, ScratchSession
from dbwarden.schema import Grant, ObjectKind, QualifiedName, Ref, Schema, Table


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
        return any(enum.name == qualified for enum in self.schema.enums)

    def _qualified(self, namespace: str | None, name: str) -> QualifiedName:
        return QualifiedName(namespace or self.schema.default_namespace, name)

    def foreign(self, made: Schema | None) -> frozenset[str]:
        """Return the namespaces in which ``scratch_setup`` has tables and *made* has none."""
        theirs = _inhabited(self.schema) - {self.schema.default_namespace}
        known = {table.ref for table in self.schema.tables}
        more = {it.name.namespace for it in (made.tables if made else ()) if it.ref not in known}
        return frozenset(space for space in theirs - more if space is not None)

    def added_to(self, live: Schema, foreign: AbstractSet[str]) -> Schema:
        """Return *live* with the objects of ``scratch_setup``, and no others in *foreign*."""
        changed: dict[str, Any] = {}
        mine = {table.name for table in self.schema.tables}
        for field in fields(Schema):
            own, theirs = getattr(self.schema, field.name), getattr(live, field.name)
            if isinstance(own, tuple) and any(hasattr(obj, "ref") for obj in (*own, *theirs)):
                known = {obj.ref: obj for obj in own}
                stays = (obj for obj in theirs if obj.ref in known or _stays(obj, foreign, mine))
                merged = {obj.ref: obj for obj in stays} | known
                changed[field.name] = tuple(
                    merged[ref] for ref in sorted(merged, key=lambda ref: ref.sort_key)
                )
        pairs = dict.fromkeys((*live.dependencies, *self.schema.dependencies))
        made = replace(live, **changed)
        there = {ref.table for ref in _refs(made)}
        return replace(
            made,
            dependencies=tuple(
                pair
                for pair in pairs
                if all(ref.namespace not in foreign or ref.table in there for ref in pair)
            ),
        )


_ON_TABLES = (ObjectKind.TRIGGER, ObjectKind.RULE, ObjectKind.POLICY)


def _stays(obj: Any, foreign: AbstractSet[str], mine: AbstractSet[QualifiedName]) -> bool:
    """Return whether live *obj* is outside the foreign namespaces, or on our tables."""
    ref: Ref = obj.on if isinstance(obj, Grant) else obj.ref
    if ref.namespace not in foreign:
        return True
    return ref.table in mine if ref is not obj.ref or ref.kind in _ON_TABLES else False


def _inhabited(schema: Schema) -> frozenset[str | None]:
    return frozenset(table.name.namespace for table in schema.tables)


def _refs(schema: Schema) -> Iterator[Ref]:
    yield from (table.ref for table in schema.tables)
    yield from (obj.ref for obj in schema.objects)


async def set_up_of(scratch: ScratchSession) -> SetUp | None:
    """Return the objects of ``scratch_setup``, or ``None`` if none is configured."""
    if scratch.config.scratch_setup is None:
        return None
    return SetUp(await scratch.schema(EMPTY))
