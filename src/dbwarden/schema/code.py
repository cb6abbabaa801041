"""Views, routines, triggers, rules, policies and privileges.

Definitions are stored as the server prints them.
"""

from dataclasses import dataclass

from dbwarden.schema.names import ObjectKind, QualifiedName, Ref, ref_of
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
class View:
    """A view; ``definition`` is its query, ``parameters`` its options (security_barrier ...)."""

    name: QualifiedName
    definition: str
    columns: tuple[ViewColumn, ...] = ()
    parameters: Parameters = ()
    comment: str | None = None

    @property
    def ref(self) -> Ref:
        """Its identity."""
        return ref_of(ObjectKind.VIEW, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterializedView:
    """A materialized view with its indexes."""

    name: QualifiedName
    definition: str
    columns: tuple[ViewColumn, ...] = ()
    indexes: tuple[Index, ...] = ()
    parameters: Parameters = ()
    access_method: str | None = None
    populated: bool = True
    comment: str | None = None

    @property
    def ref(self) -> Ref:
        """Its identity."""
        return ref_of(ObjectKind.MATERIALIZED_VIEW, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Routine:
    """A function or procedure.

    ``identity`` holds the argument types that distinguish overloads, ``arguments`` the whole
    argument list, ``definition`` the whole ``CREATE`` statement as the server prints it.
    """

    name: QualifiedName
    identity: str
    arguments: str
    returns: str | None
    definition: str
    procedure: bool = False
    comment: str | None = None

    @property
    def ref(self) -> Ref:
        """Its identity: the name and the argument types."""
        return ref_of(ObjectKind.ROUTINE, self.name, self.identity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """An aggregate function; ``options`` are SFUNC, STYPE ... in the order they are printed in."""

    name: QualifiedName
    identity: str
    arguments: str
    options: Parameters
    comment: str | None = None

    @property
    def ref(self) -> Ref:
        """Its identity: the name and the argument types."""
        return ref_of(ObjectKind.AGGREGATE, self.name, self.identity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A trigger of a table or view.

    ``enabled`` is ``ENABLE``, ``DISABLE``, ``ENABLE REPLICA`` or ``ENABLE ALWAYS``.
    """

    name: str
    table: QualifiedName
    definition: str
    enabled: str = "ENABLE"
    comment: str | None = None

    @property
    def ref(self) -> Ref:
        """Its identity."""
        return ref_of(ObjectKind.TRIGGER, self.table, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTrigger:
    """A trigger on DDL events; ``enabled`` as on :class:`Trigger`."""

    name: str
    event: str
    function: str
    tags: tuple[str, ...] = ()
    enabled: str = "ENABLE"
    comment: str | None = None

    @property
    def ref(self) -> Ref:
        """Its identity."""
        return Ref(ObjectKind.EVENT_TRIGGER, None, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rewrite rule of a table or view; ``enabled`` as on :class:`Trigger`."""

    name: str
    table: QualifiedName
    definition: str
    enabled: str = "ENABLE"
    comment: str | None = None

    @property
    def ref(self) -> Ref:
        """Its identity."""
        return ref_of(ObjectKind.RULE, self.table, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A row security policy; ``roles`` are sorted, ``("public",)`` means every role."""

    name: str
    table: QualifiedName
    command: str = "ALL"
    permissive: bool = True
    roles: tuple[str, ...] = ("public",)
    using: str | None = None
    check: str | None = None
    comment: str | None = None

    @property
    def ref(self) -> Ref:
        """Its identity."""
        return ref_of(ObjectKind.POLICY, self.table, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Extended statistics; ``definition`` is the text after the name in ``CREATE STATISTICS``."""

    name: QualifiedName
    table: QualifiedName
    definition: str
    target: int | None = None
    comment: str | None = None

    @property
    def ref(self) -> Ref:
        """Its identity."""
        return ref_of(ObjectKind.STATISTICS, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The privileges of one role on one object; read only on demand.

    ``target`` is the object as GRANT names it (``TABLE public.users``). ``privileges`` are the
    sorted keywords, with the column list for column privileges; ``grantable`` those with the grant
    option. Only differences from the server's defaults are recorded; ``revoked`` are removed ones.
    """

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
class Other:
    """An object that dbwarden reads but cannot change; a difference in it is an error."""

    kind: str
    name: QualifiedName
    definition: str = ""

    @property
    def ref(self) -> Ref:
        """Its identity."""
        return ref_of(ObjectKind.OTHER, self.name, self.kind)
