"""What runs in a Dask worker: lots, each as one task, and calls that keep or stop them."""

import json
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import uuid4

import anyio
import anyio.to_thread

from dbwarden.fleet.documents import Json
from dbwarden.fleet.running import OutcomeState, Stop
from dbwarden.fleet.workers.projects import describe_worker
from dbwarden.fleet.workers.running_lots import run_lot

TOPIC = "dbwarden"
"""The topic of all messages; the scheduler keeps a limited number of each topic."""

LEASE = 60.0
"""Seconds without a sign of the run, after which its lots stop."""

_FLUSH = 0.05
"""Seconds for which messages are collected."""

_LOOK = 0.1
"""Seconds between two looks at the reasons to stop."""

_ALIVE = ("running", "paused")
_CUT_SHORT = (OutcomeState.INTERRUPTED, OutcomeState.NOT_STARTED)
WORKER_ENDS = "the Dask worker ended"
_TOKEN = uuid4().hex
"""Distinguishes this process from a later one at the same address."""


@dataclass(slots=True)
class _Session:
    """A run, as this worker knows it."""

    reason: str | None = None
    seen_at: float = field(default_factory=time.monotonic)
    lots: set[str] = field(default_factory=set)


_sessions: dict[str, _Session] = {}


async def join(session: str, project: str) -> Json:
    """Return the facts of this worker for a run."""
    _keep(session)
    return {**await anyio.to_thread.run_sync(describe_worker, project), "token": _TOKEN}


def keep(session: str, reason: str | None = None) -> None:
    """Note a sign of a run; with a *reason*, stop its lots."""
    state = _keep(session)
    state.reason = state.reason or reason


def _keep(session: str) -> _Session:
    now = time.monotonic()
    for name, other in tuple(_sessions.items()):
        if now - other.seen_at > 10 * LEASE:
            del _sessions[name]
    state = _sessions.setdefault(session, _Session())
    state.seen_at = now
    return state


def run_order(order: Json, session: str, lot: str, token: str) -> None:
    """Run a lot, and send its messages to the run under the name *lot*."""
    from distributed import get_worker

    worker = get_worker()
    state = _keep(session)
    if token != _TOKEN or lot in state.lots:
        # The scheduler repeats the task of a worker that is gone. The run decides about that.
        _send(worker, session, lot, [], end="lost")
        return
    state.lots.add(lot)
    anyio.run(_run, order, state, partial(_send, worker, session, lot), worker)


def _send(worker: Any, session: str, lot: str, messages: list[Json], *, end: str | None) -> None:
    """Send *messages*; *end* is ``done``, or ``lost`` if another worker has to take the rest."""
    text = json.dumps(messages, default=str)
    worker.log_event(TOPIC, {"session": session, "lot": lot, "messages": text, "end": end})


async def _run(order: Json, session: _Session, send: Any, worker: Any) -> None:
    messages: list[Json] = []
    stop = Stop()

    def receive(message: Json) -> None:
        state = message.get("outcome", {}).get("state")
        if stop.reason == WORKER_ENDS and state in _CUT_SHORT:
            return  # another worker can still do this database
        messages.append(message)

    async def flush() -> None:
        while True:
            await anyio.sleep(_FLUSH)
            if messages:
                send(messages, end=None)
                messages.clear()

    async with anyio.create_task_group() as group:
        group.start_soon(flush)
        group.start_soon(_watch, session, worker, stop)
        try:
            await run_lot(order, receive, stop)
        finally:
            send(messages, end="lost" if stop.reason == WORKER_ENDS else "done")
        group.cancel_scope.cancel()


async def _watch(session: _Session, worker: Any, stop: Stop) -> None:
    """Stop the lot when the run says so, when it is gone, or when this worker ends."""
    while (reason := _reason_to_stop(session, worker)) is None:  # noqa: ASYNC110  # three sources
        await anyio.sleep(_LOOK)
    stop.reason = reason
    stop.event.set()


def _reason_to_stop(session: _Session, worker: Any) -> str | None:
    if session.reason is not None:
        return session.reason
    if worker.status.name not in _ALIVE:
        return WORKER_ENDS
    if time.monotonic() - session.seen_at > LEASE:
        return "the Dask worker heard nothing of the run any more"
    return None
