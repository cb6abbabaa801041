"""Quote names and literals. Pure."""

import re

from dbwarden.schema import QualifiedName, object_name

KEYWORDS = frozenset(
    """
    all analyse analyze and any array as asc asymmetric authorization between bigint binary
    bit boolean both case cast char character check coalesce collate collation column
    concurrently constraint create cross current_catalog current_date current_role
    current_schema current_time current_timestamp current_user dec decimal default deferrable
    desc distinct do else end except exists extract false fetch float for foreign freeze from
    full grant greatest group grouping having ilike in initially inner inout int integer
    intersect interval into is isnull join json json_array json_arrayagg json_exists
    json_object json_objectagg json_query json_scalar json_serialize json_table json_value
    lateral leading least left like limit localtime localtimestamp merge_action national
    natural nchar none normalize not notnull null nullif numeric offset on only or order out
    outer overlaps overlay placing position precision primary real references returning right
    row select session_user setof similar smallint some substring symmetric system_user table
    tablesample then time timestamp to trailing treat trim true union unique user using values
    varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement
    xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable
    """.split()  # noqa: SIM905  # a list of words is easier to read as text
)
"""The words that PostgreSQL 14 to 18 does not accept as a plain name everywhere."""

PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")


def quote(name: str) -> str:
    """Return *name* as an identifier, quoted only if necessary."""
    if PLAIN.fullmatch(name) and name not in KEYWORDS:
        return name
    return '"' + name.replace('"', '""') + '"'


def columns(names: tuple[str, ...]) -> str:
    """Return several column names, separated by commas."""
    return ", ".join(quote(name) for name in names)


def qualified(name: QualifiedName, default_namespace: str | None) -> str:
    """Return *name* with its namespace, unless that is the default one."""
    if name.namespace is None or name.namespace == default_namespace:
        return quote(name.name)
    return f"{quote(name.namespace)}.{quote(name.name)}"


def sequence_of(table: QualifiedName, column: str) -> QualifiedName:
    """Return the name of the sequence for a serial or identity column, unless it is taken."""
    return QualifiedName(table.namespace, object_name(table.name, column, "seq"))


def is_own(namespace: str, default_namespace: str | None) -> bool:
    """Return whether *namespace* is the database's default, which may differ between tenants."""
    return namespace == default_namespace != "public"


def in_namespace(head: str, namespace: str, tail: str, default_namespace: str | None) -> str:
    """Return SQL with the name of *namespace*; the default one is resolved at run time."""
    if not is_own(namespace, default_namespace):
        return f"{head}{quote(namespace)}{tail}"
    text = "%I".join(part.replace("%", "%%") for part in (head, tail))
    return f"DO $$ BEGIN\n    EXECUTE format({literal(text)}, current_schema());\nEND $$"


def literal(text: str) -> str:
    """Return *text* as a string literal."""
    return "'" + text.replace("'", "''") + "'"


def literal_or_null(text: str | None) -> str:
    """Return *text* as a string literal, or ``NULL``, for COMMENT."""
    return "NULL" if text is None else literal(text)
