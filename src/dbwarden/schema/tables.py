"""Tables: columns, constraints, indexes, and what else a table is.

Types and expressions are the server's own print. What only one kind of database has is ``None``,
``False`` or ``()`` on the other.
"""

from dataclasses import dataclass, field
from typing import Literal

from dbwarden.schema.names import ObjectKind, QualifiedName, Ref, ref_of
from dbwarden.schema.types import COUNTING_UP, SequenceOptions

Parameters = tuple[tuple[str, str], ...]
"""Storage parameters or options: name and value."""


class InAnyOrder(tuple[tuple[str, str], ...]):
    """Parameters as they were written: written so again, and the same in any other order."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        """Whether *other* has the same, in whatever order."""
        return isinstance(other, tuple) and sorted(self) == sorted(other)

    def __ne__(self, other: object) -> bool:
        """The opposite."""
        return not self == other

    def __hash__(self) -> int:
        """The same for the same in another order."""
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
class Column:
    """One column.

    ``not_null_state`` is empty, ``NOT VALID``, ``NO INHERIT`` or both. ``not_null_name`` is absent
    where the server chose it; names are written but not compared, because PostgreSQL has them since
    18 and a migration must mean the same on all servers.
    ``inherited`` says that the column comes from a parent table and was not declared here.
    ``storage`` and ``compression`` are ``None`` when they are the type's own.
    """

    name: str
    type: str
    collation: str | None = None
    not_null: bool = False
    default: str | None = None
    identity: Identity | None = None
    generated: Generated | None = None
    comment: str | None = None
    statistics: int | None = None
    storage: str | None = None
    compression: str | None = None
    parameters: Parameters = ()
    inherited: bool = False
    not_null_state: str = ""
    not_null_name: str | None = field(default=None, compare=False)


Deferral = Literal["immediate", "deferred"]
"""How a deferrable constraint starts a transaction; ``None`` where it is not deferrable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrimaryKey:
    """A primary key; ``index_comment`` is that of the index behind it.

    It is not ``valid`` on a partitioned table with partitions that have no part of it.
    """

    name: str | None
    columns: tuple[str, ...]
    include: tuple[str, ...] = ()
    deferrable: Deferral | None = None
    without_overlaps: bool = False
    parameters: Parameters = ()
    clustered: bool = False
    valid: bool = True
    comment: str | None = None
    index_comment: str | None = None
    inherited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unique:
    """A unique constraint; ``index_comment`` and ``valid`` are those of the index behind it."""

    name: str | None
    columns: tuple[str, ...]
    include: tuple[str, ...] = ()
    nulls_not_distinct: bool = False
    deferrable: Deferral | None = None
    without_overlaps: bool = False
    parameters: Parameters = ()
    clustered: bool = False
    valid: bool = True
    comment: str | None = None
    index_comment: str | None = None
    inherited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKey:
    """A foreign key; actions and ``match`` in capitals, as SQL has them."""

    name: str | None
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
    comment: str | None = None
    inherited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A check; ``columns`` are those that the server says it reads."""

    name: str | None
    expression: str
    columns: tuple[str, ...] = ()
    no_inherit: bool = False
    enforced: bool = True
    validated: bool = True
    comment: str | None = None
    inherited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """An exclusion constraint; ``definition`` is all that follows its name, deferral apart."""

    name: str
    definition: str
    deferrable: Deferral | None = None
    comment: str | None = None
    index_comment: str | None = None
    inherited: bool = False


Constraint = PrimaryKey | Unique | ForeignKey | Check | Exclusion


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexColumn:
    """One key of an index: a column's name or an expression, never both.

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
class Index:
    """An index that belongs to no constraint; it lives in its table's namespace."""

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
    comment: str | None = None
    inherited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionOf:
    """Of which table this one is a partition, and for which rows (``FOR VALUES ...``)."""

    parent: QualifiedName
    bound: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table.

    ``replica_identity`` is ``"DEFAULT"``, ``"FULL"``, ``"NOTHING"`` or ``"USING INDEX name"``.
    ``strict``, ``without_rowid``, ``autoincrement`` and ``virtual`` (the whole statement of a
    virtual table) are SQLite's.
    """

    name: QualifiedName
    columns: tuple[Column, ...] = ()
    primary_key: PrimaryKey | None = None
    uniques: tuple[Unique, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    checks: tuple[Check, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    indexes: tuple[Index, ...] = ()
    comment: str | None = None
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
    def ref(self) -> Ref:
        """Its identity."""
        return ref_of(ObjectKind.TABLE, self.name)

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """All its constraints, the primary key first."""
        key = (self.primary_key,) if self.primary_key is not None else ()
        return (*key, *self.uniques, *self.checks, *self.exclusions, *self.foreign_keys)

    def column(self, name: str) -> Column | None:
        """The column called *name*, if there is one."""
        return next((column for column in self.columns if column.name == name), None)

    def column_ref(self, name: str) -> Ref:
        """The identity of the column called *name*."""
        return ref_of(ObjectKind.COLUMN, self.name, name)


def constraint_key(constraint: Constraint) -> str:
    """What tells the constraints of one table apart: the name, or what it is about without one."""
    if constraint.name is not None:
        return constraint.name
    match constraint:
        case PrimaryKey():
            return "primary key"
        case Check():
            return f"check {constraint.expression}"
        case ForeignKey():
            return f"foreign key ({', '.join(constraint.columns)}) to {constraint.references}"
        case _:
            return f"unique ({', '.join(constraint.columns)})"
