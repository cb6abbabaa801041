"""Name and create the default namespace of a scratch database. Pure."""

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.config.libpq import namespace_of
from dbwarden.quoting import quoted


def default_namespace(config: DatabaseConfig) -> str:
    """Return the default namespace: the first one of the URL's search_path."""
    return namespace_of(config.url) if config.url is not None else "public"


def make_namespace(name: str) -> str:
    """Return the SQL that creates a namespace if it does not exist."""
    return f"CREATE SCHEMA IF NOT EXISTS {quoted(name)}"
