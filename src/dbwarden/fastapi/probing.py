"""Probe databases while serving, cache the results and share them between concurrent requests."""

import contextlib
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import anyio
import anyio.to_thread

from dbwarden import telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.config.urls import url_class
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
from dbwarden.migration_history import DatabaseStatus, LedgerRow
from dbwarden.operations.health import DatabaseHealth, diagnose, unwell
from dbwarden.operations.operation import migration_files, read_status
from dbwarden.operations.replicas import read_with_primary
from dbwarden.operations.status import judge_reading
from dbwarden.planning.status_result import StatusResult
from dbwarden.secrets import clean_cause, describe_error
from dbwarden.types import DatabaseName

REMEMBERED = 120
"""Maximum number of latencies of a database that are kept for the page's chart."""
DATABASES_REMEMBERED = 2000
"""Maximum number of databases whose last probe is kept; there may be more tenants."""
PER_SERVER = 32
"""Maximum number of databases of one server that are probed concurrently, for all requests."""
TENANTS_PER_SERVER = 16
"""The same limit for tenants. Their slots are separate, so that they do not delay ``/health``."""
WAIT_FOR_POOL = 0.5
"""Fraction of the time limit for which a probe waits for a connection of a full pool."""

K = TypeVar("K")
T = TypeVar("T")
Signature = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """The result of probing a database: its status or an error.

    ``at`` is ``time.monotonic()`` at the end. ``applied_ms`` is the duration of the newest
    migration in milliseconds. ``pool_full`` means that the application's pool had no free
    connection.
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
        """The status of a replica compared with its primary, as JSON; ``None`` if not a replica."""
        replica = self.status.replica if self.status is not None else None
        return None if replica is None else asdict(replica)

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
    """The last probe of each database in one event loop."""

    last: dict[str, ProbeResult] = field(default_factory=dict)
    latencies: dict[str, deque[Latency]] = field(default_factory=dict)
    _running: "dict[str, _Run[ProbeResult]]" = field(default_factory=dict)
    _files: dict[tuple[Path, DatabaseName], "_Files"] = field(default_factory=dict)
    _reading: dict[tuple[Path, DatabaseName], "_Run[_Files]"] = field(default_factory=dict)
    _slots: dict[tuple[str, bool], anyio.CapacityLimiter] = field(default_factory=dict)

    def slot(self, config: DatabaseConfig) -> anyio.CapacityLimiter:
        """Return the limiter of concurrent probes on the server of *config*."""
        is_tenant = config.migrations_name is not None
        # Files share threads instead of a server.
        key = (config.server if url_class(config.database_type).has_server else "", is_tenant)
        limiter = self._slots.get(key)
        if limiter is None:
            tokens = TENANTS_PER_SERVER if is_tenant else PER_SERVER
            limiter = self._slots[key] = anyio.CapacityLimiter(tokens)
        return limiter

    async def probe(
        self,
        config: DatabaseConfig,
        engines: Engines,
        *,
        ttl: float,
        limit: float | None,
        primary: DatabaseConfig | None = None,
    ) -> ProbeResult:
        """Return a probe of one database that is at most *ttl* seconds old.

        Concurrent callers share a running probe.

        Args:
            config: The database.
            engines: The application's engines; an open one is used, so that the probe tests it.
            ttl: Seconds for which a probe is reused.
            limit: Time limit in seconds.
            primary: The primary of a replica, which is read too.
        """
        name, task = config.database_name, _Task(config, primary, engines, limit)
        while True:
            known = self.last.get(name)
            if known is not None and known.config == config and time.monotonic() - known.at < ttl:
                return known
            # A probe that just ended is recent enough for any ttl.
            probe = await _share(self._running, name, lambda: self._run_logged(task))
            if probe.config == config:
                return probe

    async def _run_logged(self, task: "_Task") -> ProbeResult:
        with telemetry.run(), span("health", database=task.config.database_name):
            probe = await self._run(task)
        self._remember(probe)
        return probe

    async def _run(self, task: "_Task") -> ProbeResult:
        config, limit = task.config, task.limit
        started = time.monotonic()
        status: StatusResult | None = None
        error: DBWardenError | None = None
        rows: Sequence[LedgerRow] = ()
        with telemetry.bound(database=config.database_name), anyio.move_on_after(limit) as scope:
            try:
                files = await self.files(config)
                reading, replica = await read_with_primary(
                    config, task.primary, task.read, limit=limit
                )
                status, rows = judge_reading(config, files, reading, replica), reading.rows or ()
            except DBWardenError as raised:
                error = raised
            except Exception as raised:
                error = DBWardenError(f"unexpected {describe_error(raised)}")
                error.__cause__ = clean_cause(raised)
        if scope.cancelled_caught:
            error = TimedOut(f"no answer within {limit:g} s", database=config.database_name)
        timed = [row for row in rows if row.live and row.duration_ms is not None]
        newest = max(timed, key=lambda row: row.started_at, default=None)
        now = time.monotonic()
        return ProbeResult(
            config=config,
            status=status,
            error=error,
            at=now,
            duration_ms=(now - started) * 1000,
            applied_ms=newest.duration_ms if newest is not None else None,
            pool_full=task.pool_full,
        )

    def _remember(self, probe: ProbeResult) -> None:
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
        """Return the migration files of *config*; read them again only if one has changed.

        Concurrent callers, such as tenants, share one read of the folder.

        Raises:
            MigrationFileError: A file cannot be read as a migration.
        """
        folder = (config.migrations_dir, config.files_of)
        files = await _share(self._reading, folder, lambda: self._read_files(config))
        self._files[folder] = files
        return files.migrations()

    async def _read_files(self, config: DatabaseConfig) -> "_Files":
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
    """The migrations of a folder as last read, or their error."""

    signature: Signature
    read: tuple[Migration, ...] | MigrationFileError

    def migrations(self) -> tuple[Migration, ...]:
        if isinstance(self.read, MigrationFileError):
            raise self.read.with_traceback(None)
        return self.read


@dataclass(slots=True)
class _Run(Generic[T]):
    """Work that several callers wait for; ``result`` remains ``None`` if it is cancelled."""

    ended: anyio.Event = field(default_factory=anyio.Event)
    result: T | None = None


async def _share(running: dict[K, _Run[T]], key: K, work: Callable[[], Awaitable[T]]) -> T:
    """Return the result of *work*, which concurrent callers with the same *key* share.

    If it fails or its caller is cancelled, one of the others does it again.
    """
    while (run := running.get(key)) is not None:
        await run.ended.wait()
        if run.result is not None:
            return run.result
    run = running[key] = _Run()
    try:
        run.result = await work()
        return run.result
    finally:
        del running[key]
        run.ended.set()


@dataclass(slots=True)
class _Task:
    """The databases and engines of one probe; reading sets ``pool_full``."""

    config: DatabaseConfig
    primary: DatabaseConfig | None
    engines: Engines
    limit: float | None
    pool_full: bool = False

    async def read(self, config: DatabaseConfig) -> DatabaseStatus:
        """Read through the application's engine or a separate connection."""
        served = self.engines.ready(config)
        if served is None:
            if not self.engines.may_open_to_probe(config):
                return await read_status(config)
            async with self.engines.using(config) as opened:
                if self.limit is not None or opened.in_memory:
                    return await self.engines.read(config)
            # A start, which has no limit, leaves the first connection to the first session:
            # SQLAlchemy's takes 15 round trips, this one 3.
            return await read_status(config)
        if self.limit is None or served.in_memory or not served.pool.is_full:
            return await self.engines.read(config)
        return await self._read_busy(served)

    async def _read_busy(self, served: Served) -> DatabaseStatus:
        """Read a database whose pool is full, through the pool or a separate connection.

        Without the separate connection, the database of a busy application would seem unreachable.
        """
        assert self.limit is not None
        config = served.config
        with anyio.move_on_after(self.limit * WAIT_FOR_POOL), contextlib.suppress(PoolExhausted):
            return await self.engines.read(config)
        is_full = served.pool.is_full
        try:
            reading = await read_status(config)
        except TooManyConnections as error:
            if is_full:
                raise PoolExhausted(
                    "all connections of the pool and of the server are in use",
                    database=config.database_name,
                    next_step=error.next_step,
                ) from error
            raise
        if config == self.config:
            self.pool_full = is_full
        return reading


def signature_of(folder: Path) -> Signature:
    """Return names, times and sizes of the files in *folder*, to detect changes."""
    files = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                stat = entry.stat()
                files.append((entry.name, stat.st_mtime_ns, stat.st_size))
    except OSError:
        return ()
    return tuple(sorted(files))


def _log(probe: ProbeResult) -> None:
    """Log a change of a database's health with its cause, which the endpoint hides."""
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
