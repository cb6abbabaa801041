"""Wait until a database answers, as containers that start together need it."""

import math
import time
from dataclasses import dataclass

import anyio

from dbwarden import telemetry
from dbwarden.config.model import DatabaseConfig
from dbwarden.errors import AccessDenied, ConnectError, TimedOut
from dbwarden.operations.operation import look, operation
from dbwarden.types import DatabaseName

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitResult:
    """How long it took until the database answered: milliseconds and attempts."""

    database: DatabaseName
    waited_ms: float
    attempts: int
    server_version: str


@operation("wait")
async def wait(config: DatabaseConfig) -> WaitResult:
    """Try to connect until it works, for at most the database's ``timeout`` seconds.

    A refused password is not waited for: time does not mend it.

    Raises:
        TimedOut: It never answered; says what the last attempt met.
        AccessDenied: It answers, but not to this user.
    """
    started = time.perf_counter()
    attempts = 0
    last: ConnectError | None = None
    with anyio.CancelScope(deadline=last_moment(started_at=anyio.current_time())):
        while True:
            attempts += 1
            try:
                reading = await look(config)
            except AccessDenied:
                raise
            except ConnectError as error:
                last = error
                telemetry.emit("waiting", level="debug", attempt=attempts, error=error.message)
            else:
                waited_ms = (time.perf_counter() - started) * 1000
                return WaitResult(
                    database=config.database_name,
                    waited_ms=waited_ms,
                    attempts=attempts,
                    server_version=reading.server_version,
                )
            await anyio.sleep(pause_after(attempts))
    raise TimedOut(
        f"no answer within {config.timeout:g} s"
        + (f"; the last of {attempts} attempts met: {last.message}" if last else ""),
        database=config.database_name,
        next_step="Is the server starting? Wait longer with --timeout SECONDS.",
    )


def last_moment(*, started_at: float) -> float:
    """Just before the operation's own time limit, so that there is time to say what was met."""
    limit: float = anyio.current_effective_deadline()
    remaining = limit - started_at
    return limit - (0.02 * remaining if math.isfinite(remaining) else 0.0)


def pause_after(attempts: int) -> float:
    """Seconds until the next attempt: doubling, up to two."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempts - 1, 10))
