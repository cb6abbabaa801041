"""Enums, domains, composite types, sequences, namespaces and extensions."""

from dataclasses import dataclass, field
from typing import ClassVar

from dbwarden.schema.base import Global, Qualified
from dbwarden.schema.kinds import ObjectKind
from dbwarden.schema.names import Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace(Global):
    """A namespace (a PostgreSQL schema)."""

    kind: ClassVar[ObjectKind] = ObjectKind.NAMESPACE


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension(Global):
    """An extension; ``version`` and ``comment`` are ``None`` when they are the extension's own.

    ``own_comment`` is the extension's own comment: it differs between servers and is not compared.
    """

    kind: ClassVar[ObjectKind] = ObjectKind.EXTENSION
    namespace: str
    version: str | None = None
    own_comment: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enum(Qualified):
    """An enumerated type; ``values`` in their sort order."""

    kind: ClassVar[ObjectKind] = ObjectKind.ENUM
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainCheck:
    """A named check of a domain."""

    name: str
    expression: str
    validated: bool = True
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain(Qualified):
    """A domain: a base type with constraints."""

    kind: ClassVar[ObjectKind] = ObjectKind.DOMAIN
    type: str
    collation: str | None = None
    not_null: bool = False
    default: str | None = None
    checks: tuple[DomainCheck, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute of a composite type."""

    name: str
    type: str
    collation: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeType(Qualified):
    """A stand-alone composite type."""

    kind: ClassVar[ObjectKind] = ObjectKind.COMPOSITE
    attributes: tuple[Attribute, ...]


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
class Sequence(Qualified):
    """A sequence; ``owned_by`` is the column it is dropped with."""

    kind: ClassVar[ObjectKind] = ObjectKind.SEQUENCE
    type: str = "bigint"
    options: SequenceOptions = COUNTING_UP
    owned_by: Ref | None = None
    unlogged: bool = False
