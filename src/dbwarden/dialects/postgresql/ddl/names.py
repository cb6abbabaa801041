"""Render qualified names. Pure."""

from dbwarden.dialects.postgresql.sql.quoting import quote, text_literal
from dbwarden.schema import QualifiedName, object_name


def columns(names: tuple[str, ...]) -> str:
    """Return several column names, separated by commas."""
    return ", ".join(quote(name) for name in names)


def qualified(name: QualifiedName, default_namespace: str | None = None) -> str:
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
    return f"DO $$ BEGIN\n    EXECUTE format({text_literal(text)}, current_schema());\nEND $$"
