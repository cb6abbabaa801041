"""Probes of databases while serving: shared by requests that ask at the same time, remembered."""

import contextlib
import os
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from dbwarden import telemetry
from dbwarden.config.model import DatabaseConfig
from dbwarden.engines import Engines, Served
from dbwarden.errors import (
    DBWardenError,
    MigrationFileError,
    PoolExhausted,
    TimedOut,
    TooManyConnections,
)
from dbwarden.fastapi.tracing import span
from dbwarden.files.migration import Migration
from dbwarden.history import Reading
from dbwarden.operations.health import DatabaseHealth, diagnose, unwell
from dbwarden.operations.operation import migration_files, read_status
from dbwarden.operations.replicas import read_with_primary
from dbwarden.operations.status import StatusResult, describe
from dbwarden.planning import compare
from dbwarden.secrets import clean_cause, describe_error
from dbwarden.types import DatabaseName

REMEMBERED = 120
"""How many latencies of a database are kept for the page's chart."""
DATABASES_REMEMBERED = 2000
"""Of how many databases the last probe is kept; tenants can be more."""
PER_SERVER = 32
"""How many databases of one server are probed at the same time, for all requests together."""
TENANTS_PER_SERVER = 16
"""The same for tenants. They have slots of their own, so that none of them delays ``/health``."""
WAIT_FOR_POOL = 0.5
"""Part of the time limit that a probe waits for a connection of a full pool."""

