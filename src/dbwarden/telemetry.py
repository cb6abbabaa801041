"""One event per action on a database: logged, and heard by whoever listens.

Used as a library nothing is configured: events go to ``logging.getLogger("dbwarden")``, or to
``structlog.get_logger("dbwarden")`` where the program has configured structlog. The CLI calls
:func:`configure`. structlog is never imported for a program that doesn't use it: that takes longer
than the rest of a ``status`` together, and a running event loop would stand still meanwhile.
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from dbwarden.errors import DBWardenError
from dbwarden.printable import on_one_line
from dbwarden.secrets import redact

Level = Literal["debug", "info", "warning", "error"]
LEVELS: Mapping[str, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
NOTHING = 100
"""A threshold above every level."""
LogFormat = Literal["console", "json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happened: ``name`` is the event, ``fields`` what is known of it."""

    name: str
    level: Level
    fields: Mapping[str, Any]


Listener = Callable[[Event], None]

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_bound: ContextVar[Mapping[str, Any]] = ContextVar("dbwarden_bound", default=_NOTHING)
_listeners: ContextVar[tuple[Listener, ...]] = ContextVar("dbwarden_listeners", default=())
_ceiling: ContextVar[Level] = ContextVar("dbwarden_ceiling", default="error")
_threshold = 0
_logger: Any = None
_standard = logging.getLogger("dbwarden")


def emit(name: str, /, *, level: Level = "info", **fields: Any) -> None:
    """Tell the log and every listener of this task that *name* happened."""
    level = min(level, _ceiling.get(), key=lambda each: LEVELS[each])
    event = Event(name=name, level=level, fields={**_bound.get(), **fields})
    for listener in _listeners.get():
        listener(event)
    if LEVELS[level] >= _threshold:
        logger = _structlog()
        if logger is not None:
            getattr(logger, level)(name, **event.fields)
        elif _standard.isEnabledFor(LEVELS[level]):
            _tell_standard(event)


def writes() -> bool:
    """Whether the CLI writes events to stderr."""
    return _threshold < NOTHING


def doing(what: str, /) -> None:
    """Tell who watches what begins now: ``reading the models``."""
    emit("doing", level="debug", what=what)


@contextmanager
def bound(**fields: Any) -> Generator[None]:
    """Put *fields* into every event of this task while the block runs, the program's own too."""
    token = _bound.set({**_bound.get(), **fields})
    try:
        if "structlog" in sys.modules:
            import structlog

            with structlog.contextvars.bound_contextvars(**fields):
                yield
        else:
            yield
    finally:
        _bound.reset(token)


@contextmanager
def run() -> Generator[str]:
    """Give all events of the block the same ``run``, that of the block around it if there is one.

    A command, a fleet run, an application's startup or a single operation is one run, whatever the
    number of its databases. The id is yielded.
    """
    known: str | None = _bound.get().get("run")
    if known is not None:
        yield known
        return
    made = os.urandom(4).hex()
    with bound(run=made):
        yield made


@contextmanager
def operation(name: str, /, *, failed: Level = "error", **fields: Any) -> Generator[dict[str, Any]]:
    """Log the start of one operation, and as :func:`step` its end, within a :func:`run`.

    Both events have ``operation``; *fields*, such as the database, are in every event between them.
    """
    with run(), bound(**fields, operation=name):
        emit("started")
        with step(name, failed=failed) as found:
            yield found


@contextmanager
def at_most(level: Level) -> Generator[None]:
    """Lower the level of this task's events to *level*, because an exception reports failures."""
    token = _ceiling.set(level)
    try:
        yield
    finally:
        _ceiling.reset(token)


@contextmanager
def listening(listener: Listener) -> Generator[None]:
    """Call *listener* with every event of this task and those it starts."""
    token = _listeners.set((*_listeners.get(), listener))
    try:
        yield
    finally:
        _listeners.reset(token)


@contextmanager
def step(name: str, /, *, failed: Level = "error", **fields: Any) -> Generator[dict[str, Any]]:
    """Time one action: ``<name>`` with ``outcome`` and ``duration_ms`` when it ends.

    What is put into the yielded dict joins the event. An exception is logged as
    ``outcome="failed"`` with the level *failed* (a cancellation as ``"interrupted"``) and goes on
    its way.
    """
    started = time.perf_counter()
    found: dict[str, Any] = {}
    outcome = "succeeded"
    level: Level = "info"
    try:
        yield found
    except Exception as error:
        outcome, level = "failed", failed
        found["error"] = str(error) if isinstance(error, DBWardenError) else redact(str(error))
        raise
    except BaseException:
        outcome, level = "interrupted", min("warning", failed, key=lambda each: LEVELS[each])
        raise
    finally:
        duration_ms = round((time.perf_counter() - started) * 1000, 3)
        emit(name, level=level, **fields, **found, outcome=outcome, duration_ms=duration_ms)


def configure(log_format: LogFormat | None = None, level: Level | None = None) -> None:
    """Write events to stderr, as lines for a person or as JSON. Only the CLI calls this.

    *log_format* ``None`` means console, *level* ``None`` writes nothing (listeners still hear).
    structlog is not imported before something is written.
    """
    global _threshold, _logger
    _threshold = LEVELS[level] if level else NOTHING
    _logger = None
    _configuration.update(format=log_format or "console", level=level, configured=True)


_configuration: dict[str, Any] = {"configured": False}


def _structlog() -> Any:
    """The logger of the CLI or of a program that has configured structlog, else ``None``."""
    global _logger
    if not _configuration["configured"]:
        # Another thread may be importing it at this moment.
        used = sys.modules.get("structlog")
        is_configured = getattr(used, "is_configured", None)
        return used.get_logger("dbwarden") if used and is_configured and is_configured() else None
    if _logger is None:
        import structlog

        _logger = _own_logger(structlog)
    return _logger


def _tell_standard(event: Event) -> None:
    """A line for people; the record has ``database`` and all fields as ``dbwarden``."""
    words = (f"{key}={_word(value)}" for key, value in event.fields.items())
    _standard.log(
        LEVELS[event.level],
        " ".join((event.name, *words)),
        extra={"database": event.fields.get("database"), "dbwarden": dict(event.fields)},
        stacklevel=3,
    )


def _word(value: object) -> str:
    text = str(value)
    return repr(text) if not text or any(sign in text for sign in " =\n\"'") else text


def _on_one_line(logger: object, method: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Write fields so that no text of a server or file steers the terminal or forges a line."""
    return {key: on_one_line(it) if isinstance(it, str) else it for key, it in fields.items()}


def _own_logger(structlog: Any) -> Any:
    """A logger of the CLI's own, so that even there nothing is configured globally."""
    shared = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if _configuration["format"] == "json":
        shared.append(structlog.processors.JSONRenderer(default=str))
    else:
        shared.append(_on_one_line)
        colours = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        shared.append(structlog.dev.ConsoleRenderer(colors=colours))
    return structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=shared,
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[_configuration["level"]]),
    )
