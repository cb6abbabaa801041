"""Wait until a database answers, for containers that start together."""

import math
import time
from dataclasses import dataclass

import anyio

from dbwarden import telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import AccessDenied, ConnectError, TimedOut
from dbwarden.operations.operation import operation, read_status
from dbwarden.types import DatabaseName

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitResult:
    """The milliseconds and attempts until the database answered."""

    database: DatabaseName
    waited_ms: float
    attempts: int
    server_version: str


@operation("wait")
async def wait(config: DatabaseConfig) -> WaitResult:
    """Connect repeatedly until the database answers, for at most its ``timeout`` seconds.

    Failed authentication raises at once.

    Raises:
        TimedOut: The database did not answer; contains the error of the last attempt.
        AccessDenied: The database refused this user.
    """
    started = time.perf_counter()
    attempts = 0
    last: ConnectError | None = None
    limit = anyio.current_effective_deadline()
    remaining = limit - anyio.current_time()
    # Stop just before the operation itself does, to leave time for the error.
    deadline = limit - 0.02 * remaining if math.isfinite(remaining) else limit
    with anyio.CancelScope(deadline=deadline):
        while True:
            attempts += 1
            try:
                reading = await read_status(config)
            except AccessDenied:
                raise
            except ConnectError as error:
                last = error
                telemetry.emit("waiting", level="debug", attempt=attempts, error=error.message)
            else:
                return WaitResult(
                    database=config.database_name,
                    waited_ms=(time.perf_counter() - started) * 1000,
                    attempts=attempts,
                    server_version=reading.server_version,
                )
            await anyio.sleep(min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempts - 1, 10)))
    raise TimedOut(
        f"no answer within {config.timeout:g} s"
        + (f"; the last of {attempts} attempts failed: {last.message}" if last else ""),
        database=config.database_name,
        next_step="Is the server starting? Wait longer with --timeout SECONDS.",
    )
