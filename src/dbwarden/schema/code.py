"""Views, routines, triggers, rules, policies and privileges.

Definitions are stored as the server prints them.
"""

from dataclasses import dataclass
from typing import ClassVar

from dbwarden.schema.base import OnTable, Overloaded, Qualified
from dbwarden.schema.kinds import ObjectKind
from dbwarden.schema.names import QualifiedName, Ref, ref_of
from dbwarden.schema.tables import Index, Parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewColumn:
    """One column of a view; ``default`` is what an INSERT into the view uses."""

    name: str
    type: str
    collation: str | None = None
    default: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class View(Qualified):
    """A view; ``definition`` is its query, ``parameters`` its options (security_barrier ...)."""

    kind: ClassVar[ObjectKind] = ObjectKind.VIEW
    definition: str
    columns: tuple[ViewColumn, ...] = ()
    parameters: Parameters = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterializedView(Qualified):
    """A materialized view with its indexes."""

    kind: ClassVar[ObjectKind] = ObjectKind.MATERIALIZED_VIEW
    definition: str
    columns: tuple[ViewColumn, ...] = ()
    indexes: tuple[Index, ...] = ()
    parameters: Parameters = ()
    access_method: str | None = None
    populated: bool = True

    @property
    def parts(self) -> tuple[Index, ...]:
        """Its indexes."""
        return self.indexes


@dataclass(frozen=True, slots=True, kw_only=True)
class Routine(Overloaded):
    """A function or procedure.

    ``identity`` holds the argument types that distinguish overloads, ``arguments`` the whole
    argument list, ``definition`` the whole ``CREATE`` statement as the server prints it.
    """

    kind: ClassVar[ObjectKind] = ObjectKind.ROUTINE
    returns: str | None
    definition: str
    procedure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate(Overloaded):
    """An aggregate function; ``options`` are SFUNC, STYPE ... in the order they are printed in."""

    kind: ClassVar[ObjectKind] = ObjectKind.AGGREGATE
    options: Parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger(OnTable):
    """A trigger of a table or view.

    ``enabled`` is ``ENABLE``, ``DISABLE``, ``ENABLE REPLICA`` or ``ENABLE ALWAYS``.
    """

    kind: ClassVar[ObjectKind] = ObjectKind.TRIGGER
    definition: str
    enabled: str = "ENABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(OnTable):
    """A rewrite rule of a table or view; ``enabled`` as on :class:`Trigger`."""

    kind: ClassVar[ObjectKind] = ObjectKind.RULE
    definition: str
    enabled: str = "ENABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(OnTable):
    """A row security policy; ``roles`` are sorted, ``("public",)`` means every role."""

    kind: ClassVar[ObjectKind] = ObjectKind.POLICY
    command: str = "ALL"
    permissive: bool = True
    roles: tuple[str, ...] = ("public",)
    using: str | None = None
    check: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics(Qualified):
    """Extended statistics; ``definition`` is the text after the name in ``CREATE STATISTICS``."""

    kind: ClassVar[ObjectKind] = ObjectKind.STATISTICS
    table: QualifiedName
    definition: str
    target: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The privileges of one role on one object; read only on demand.

    ``target`` is the object as GRANT names it (``TABLE public.users``). ``privileges`` are the
    sorted keywords, with the column list for column privileges; ``grantable`` those with the grant
    option. Only differences from the server's defaults are recorded; ``revoked`` are removed ones.
    """

    kind: ClassVar[ObjectKind] = ObjectKind.GRANT
    comment: ClassVar[None] = None
    on: Ref
    target: str
    role: str
    privileges: tuple[str, ...]
    grantable: tuple[str, ...] = ()
    revoked: tuple[str, ...] = ()

    @property
    def ref(self) -> Ref:
        """Its identity: the object and the role."""
        return Ref(ObjectKind.GRANT, None, self.target, self.role)


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultPrivileges:
    """The privileges that future objects of a kind, created by *grantor*, grant to a role.

    Read only on demand. ``grantor`` is ``None`` for the role that migrates.
    """

    kind: ClassVar[ObjectKind] = ObjectKind.DEFAULT_PRIVILEGES
    comment: ClassVar[None] = None
    grantor: str | None
    namespace: str | None
    objects: str
    role: str
    privileges: tuple[str, ...]
    grantable: tuple[str, ...] = ()
    revoked: tuple[str, ...] = ()

    @property
    def ref(self) -> Ref:
        """Its identity."""
        of = f" of {self.grantor}" if self.grantor is not None else ""
        part = f"{self.objects}{of} to {self.role}"
        return Ref(ObjectKind.DEFAULT_PRIVILEGES, None, self.namespace or "", part)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainObject:
    """An object of a kind without a class of its own: the clauses of the statement that creates it.

    ``part`` holds argument types, or tells objects of one name apart. The kind ``OTHER`` has what
    dbwarden reads but cannot change; there, ``part`` is the kind in words.
    """

    kind: ObjectKind
    name: QualifiedName
    part: str | None = None
    clauses: Parameters = ()
    comment: str | None = None

    @property
    def ref(self) -> Ref:
        """Its identity."""
        return ref_of(self.kind, self.name, self.part)
