"""Ignore the migration histories of other tools.

Like our own history, they are not part of the schema: ``baseline`` does not write them, no
migration drops them, and they are no drift. They are identified by name and columns. If the models
define such a table, it is a table like any other.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

from dbwarden.authoring.subsets import belongs, without_tables
from dbwarden.schema import Grant, Namespace, Schema, Sequence, Table

LEDGERS: Mapping[str, Collection[str]] = {
    "alembic_version": ("version_num",),
    "django_migrations": ("app", "name", "applied"),
    "flyway_schema_history": ("installed_rank", "script", "checksum"),
    "schema_version": ("installed_rank", "script", "checksum"),  # Flyway before 5
    "databasechangelog": ("id", "author", "filename", "md5sum"),  # Liquibase
    "databasechangeloglock": ("id", "locked", "lockgranted"),
    "atlas_schema_revisions": ("version", "applied", "hash"),
    "schema_migrations": ("version",),  # dbmate, golang-migrate and others
    "goose_db_version": ("version_id", "is_applied"),
    "_sqlx_migrations": ("version", "checksum", "installed_on"),
    "_prisma_migrations": ("migration_name", "checksum", "applied_steps_count"),
    "aerich": ("version", "app", "content"),
}
"""Names of such tables, and columns that they always have."""
OURS = frozenset(("upgrade_checksum", "rollback_checksum", "steps_checksum", "dbwarden_version"))
"""Columns of our own history, which another configuration may keep under any name."""
OUR_BACKFILLS = frozenset(("last_key", "rows_done", "batch_size", "active_ms"))
"""Columns of our own table of backfills, likewise."""


def is_ledger(table: Table) -> bool:
    """Return whether *table* is the migration history of another tool."""
    columns = {column.name.lower() for column in table.columns}
    expected = LEDGERS.get(table.name.name.lower(), OURS)
    ours = columns.issuperset(expected) or columns.issuperset(OUR_BACKFILLS)
    return ours and not table.foreign_keys


def without_ledgers(schema: Schema, own: str | None) -> Schema:
    """Return *schema* without the histories of other tools, and their sequences and grants.

    Also remove *own*, the namespace of our history, if it is empty.
    """
    ledgers = {table.name for table in schema.tables if is_ledger(table)}
    rest = without_tables(schema, ledgers) if ledgers else schema
    inhabited = {table.name.namespace for table in rest.tables} | {
        obj.ref.namespace for obj in rest.objects if not isinstance(obj, Namespace)
    }
    emptied = {*(name.namespace for name in ledgers), own} - inhabited
    return rest.with_objects(
        obj for obj in rest.objects if not (isinstance(obj, Namespace) and obj.name in emptied)
    )


def with_ledgers(current: Schema, desired: Schema, own: str | None) -> Schema:
    """Return *desired* with the histories of other tools in *current*, so that they are kept.

    Also keep *own*, the namespace of our history.
    """
    there = {table.name for table in desired.tables}
    ledgers = {t.name: t for t in current.tables if is_ledger(t) and t.name not in there}
    sequences = [each for each in current.of(Sequence) if belongs(each, ledgers)]
    names = ledgers.keys() | {each.name for each in sequences}
    desired_namespaces = {each.name for each in desired.of(Namespace)}
    homes = {*(name.namespace for name in ledgers), own} - desired_namespaces
    lost = [each for each in current.of(Namespace) if each.name in homes]
    if not ledgers and not lost:
        return desired
    pairs = [pair for pair in current.dependencies if pair[0].table in names]
    grants = [each for each in current.of(Grant) if each.on.table in names]
    return replace(
        desired.with_objects((*desired.objects, *sequences, *lost, *grants)),
        tables=tuple(sorted((*desired.tables, *ledgers.values()), key=lambda each: each.name)),
        dependencies=tuple(dict.fromkeys((*desired.dependencies, *pairs))),
    )
