"""The identity of schema objects: by name, within a table, or by argument types. Pure."""

from dataclasses import dataclass
from typing import ClassVar

from dbwarden.schema.kinds import ObjectKind
from dbwarden.schema.names import QualifiedName, Ref, ref_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Global:
    """An object whose name is unique in the database."""

    kind: ClassVar[ObjectKind]
    name: str
    comment: str | None = None

    @property
    def ref(self) -> Ref:
        """Its identity."""
        return Ref(self.kind, None, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Qualified:
    """An object with a name in a namespace."""

    kind: ClassVar[ObjectKind]
    name: QualifiedName
    comment: str | None = None

    @property
    def ref(self) -> Ref:
        """Its identity."""
        return ref_of(self.kind, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overloaded:
    """An object that its argument types, ``identity``, distinguish from others of its name.

    ``arguments`` is the whole argument list.
    """

    kind: ClassVar[ObjectKind]
    name: QualifiedName
    identity: str
    arguments: str
    comment: str | None = None

    @property
    def ref(self) -> Ref:
        """Its identity: the name and the argument types."""
        return ref_of(self.kind, self.name, self.identity)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnTable:
    """An object of a table or view, within which its name is unique."""

    kind: ClassVar[ObjectKind]
    name: str
    table: QualifiedName
    comment: str | None = None

    @property
    def ref(self) -> Ref:
        """Its identity."""
        return ref_of(self.kind, self.table, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A column, constraint or index: its identity needs the table (or view) that has it.

    ``inherited`` is true if it comes from a parent table and was not declared here.
    """

    kind: ClassVar[ObjectKind]
    name: str | None
    comment: str | None = None
    inherited: bool = False

    @property
    def unnamed(self) -> str:
        """What it is, in place of a missing name."""
        return ""

    @property
    def key(self) -> str:
        """Its key within the table: the name or, without one, what it is."""
        return self.name if self.name is not None else self.unnamed

    def ref_in(self, table: QualifiedName) -> Ref:
        """Return its identity in *table*."""
        return ref_of(self.kind, table, self.key)
