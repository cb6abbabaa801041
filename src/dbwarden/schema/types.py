"""Enums, domains, composite types, sequences, namespaces and extensions."""

from dataclasses import dataclass, field

from dbwarden.schema.names import ObjectKind, QualifiedName, Ref, ref_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """A namespace (a PostgreSQL schema)."""

    name: str
    comment: str | None = None

    @property
    def ref(self) -> Ref:
        """Its identity."""
        return Ref(ObjectKind.NAMESPACE, None, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """An extension; ``version`` and ``comment`` are ``None`` when they are the extension's own.

    ``own_comment`` is the extension's own comment: it differs between servers and is not compared.
    """

    name: str
    namespace: str
    version: str | None = None
    comment: str | None = None
    own_comment: str | None = field(default=None, compare=False)

    @property
    def ref(self) -> Ref:
        """Its identity; an extension's name is unique in the database."""
        return Ref(ObjectKind.EXTENSION, None, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enum:
    """An enumerated type; ``values`` in their sort order."""

    name: QualifiedName
    values: tuple[str, ...]
    comment: str | None = None

    @property
    def ref(self) -> Ref:
        """Its identity."""
        return ref_of(ObjectKind.ENUM, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainCheck:
    """A named check of a domain."""

    name: str
    expression: str
    validated: bool = True
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """A domain: a base type with constraints."""

    name: QualifiedName
    type: str
    collation: str | None = None
    not_null: bool = False
    default: str | None = None
    checks: tuple[DomainCheck, ...] = ()
    comment: str | None = None

    @property
    def ref(self) -> Ref:
        """Its identity."""
        return ref_of(ObjectKind.DOMAIN, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute of a composite type."""

    name: str
    type: str
    collation: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeType:
    """A stand-alone composite type."""

    name: QualifiedName
    attributes: tuple[Attribute, ...]
    comment: str | None = None

    @property
    def ref(self) -> Ref:
        """Its identity."""
        return ref_of(ObjectKind.COMPOSITE, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceOptions:
    """The options of a sequence."""

    start: int = 1
    increment: int = 1
    minimum: int = 1
    maximum: int = 9223372036854775807
    cache: int = 1
    cycle: bool = False


COUNTING_UP = SequenceOptions()
"""The options of ``CREATE SEQUENCE`` without any clause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """A sequence; ``owned_by`` is the column it is dropped with."""

    name: QualifiedName
    type: str = "bigint"
    options: SequenceOptions = COUNTING_UP
    owned_by: Ref | None = None
    unlogged: bool = False
    comment: str | None = None

    @property
    def ref(self) -> Ref:
        """Its identity."""
        return ref_of(ObjectKind.SEQUENCE, self.name)
