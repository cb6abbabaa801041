"""The table of object kinds: what dbwarden has to know about each of them. Pure values.

A new kind is a member of :class:`ObjectKind` and a row of :data:`OBJECT_KINDS`, a query in
``dialects/<kind>/catalog`` that reads it, and the SQL of its clauses in ``dialects/<kind>/ddl``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class ObjectKind(StrEnum):
    """The kind of an object; the value is the word used in messages."""

    NAMESPACE = "namespace"
    EXTENSION = "extension"
    ENUM = "enum"
    DOMAIN = "domain"
    COMPOSITE = "composite type"
    SEQUENCE = "sequence"
    TABLE = "table"
    COLUMN = "column"
    DEFAULT = "default"
    CONSTRAINT = "constraint"
    INDEX = "index"
    ROUTINE = "routine"
    AGGREGATE = "aggregate"
    VIEW = "view"
    MATERIALIZED_VIEW = "materialized view"
    STATISTICS = "statistics object"
    RULE = "rule"
    TRIGGER = "trigger"
    POLICY = "policy"
    EVENT_TRIGGER = "event trigger"
    DEFAULT_PRIVILEGES = "default privileges"
    GRANT = "grant"
    RANGE = "range type"
    COLLATION = "collation"
    TEXT_SEARCH_DICTIONARY = "text search dictionary"
    TEXT_SEARCH = "text search configuration"
    CAST = "cast"
    OPERATOR = "operator"
    PUBLICATION = "publication"
    SUBSCRIPTION = "subscription"
    FOREIGN_DATA_WRAPPER = "foreign data wrapper"
    SERVER = "foreign server"
    USER_MAPPING = "user mapping"
    FOREIGN_TABLE = "foreign table"
    OTHER = "other"

    __hash__ = str.__hash__  # Enum's own hash is many times slower


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRow:
    """The properties of one object kind.

    Attributes:
        stage: The place in a file; dependencies take precedence.
        sql: The object in DROP, ALTER and COMMENT ON; by default ``VIEW {name}`` or
            ``TRIGGER {part} ON {name}``. ``{raw_name}`` and ``{raw_part}`` are not quoted.
        create: The same in CREATE, if it differs.
        label: The object in messages.
        in_place: The fields (of a ``PlainObject`` the first words of clauses) that can change in
            place. An object whose other fields change is dropped and created.
        names: The sets of kinds within which names are unique. ALTER can rename such objects.
        grants: The words of ALTER DEFAULT PRIVILEGES and of GRANT, if privileges exist for it.
        on_table: Whether its name is unique within a table or view, with which it is dropped.
        reads_columns: Whether the server refuses to change the type of a column that it reads.
        lists_objects: Whether it lists objects, which leave the list before they are dropped.
        in_models: Whether models declare such objects.
        in_expressions: Whether an expression may use it, and it needs no table.
    """

    stage: int
    sql: str = ""
    create: str = ""
    label: str = ""
    in_place: frozenset[str] = frozenset({"comment"})
    names: tuple[str, ...] = ()
    grants: tuple[str, str] | None = None
    on_table: bool = False
    reads_columns: bool = False
    lists_objects: bool = False
    in_models: bool = False
    in_expressions: bool = False


def _fields(*names: str) -> frozenset[str]:
    return frozenset({*names, "comment"})


_RELATION = ("relation", "type")
_TABLES = ("TABLES", "TABLE")
_TYPES = ("TYPES", "TYPE")
_ROUTINES = ("FUNCTIONS", "ROUTINE")
_IN_TABLE = 20

OBJECT_KINDS: Mapping[ObjectKind, KindRow] = {
    ObjectKind.NAMESPACE: KindRow(
        stage=10, sql="SCHEMA {name}", grants=("SCHEMAS", "SCHEMA"), in_expressions=True
    ),
    ObjectKind.EXTENSION: KindRow(
        stage=11, in_place=_fields("namespace", "version", "own_comment"), in_expressions=True
    ),
    ObjectKind.ENUM: KindRow(
        stage=12,
        sql="TYPE {name}",
        in_place=_fields("values"),
        names=("type",),
        grants=_TYPES,
        in_models=True,
        in_expressions=True,
    ),
    ObjectKind.DOMAIN: KindRow(
        stage=13,
        in_place=_fields("not_null", "default", "checks"),
        names=("type",),
        grants=_TYPES,
        in_expressions=True,
    ),
    ObjectKind.COMPOSITE: KindRow(
        stage=14,
        sql="TYPE {name}",
        in_place=_fields("attributes"),
        names=_RELATION,
        grants=_TYPES,
        in_expressions=True,
    ),
    ObjectKind.SEQUENCE: KindRow(
        stage=15,
        in_place=_fields("type", "options", "owned_by", "unlogged"),
        names=("relation",),
        grants=("SEQUENCES", "SEQUENCE"),
        in_models=True,
    ),
    ObjectKind.TABLE: KindRow(stage=_IN_TABLE, names=_RELATION, grants=_TABLES),
    ObjectKind.COLUMN: KindRow(
        stage=_IN_TABLE, sql="COLUMN {name}.{part}", label="{kind} {name}.{part}"
    ),
    ObjectKind.DEFAULT: KindRow(stage=_IN_TABLE, label="{kind} {name}.{part}"),
    ObjectKind.CONSTRAINT: KindRow(
        stage=_IN_TABLE,
        sql="CONSTRAINT {part} ON {name}",
        in_place=_fields("index_comment", "parameters", "clustered", "inherited"),
    ),
    ObjectKind.INDEX: KindRow(
        stage=_IN_TABLE,
        in_place=_fields("parameters", "clustered", "columns", "inherited"),
        names=("relation",),
    ),
    ObjectKind.ROUTINE: KindRow(
        stage=40,
        sql="FUNCTION {name}({raw_part})",
        label="{kind} {name}({part})",
        in_place=_fields("definition"),
        grants=_ROUTINES,
        reads_columns=True,
        in_expressions=True,
    ),
    ObjectKind.AGGREGATE: KindRow(
        stage=41,
        sql="AGGREGATE {name}({raw_part})",
        label="{kind} {name}({part})",
        grants=_ROUTINES,
        reads_columns=True,
    ),
    ObjectKind.VIEW: KindRow(
        stage=50,
        in_place=_fields("definition", "columns", "parameters"),
        names=_RELATION,
        grants=_TABLES,
        reads_columns=True,
    ),
    ObjectKind.MATERIALIZED_VIEW: KindRow(
        stage=51,
        in_place=_fields("columns", "indexes", "parameters", "access_method", "populated"),
        names=_RELATION,
        grants=_TABLES,
        reads_columns=True,
    ),
    ObjectKind.STATISTICS: KindRow(stage=60, sql="STATISTICS {name}", in_place=_fields("target")),
    ObjectKind.RULE: KindRow(
        stage=61, in_place=_fields("definition", "enabled"), on_table=True, reads_columns=True
    ),
    ObjectKind.TRIGGER: KindRow(
        stage=62, in_place=_fields("enabled"), on_table=True, reads_columns=True
    ),
    ObjectKind.POLICY: KindRow(
        stage=63, in_place=_fields("roles", "using", "check"), on_table=True, reads_columns=True
    ),
    ObjectKind.EVENT_TRIGGER: KindRow(stage=64, in_place=_fields("enabled")),
    ObjectKind.DEFAULT_PRIVILEGES: KindRow(
        stage=65,
        label="{kind} on {part}{within}",
        in_place=frozenset({"privileges", "grantable", "revoked"}),
    ),
    ObjectKind.GRANT: KindRow(
        stage=66,
        label="grant to {part} on {name}",
        in_place=frozenset({"on", "target", "privileges", "grantable", "revoked"}),
    ),
    ObjectKind.RANGE: KindRow(
        stage=16, sql="TYPE {name}", names=("type",), grants=_TYPES, in_expressions=True
    ),
    ObjectKind.COLLATION: KindRow(stage=12, in_expressions=True),
    ObjectKind.TEXT_SEARCH_DICTIONARY: KindRow(stage=17, in_expressions=True),
    ObjectKind.TEXT_SEARCH: KindRow(
        stage=18,
        in_place=_fields("mapping"),
        in_expressions=True,
    ),
    ObjectKind.CAST: KindRow(stage=43, sql="CAST ({raw_name})", in_expressions=True),
    ObjectKind.OPERATOR: KindRow(
        stage=42,
        sql="OPERATOR {raw_name} ({raw_part})",
        create="OPERATOR {raw_name}",
        label="{kind} {name}({part})",
        in_expressions=True,
    ),
    ObjectKind.PUBLICATION: KindRow(
        stage=68,
        in_place=_fields("table", "schema", "option"),
        reads_columns=True,
        lists_objects=True,
    ),
    ObjectKind.SUBSCRIPTION: KindRow(
        stage=69, in_place=_fields("publications", "option"), names=("subscription",)
    ),
    ObjectKind.FOREIGN_DATA_WRAPPER: KindRow(stage=44),
    ObjectKind.SERVER: KindRow(
        stage=45, sql="SERVER {name}", in_place=_fields("version", "option")
    ),
    ObjectKind.USER_MAPPING: KindRow(stage=46, sql="USER MAPPING FOR {part} SERVER {name}"),
    ObjectKind.FOREIGN_TABLE: KindRow(
        stage=52, names=_RELATION, grants=_TABLES, reads_columns=True
    ),
    ObjectKind.OTHER: KindRow(stage=67, label="{part} {name}", in_place=frozenset({"definition"})),
}

RELATIONS = frozenset(kind for kind, row in OBJECT_KINDS.items() if row.grants == _TABLES)
"""The kinds with columns."""
ROUTINES = frozenset(kind for kind, row in OBJECT_KINDS.items() if row.grants == _ROUTINES)
"""The kinds that expressions can call."""
ON_TABLES = frozenset(kind for kind, row in OBJECT_KINDS.items() if row.on_table)
"""The kinds whose names are unique within a table or view."""
