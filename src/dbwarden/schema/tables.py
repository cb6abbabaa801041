"""Tables with their columns, constraints and indexes.

Types and expressions are stored as the server prints them. Properties that only one database kind
has are ``None``, ``False`` or ``()`` on the other.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

from dbwarden.schema.base import Part, Qualified
from dbwarden.schema.kinds import ObjectKind
from dbwarden.schema.names import QualifiedName, Ref, ref_of
from dbwarden.schema.types import COUNTING_UP, SequenceOptions

Parameters = tuple[tuple[str, str], ...]
"""Storage parameters or options: name and value."""


class InAnyOrder(tuple[tuple[str, str], ...]):
    """Parameters that keep their order but compare equal in any order."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        """Return whether *other* has the same parameters in any order."""
        return isinstance(other, tuple) and sorted(self) == sorted(other)

    def __ne__(self, other: object) -> bool:
        """Return the opposite of equality."""
        return not self == other

    def __hash__(self) -> int:
        """Return a hash that ignores the order."""
        return hash(tuple(sorted(self)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """``GENERATED ... AS IDENTITY``; ``sequence`` is the name of the sequence behind it."""

    always: bool
    sequence: QualifiedName | None = None
    options: SequenceOptions = COUNTING_UP


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """``GENERATED ALWAYS AS (expression)``, stored or computed when read."""

    expression: str
    stored: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Column(Part):
    """One column.

    ``not_null_state`` is empty, ``NOT VALID``, ``NO INHERIT`` or both. ``not_null_name`` is
    ``None`` if the server chose it; names are written but not compared, because only PostgreSQL 18
    and newer have them and a migration must mean the same on all servers.
    ``inherited`` is true for a column that comes from a parent table and was not declared here.
    ``storage`` and ``compression`` are ``None`` when they are the type's own.
    """

    kind: ClassVar[ObjectKind] = ObjectKind.COLUMN
    name: str
    type: str
    collation: str | None = None
    not_null: bool = False
    default: str | None = None
    identity: Identity | None = None
    generated: Generated | None = None
    statistics: int | None = None
    storage: str | None = None
    compression: str | None = None
    parameters: Parameters = ()
    not_null_state: str = ""
    not_null_name: str | None = field(default=None, compare=False)


Deferral = Literal["immediate", "deferred"]
"""The initial mode of a deferrable constraint; ``None`` if it is not deferrable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key(Part):
    """A primary key or unique constraint; ``index_comment`` and ``valid`` describe its index.

    It is not ``valid`` on a partitioned table if a partition lacks its part of the key.
    """

    kind: ClassVar[ObjectKind] = ObjectKind.CONSTRAINT
    columns: tuple[str, ...]
    include: tuple[str, ...] = ()
    deferrable: Deferral | None = None
    without_overlaps: bool = False
    parameters: Parameters = ()
    clustered: bool = False
    valid: bool = True
    index_comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrimaryKey(Key):
    """A primary key."""

    @property
    def unnamed(self) -> str:
        """What it is, in place of a missing name."""
        return "primary key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unique(Key):
    """A unique constraint."""

    nulls_not_distinct: bool = False

    @property
    def unnamed(self) -> str:
        """What it is, in place of a missing name."""
        return f"unique ({', '.join(self.columns)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKey(Part):
    """A foreign key; actions and ``match`` are SQL keywords in capitals."""

    kind: ClassVar[ObjectKind] = ObjectKind.CONSTRAINT
    columns: tuple[str, ...]
    references: QualifiedName
    referred_columns: tuple[str, ...]
    on_update: str = "NO ACTION"
    on_delete: str = "NO ACTION"
    on_delete_columns: tuple[str, ...] = ()
    match: str = "SIMPLE"
    deferrable: Deferral | None = None
    period: bool = False
    enforced: bool = True
    validated: bool = True

    @property
    def unnamed(self) -> str:
        """What it is, in place of a missing name."""
        return f"foreign key ({', '.join(self.columns)}) to {self.references}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Part):
    """A check constraint; ``columns`` are those it reads, as reported by the server."""

    kind: ClassVar[ObjectKind] = ObjectKind.CONSTRAINT
    expression: str
    columns: tuple[str, ...] = ()
    no_inherit: bool = False
    enforced: bool = True
    validated: bool = True

    @property
    def unnamed(self) -> str:
        """What it is, in place of a missing name."""
        return f"check {self.expression}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion(Part):
    """An exclusion constraint; ``definition`` is the text after its name, without the deferral."""

    kind: ClassVar[ObjectKind] = ObjectKind.CONSTRAINT
    name: str
    definition: str
    deferrable: Deferral | None = None
    index_comment: str | None = None


