"""A small schema for tests of authoring."""

from dbwarden.schema import Column, Enum, QualifiedName, Schema, Table

USERS = QualifiedName("public", "users")
PEOPLE = QualifiedName("public", "people")


def table(name: QualifiedName, *columns: Column) -> Table:
    return Table(name=name, columns=columns)


ID = Column(name="id", type="integer", not_null=True)
NICK = Column(name="nick", type="text")
CURRENT = Schema(
    tables=(table(USERS, ID, NICK),),
    objects=(Enum(name=QualifiedName("public", "mood"), values=("sad", "ok")),),
)
