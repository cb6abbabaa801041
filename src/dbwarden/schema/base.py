"""The identity of schema objects: by name, within a table, or by argument types. Pure."""

from typing import ClassVar

from dbwarden.schema.kinds import ObjectKind
from dbwarden.schema.names import QualifiedName, Ref, ref_of


class Global:
    """An object whose name is unique in the database."""

    __slots__ = ()
    kind: ClassVar[ObjectKind]
    name: str

    @property
    def ref(self) -> Ref:
        """Its identity."""
        return Ref(self.kind, None, self.name)


class Qualified:
    """An object with a name in a namespace."""

    __slots__ = ()
    kind: ClassVar[ObjectKind]
    name: QualifiedName

    @property
    def ref(self) -> Ref:
        """Its identity."""
        return ref_of(self.kind, self.name)


class Overloaded:
    """An object that its argument types distinguish from others of its name."""

    __slots__ = ()
    kind: ClassVar[ObjectKind]
    name: QualifiedName
    identity: str

    @property
    def ref(self) -> Ref:
        """Its identity: the name and the argument types."""
        return ref_of(self.kind, self.name, self.identity)


class Part:
    """A column, constraint or index: its identity needs the table (or view) that has it."""

    __slots__ = ()
    kind: ClassVar[ObjectKind]
    name: str | None
    inherited: bool

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


class OnTable:
    """An object of a table or view, within which its name is unique."""

    __slots__ = ()
    kind: ClassVar[ObjectKind]
    name: str
    table: QualifiedName

    @property
    def ref(self) -> Ref:
        """Its identity."""
        return ref_of(self.kind, self.table, self.name)
