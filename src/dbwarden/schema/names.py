"""Names and identities of database objects. Pure values."""

from collections.abc import Container
from dataclasses import dataclass, replace

from dbwarden.schema.kinds import OBJECT_KINDS, ObjectKind
from dbwarden.types import LONGEST_NAME


@dataclass(frozen=True, slots=True, order=True)
class QualifiedName:
    """A name and its namespace; ``None`` for database kinds without namespaces."""

    namespace: str | None
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}.{self.name}" if self.namespace is not None else self.name

    def label(self, default_namespace: str | None, part: str | None = None) -> str:
        """Return it without the default namespace, and with its *part*: ``users.email``."""
        plain = self.namespace in (None, default_namespace)
        whole = self.name if plain else str(self)
        return whole if part is None else f"{whole}.{part}"


@dataclass(frozen=True, slots=True)
class Ref:
    """The identity of one object in a schema.

    ``part`` names a part of a table (a column, constraint, trigger ...) or holds the argument
    types of a routine.
    """

    kind: ObjectKind
    namespace: str | None
    name: str
    part: str | None = None

    @property
    def table(self) -> QualifiedName:
        """The table or view that this part belongs to, or the object's own qualified name."""
        return QualifiedName(self.namespace, self.name)

    @property
    def sort_key(self) -> tuple[str, str, str, str]:
        """The key of a total order by name."""
        return (self.kind, self.namespace or "", self.name, self.part or "")

    def within(self, table: QualifiedName) -> "Ref":
        """Return the same part of another table."""
        return replace(self, namespace=table.namespace, name=table.name)

    def __str__(self) -> str:
        usual = "{kind} {name}" if self.part is None else "{kind} {part} on {name}"
        label = OBJECT_KINDS[self.kind].label or usual
        within = f" in {self.name}" if self.name else ""
        part = self.part or ""
        return label.format(kind=self.kind.value, name=self.table, part=part, within=within)


def free_name(name: str, ending: str, taken: Container[str]) -> str:
    """Return *name* with *ending*, numbered if that is *taken*, cut to the maximum length."""
    number, last = 1, ending
    while True:
        room = name.encode()[: LONGEST_NAME - len(last.encode())].decode(errors="ignore")
        if room + last not in taken:
            return room + last
        number += 1
        last = f"{ending}{number}"


def object_name(table: str, column: str, label: str) -> str:
    """Return the name that PostgreSQL chooses for a part of a table, unless it is taken.

    The longer of the two names is shortened first. *column* and *label* may be empty.
    """
    one, other = table.encode(), column.encode()
    overhead = sum(1 + len(part) for part in (label,) if part) + (1 if column else 0)
    while len(one) + len(other) > LONGEST_NAME - overhead:
        if len(one) > len(other):
            one = one[:-1]
        else:
            other = other[:-1]
    words = (part.decode(errors="ignore") for part in (one, other))
    return "_".join(filter(None, (*words, label)))


def ref_of(kind: ObjectKind, name: QualifiedName, part: str | None = None) -> Ref:
    """Return the identity of the object of this *kind* and *name*."""
    return Ref(kind, name.namespace, name.name, part)
