"""Looking at databases while serving: once for all who ask at the same time, and remembered."""

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
from dbwarden.engines import Engines
from dbwarden.errors import DBWardenError, TimedOut
from dbwarden.fastapi.tracing import span
from dbwarden.files.migration import Migration
from dbwarden.ledger import Reading
from dbwarden.operations.health import DatabaseHealth, diagnose, unwell
from dbwarden.operations.replicas import look_beside
from dbwarden.operations.status import StatusResult, describe
from dbwarden.operations.target import look, migration_files
from dbwarden.planning import compare
from dbwarden.secrets import clean_cause, describe_error

REMEMBERED = 120
"""How many latencies of a database are kept for the page's chart."""

Signature = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What one look at a database told: its status, or why there is none.

    ``at`` is ``time.monotonic()`` at its end, ``duration_ms`` milliseconds; ``applied_ms`` is how
    long the newest migration took, in milliseconds.
    """

    config: DatabaseConfig
    status: StatusResult | None
    error: DBWardenError | None
    at: float
    duration_ms: float
    applied_ms: float | None = None

    @property
    def replica(self) -> Mapping[str, Any] | None:
        """What is known of a replica beside its primary, as JSON; ``None`` for what is none."""
        found = self.status.replica if self.status is not None else None
        return None if found is None else asdict(found)

    @property
    def health(self) -> DatabaseHealth:
        """The health that the endpoint tells."""
        if self.status is not None:
            return diagnose(self.status)
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
    _files: dict[Path, tuple[Signature, tuple[Migration, ...]]] = field(default_factory=dict)

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
                reading, replica = await look_beside(config, task.primary, task.read, limit=limit)
                status = describe(config, compare(files, reading.rows), reading, replica)
                return _probe(config, status, reading, started)
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
        before, self.last[name] = self.last.get(name), probe
        points = self.latencies.setdefault(name, deque(maxlen=REMEMBERED))
        answered = probe.duration_ms if probe.status is not None else None
        points.append(Latency(at=time.time(), ms=answered))
        if before is None or before.health != probe.health:
            _log(probe)

    async def files(self, config: DatabaseConfig) -> tuple[Migration, ...]:
        """The migration files of *config*, read again only when one of them has changed."""
        folder = config.migrations_dir
        signature = await anyio.to_thread.run_sync(signature_of, folder)
        known = self._files.get(folder)
        if known is None or known[0] != signature:
            known = self._files[folder] = (signature, await migration_files(config))
        return known[1]


@dataclass(frozen=True, slots=True)
class _Task:
    """What is to be looked at, and through what."""

    config: DatabaseConfig
    primary: DatabaseConfig | None
    engines: Engines
    limit: float | None

    async def read(self, config: DatabaseConfig) -> Reading:
        """Through the engine that serves; a fleet too large for it is looked at by the way."""
        if self.engines.ready(config) is not None or self.engines.has_room:
            return await self.engines.read(config)
        return await look(config)


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


def _probe(config: DatabaseConfig, status: StatusResult, reading: Reading, started: float) -> Probe:
    rows = [row for row in reading.rows or () if row.live and row.duration_ms is not None]
    newest = max(rows, key=lambda row: row.started_at, default=None)
    now = time.monotonic()
    return Probe(
        config=config,
        status=status,
        error=None,
        at=now,
        duration_ms=(now - started) * 1000,
        applied_ms=newest.duration_ms if newest is not None else None,
    )


def _log(probe: Probe) -> None:
    """Say in the log that a database's health has changed, with what the endpoint keeps quiet."""
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
