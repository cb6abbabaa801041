"""Read and record the fingerprint of the schema over the connection that holds the lock."""

from dbwarden import telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.config.libpq import namespace_of
from dbwarden.dialects.postgresql.migrate import history_rows
from dbwarden.dialects.postgresql.migrate.batching import milliseconds
from dbwarden.dialects.postgresql.migrate.fingerprint_query import (
    FingerprintOptions,
    fingerprint_sql,
)
from dbwarden.dialects.postgresql.migrate.history_queries import LedgerAddress
from dbwarden.dialects.postgresql.migrate.session import ServerRefused, Session
from dbwarden.migration_history import LedgerRow, backfill_table

UPGRADE_WAIT = 1.0
"""Seconds to wait for readers of the ledger before columns are added to it."""


class Fingerprints:
    """The fingerprints of one database, in its ledger.

    ``stored`` is true if the ledger has the columns for them, ``None`` if that is not known.
    """

    def __init__(self, session: Session, address: LedgerAddress, config: DatabaseConfig) -> None:
        """Store the arguments."""
        self.stored: bool | None = None
        self._session = session
        self._table = address.lookup_name
        self._config = config
        self._refused = False
        self._options: FingerprintOptions | None = None

    @property
    def expression(self) -> str | None:
        """The SQL expression for the fingerprint; ``None`` if there is none for this database."""
        if self._config.ignore_drift or self._refused:
            return None
        self._options = self._options or options_of(self._config)
        return fingerprint_sql(self._table, self._options, self._session.server_version)

    def refuse(self, refused: ServerRefused) -> None:
        """Do without fingerprints, because the server refused to read the catalogs."""
        self._refused = True
        telemetry.emit("fingerprint_refused", level="debug", error=refused.message)

    async def record_sql(self) -> str | None:
        """Return the statement that records the fingerprint, after adding its columns if needed."""
        expression = self.expression
        if expression is None or not await self._prepare():
            return None
        return history_rows.record_fingerprint_sql(self._table, expression)

    async def _prepare(self) -> bool:
        """Add the columns to a ledger of an earlier version; return whether they exist."""
        if self.stored:
            return True
        wait = milliseconds(self._config.lock_timeout or UPGRADE_WAIT)
        add = history_rows.add_fingerprints_sql(self._table)
        try:
            await self._session.send(f"BEGIN;SET LOCAL lock_timeout={wait};{add};COMMIT")
        except ServerRefused as refused:
            await self._session.send("ROLLBACK")
            self.refuse(refused)
            return False
        self.stored = True
        return True

    async def record(self) -> None:
        """Record the fingerprint. A refusal is reported, and changes nothing else."""
        if (sql := await self.record_sql()) is None:
            return
        try:
            await self._session.send(sql)
        except ServerRefused as refused:
            self.refuse(refused)

    async def record_change(self, row: LedgerRow, fingerprint: str) -> None:
        """Record that the schema has changed since the fingerprint of *row*."""
        await self._session.send(history_rows.record_change_sql(self._table, row, fingerprint))


def options_of(config: DatabaseConfig) -> FingerprintOptions:
    """Return what the fingerprints of a database cover."""
    shared = config.project is not None and any(config.project.foreign_namespaces(config))
    return FingerprintOptions(
        namespace=namespace_of(config.url) if shared and config.url is not None else None,
        partitions=config.partitions == "all",
        privileges=config.compare_privileges,
        tables=(config.ledger_table, backfill_table(config.ledger_table)),
    )
