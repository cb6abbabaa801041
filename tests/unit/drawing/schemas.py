"""A schema and its next version, with every kind of change that a picture shows."""

from dataclasses import replace

from dbwarden.schema import (
    Check,
    Column,
    ForeignKey,
    Index,
    IndexColumn,
    PartitionOf,
    PrimaryKey,
    QualifiedName,
    Schema,
    Table,
    Unique,
)

ID = Column(name="id", type="integer", not_null=True)
KEY = PrimaryKey(name="pk", columns=("id",))


def named(name: str, namespace: str = "public") -> QualifiedName:
    return QualifiedName(namespace, name)


def link(column: str, target: QualifiedName) -> ForeignKey:
    return ForeignKey(
        name=f"fk_{column}", columns=(column,), references=target, referred_columns=("id",)
    )


USERS = Table(
    name=named("users"),
    columns=(
        ID,
        Column(name="email", type="character varying(200)", not_null=True),
        Column(name="price", type="numeric(10,2)"),
    ),
    primary_key=KEY,
    uniques=(Unique(name="uq", columns=("email",)),),
    comment='who "we" <know>',
)
ORDERS = Table(
    name=named("orders"),
    columns=(
        ID,
        Column(name="user_id", type="integer", not_null=True),
        Column(name="parent_id", type="integer"),
    ),
    primary_key=KEY,
    foreign_keys=(link("user_id", USERS.name), link("parent_id", named("orders"))),
)
PROFILES = Table(
    name=named("profiles", "auth"),
    columns=(Column(name="id", type="integer", not_null=True),),
    primary_key=KEY,
    foreign_keys=(link("id", USERS.name),),
)
OLD = Table(name=named("old"), columns=(ID,))
EVENTS = Table(name=named("events"), columns=(ID,), partition_by="RANGE (id)")
PART = Table(
    name=named("events_1"),
    columns=(ID,),
    partition_of=PartitionOf(parent=EVENTS.name, bound="FOR VALUES FROM (0) TO (9)"),
)
BEFORE = Schema(tables=(EVENTS, PART, OLD, ORDERS, PROFILES, USERS))
AFTER = Schema(
    tables=(
        EVENTS,
        PART,
        replace(ORDERS, foreign_keys=ORDERS.foreign_keys[:1]),
        PROFILES,
        replace(
            USERS,
            columns=(
                ID,
                replace(USERS.columns[1], type="text"),
                Column(name="born", type="timestamp with time zone"),
            ),
            checks=(Check(name="adult", expression="born IS NOT NULL"),),
            indexes=(Index(name="ix", columns=(IndexColumn(column="born"),)),),
            uniques=(),
        ),
        Table(name=named("new"), columns=(ID, Column(name="größe", type="integer"))),
    )
)