Constraint = PrimaryKey | Unique | ForeignKey | Check | Exclusion


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexColumn:
    """One key of an index: either a column name or an expression.

    ``operator_class`` (with its parameters) and ``collation`` are ``None`` when they are the
    type's own. ``statistics`` is the target of an expression.
    """

    column: str | None = None
    expression: str | None = None
    operator_class: str | None = None
    collation: str | None = None
    descending: bool = False
    nulls_first: bool = False
    statistics: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Index(Part):
    """An index that belongs to no constraint; it is in its table's namespace."""

    kind: ClassVar[ObjectKind] = ObjectKind.INDEX
    name: str
    columns: tuple[IndexColumn, ...]
    unique: bool = False
    method: str = "btree"
    include: tuple[str, ...] = ()
    where: str | None = None
    nulls_not_distinct: bool = False
    parameters: Parameters = ()
    clustered: bool = False
    valid: bool = True

    def ref_in(self, table: QualifiedName) -> Ref:
        """Return its identity: it is in the namespace of *table*, whose name is no part of it."""
        return Ref(self.kind, table.namespace, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionOf:
    """The parent of a partition and its bound (``FOR VALUES ...``)."""

    parent: QualifiedName
    bound: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Qualified):
    """One table.

    ``replica_identity`` is ``"DEFAULT"``, ``"FULL"``, ``"NOTHING"`` or ``"USING INDEX name"``.
    ``strict``, ``without_rowid``, ``autoincrement`` and ``virtual`` (the whole statement of a
    virtual table) are SQLite's.
    """

    kind: ClassVar[ObjectKind] = ObjectKind.TABLE
    columns: tuple[Column, ...] = ()
    primary_key: PrimaryKey | None = None
    uniques: tuple[Unique, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    checks: tuple[Check, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    indexes: tuple[Index, ...] = ()
    parameters: Parameters = ()
    unlogged: bool = False
    access_method: str | None = None
    partition_by: str | None = None
    partition_of: PartitionOf | None = None
    inherits: tuple[QualifiedName, ...] = ()
    row_security: bool = False
    force_row_security: bool = False
    replica_identity: str = "DEFAULT"
    strict: bool = False
    without_rowid: bool = False
    autoincrement: bool = False
    virtual: str | None = None

    @property
    def keys(self) -> tuple[PrimaryKey | Unique, ...]:
        """The primary key and the unique constraints."""
        key = (self.primary_key,) if self.primary_key is not None else ()
        return (*key, *self.uniques)

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """All constraints, the primary key first."""
        return (*self.keys, *self.checks, *self.exclusions, *self.foreign_keys)

    @property
    def parents(self) -> tuple[QualifiedName, ...]:
        """The tables that it inherits from or is a partition of."""
        return self.inherits if self.partition_of is None else (self.partition_of.parent,)

    @property
    def replica_index(self) -> str | None:
        """The name of the index that is the replica identity, if one is."""
        return self.replica_identity.partition("USING INDEX ")[2] or None

    @property
    def parts(self) -> tuple[Column | Constraint | Index, ...]:
        """All columns, constraints and indexes."""
        return (*self.columns, *self.constraints, *self.indexes)

    def map_parts(self, change: Callable[[Any], Any]) -> "Table":
        """Return this table with *change* applied to each part; ``None`` removes the part."""

        def each(parts: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(new for new in map(change, parts) if new is not None)

        return replace(
            self,
            columns=each(self.columns),
            primary_key=change(self.primary_key) if self.primary_key is not None else None,
            uniques=each(self.uniques),
            foreign_keys=each(self.foreign_keys),
            checks=each(self.checks),
            exclusions=each(self.exclusions),
            indexes=each(self.indexes),
        )

    def column(self, name: str) -> Column | None:
        """Return the column *name*, or ``None``."""
        return next((column for column in self.columns if column.name == name), None)

    def column_ref(self, name: str) -> Ref:
        """Return the identity of the column *name*."""
        return ref_of(ObjectKind.COLUMN, self.name, name)