Signature = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What one probe of a database returned: its status, or why there is none.

    ``at`` is ``time.monotonic()`` at its end, ``duration_ms`` milliseconds; ``applied_ms`` is how
    long the newest migration took, in milliseconds. ``pool_full`` says that the probe found no
    connection in the application's pool.
    """

    config: DatabaseConfig
    status: StatusResult | None
    error: DBWardenError | None
    at: float
    duration_ms: float
    applied_ms: float | None = None
    pool_full: bool = False

    @property
    def replica(self) -> Mapping[str, Any] | None:
        """What is known of a replica beside its primary, as JSON; ``None`` for what is none."""
        found = self.status.replica if self.status is not None else None
        return None if found is None else asdict(found)

    @property
    def health(self) -> DatabaseHealth:
        """The health that the endpoint reports."""
        if self.status is not None:
            return diagnose(self.status, pool_full=self.pool_full)
        assert self.error is not None
        return unwell(self.config.database_name, self.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """One point of the chart: seconds since the epoch, milliseconds (``None`` for a failure)."""

    at: float
    ms: float | None


@dataclass(slots=True, kw_only=True)
class Probes:
    """The last look at each database of one event loop."""

    last: dict[str, Probe] = field(default_factory=dict)
    latencies: dict[str, deque[Latency]] = field(default_factory=dict)
    _running: dict[str, anyio.Event] = field(default_factory=dict)
    _files: dict[tuple[Path, DatabaseName], "_Files"] = field(default_factory=dict)
    _reading: dict[tuple[Path, DatabaseName], "_FilesReading"] = field(default_factory=dict)
    _slots: dict[tuple[str, bool], anyio.CapacityLimiter] = field(default_factory=dict)

    def slot(self, config: DatabaseConfig) -> anyio.CapacityLimiter:
        """Return what limits how many databases of this server are probed at the same time."""
        tenant = config.migrations_name is not None
        key = (config.server, tenant)
        if config.database_type == "sqlite":  # its files share the threads, and no server
            key = ("sqlite", tenant)
        found = self._slots.get(key)
        if found is None:
            many = TENANTS_PER_SERVER if tenant else PER_SERVER
            found = self._slots[key] = anyio.CapacityLimiter(many)
        return found

    async def look(
        self,
        config: DatabaseConfig,
        engines: Engines,
        *,
        ttl: float,
        limit: float | None,
        primary: DatabaseConfig | None = None,
    ) -> Probe:
        """The health of one database, at most *ttl* seconds old.

        Whoever asks while a look is under way waits for that one.

        Args:
            config: The database.
            engines: Those that serve; one that is open is used, so that it is the one looked at.
            ttl: Seconds for which a look counts.
            limit: Seconds that a look may take.
            primary: The database of which it is a replica; looked at by the way.
        """
        name = config.database_name
        while True:
            known = self.last.get(name)
            if known is not None and known.config == config and time.monotonic() - known.at < ttl:
                return known
            if (running := self._running.get(name)) is not None:
                await running.wait()
                # A look that began before this one was asked for is fresh enough, whatever ttl.
                known = self.last.get(name)
                if known is not None and known.config == config:
                    return known
                continue
            return await self._lead(_Task(config, primary, engines, limit))

    async def _lead(self, task: "_Task") -> Probe:
        name = task.config.database_name
        ended = self._running[name] = anyio.Event()
        try:
            with telemetry.run(), span("health", database=name):
                probe = await self._look(task)
            self._remember(probe)
            return probe
        finally:
            del self._running[name]
            ended.set()

    async def _look(self, task: "_Task") -> Probe:
        config, limit = task.config, task.limit
        started = time.monotonic()
        error: DBWardenError | None = None
        with telemetry.bound(database=config.database_name), anyio.move_on_after(limit) as scope:
            try:
                files = await self.files(config)
                reading, replica = await read_with_primary(
                    config, task.primary, task.read, limit=limit
                )
                status = describe(config, compare(files, reading.rows), reading, replica)
                return _probe(task, status, reading, started)
            except DBWardenError as raised:
                error = raised
            except Exception as raised:
                error = DBWardenError(f"unexpected {describe_error(raised)}")
                error.__cause__ = clean_cause(raised)
        if scope.cancelled_caught:
            error = TimedOut(f"no answer within {limit:g} s", database=config.database_name)
        return Probe(
            config=config,
            status=None,
            error=error,
            at=time.monotonic(),
            duration_ms=(time.monotonic() - started) * 1000,
        )

    def _remember(self, probe: Probe) -> None:
        name = probe.config.database_name
        before, self.last[name] = self.last.pop(name, None), probe
        if len(self.last) > DATABASES_REMEMBERED:
            oldest = next(iter(self.last))
            del self.last[oldest]
            self.latencies.pop(oldest, None)
        points = self.latencies.setdefault(name, deque(maxlen=REMEMBERED))
        answered = probe.duration_ms if probe.status is not None else None
        points.append(Latency(at=time.time(), ms=answered))
        if before is None or before.health != probe.health:
            _log(probe)

    async def files(self, config: DatabaseConfig) -> tuple[Migration, ...]:
        """Return the migration files of *config*, read again only when one of them has changed.

        Callers that ask at the same time share one look at the folder, as tenants do.

        Raises:
            MigrationFileError: A file cannot be read as a migration.
        """
        folder = (config.migrations_dir, config.files_of)
        while (running := self._reading.get(folder)) is not None:
            await running.ended.wait()
            if running.files is not None:
                return running.files.migrations()
        running = self._reading[folder] = _FilesReading()
        try:
            running.files = self._files[folder] = await self._files_now(config)
        finally:
            del self._reading[folder]
            running.ended.set()
        return running.files.migrations()

    async def _files_now(self, config: DatabaseConfig) -> "_Files":
        signature = await anyio.to_thread.run_sync(signature_of, config.migrations_dir)
        known = self._files.get((config.migrations_dir, config.files_of))
        if known is not None and known.signature == signature:
            return known
        try:
            return _Files(signature, await migration_files(config))
        except MigrationFileError as error:
            return _Files(signature, error)


@dataclass(frozen=True, slots=True)
class _Files:
    """The files of a folder as they were last read, or what is wrong with them."""

    signature: Signature
    read: tuple[Migration, ...] | MigrationFileError

    def migrations(self) -> tuple[Migration, ...]:
        if isinstance(self.read, MigrationFileError):
            raise self.read.with_traceback(None)
        return self.read


@dataclass(slots=True)
class _FilesReading:
    """One look at a folder; ``files`` stays ``None`` where it was cancelled."""

    ended: anyio.Event = field(default_factory=anyio.Event)
    files: _Files | None = None


@dataclass(slots=True)
class _Task:
    """What is to be probed, and through what; ``pool_full`` is set by the way."""

    config: DatabaseConfig
    primary: DatabaseConfig | None
    engines: Engines
    limit: float | None
    pool_full: bool = False

    async def read(self, config: DatabaseConfig) -> Reading:
        """Read through the application's engine, or through a connection of the probe's own."""
        served = self.engines.ready(config)
        if served is None:
            if self.engines.may_open_to_probe(config):
                return await self.engines.read(config)
            return await read_status(config)
        if self.limit is None or served.in_memory or not served.pool.is_full:
            return await self.engines.read(config)
        return await self._read_past(served)

    async def _read_past(self, served: Served) -> Reading:
        """Read a database whose pool is full: through the pool, or else past it.

        Without the second connection, a busy application would look like a dead database.
        """
        assert self.limit is not None
        config = served.config
        with anyio.move_on_after(self.limit * WAIT_FOR_POOL), contextlib.suppress(PoolExhausted):
            return await self.engines.read(config)
        full = served.pool.is_full
        try:
            reading = await read_status(config)
        except TooManyConnections as error:
            if full:
                raise PoolExhausted(
                    "all connections of the pool and of the server are in use",
                    database=config.database_name,
                    next_step=error.next_step,
                ) from error
            raise
        if config == self.config:
            self.pool_full = full
        return reading


def signature_of(folder: Path) -> Signature:
    """What tells whether a file in *folder* has changed: names, times and sizes."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                stat = entry.stat()
                found.append((entry.name, stat.st_mtime_ns, stat.st_size))
    except OSError:
        return ()
    return tuple(sorted(found))


def _probe(task: _Task, status: StatusResult, reading: Reading, started: float) -> Probe:
    rows = [row for row in reading.rows or () if row.live and row.duration_ms is not None]
    newest = max(rows, key=lambda row: row.started_at, default=None)
    now = time.monotonic()
    return Probe(
        config=task.config,
        status=status,
        error=None,
        at=now,
        duration_ms=(now - started) * 1000,
        applied_ms=newest.duration_ms if newest is not None else None,
        pool_full=task.pool_full,
    )


def _log(probe: Probe) -> None:
    """Log that a database's health has changed, with the cause that the endpoint hides."""
    health = probe.health
    level: telemetry.Level = "info" if health.status == "ok" else "warning"
    detail = {"error": str(probe.error)} if probe.error is not None else {}
    telemetry.emit(
        "health",
        level=level,
        database=health.database,
        status=health.status,
        pending=health.pending_migrations,
        **detail,
    )
