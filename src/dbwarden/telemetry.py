"""Emit one event per action on a database to the log and to listeners.

As a library, dbwarden configures nothing. Events go to ``logging.getLogger("dbwarden")``, or to
``structlog.get_logger("dbwarden")`` if the program has configured structlog. The CLI calls
:func:`configure`. structlog is imported only if the program uses it, because the import takes
longer than a whole ``status`` command and would block a running event loop.
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
    """A named event with its fields."""

    name: str
    level: Level
    fields: Mapping[str, Any]

    @property
    def is_routine(self) -> bool:
        """True for what every successful operation emits: its start, and what succeeded."""
        return self.name == "started" or self.fields.get("outcome") == "succeeded"


Listener = Callable[[Event], None]

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_bound: ContextVar[Mapping[str, Any]] = ContextVar("dbwarden_bound", default=_NOTHING)
_listeners: ContextVar[tuple[Listener, ...]] = ContextVar("dbwarden_listeners", default=())
_ceiling: ContextVar[Level] = ContextVar("dbwarden_ceiling", default="error")
_standard = logging.getLogger("dbwarden")


@dataclass(slots=True)
class _Output:
    """What the CLI writes to stderr, through a logger that the first event builds."""

    format: LogFormat
    threshold: int
    logger: Any = None


_output: _Output | None = None


def emit(name: str, /, *, level: Level = "info", **fields: Any) -> None:
    """Send the event *name* to the log and to every listener of this task."""
    level = min(level, _ceiling.get(), key=lambda each: LEVELS[each])
    event = Event(name=name, level=level, fields={**_bound.get(), **fields})
    for listener in _listeners.get():
        listener(event)
    if _output is None or LEVELS[level] >= _output.threshold:
        logger = _structlog()
        if logger is not None:
            getattr(logger, level)(name, **event.fields)
        elif _standard.isEnabledFor(LEVELS[level]):
            _log_standard(event)


def writes() -> bool:
    """Return whether the CLI writes events to stderr."""
    return _output is None or _output.threshold < NOTHING


def wants(level: Level) -> bool:
    """Return whether events of *level* are logged."""
    if _output is not None and LEVELS[level] < _output.threshold:
        return False
    return _structlog() is not None or _standard.isEnabledFor(LEVELS[level])


def doing(what: str, /) -> None:
    """Emit that an activity begins, such as ``reading the models``."""
    emit("doing", level="debug", what=what)


@contextmanager
def bound(**fields: Any) -> Generator[None]:
    """Add *fields* to every event of this task inside the block, also to those of the program."""
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
    """Add the same ``run`` id to all events of the block; reuse that of an enclosing block.

    A command, a fleet run, an application's startup or a single operation is one run, on any number
    of databases. Yields the id.
    """
    current: str | None = _bound.get().get("run")
    if current is not None:
        yield current
        return
    new = os.urandom(4).hex()
    with bound(run=new):
        yield new


@contextmanager
def operation(name: str, /, *, failed: Level = "error", **fields: Any) -> Generator[dict[str, Any]]:
    """Log the start of one operation, and its end as :func:`step` does, within a :func:`run`.

    ``operation`` and *fields*, such as the database, are added to every event of the block.
    """
    with run(), bound(**fields, operation=name):
        emit("started")
        with step(name, failed=failed) as results:
            yield results


@contextmanager
def at_most(level: Level) -> Generator[None]:
    """Limit the level of this task's events to *level*, if an exception reports failures."""
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
    """Time one action, and emit *name* with ``outcome`` and ``duration_ms`` when it ends.

    The items of the yielded dict are added to the event. An exception is logged as
    ``outcome="failed"`` with the level *failed* (a cancellation as ``"interrupted"``) and
    propagates.
    """
    started = time.perf_counter()
    results: dict[str, Any] = {}
    outcome = "succeeded"
    level: Level = "info"
    try:
        yield results
    except Exception as error:
        outcome, level = "failed", failed
        results["error"] = str(error) if isinstance(error, DBWardenError) else redact(str(error))
        raise
    except BaseException:
        outcome, level = "interrupted", min("warning", failed, key=lambda each: LEVELS[each])
        raise
    finally:
        duration_ms = round((time.perf_counter() - started) * 1000, 3)
        emit(name, level=level, **fields, **results, outcome=outcome, duration_ms=duration_ms)


def configure(log_format: LogFormat | None = None, level: Level | None = None) -> None:
    """Write events to stderr, as readable lines or as JSON. Only the CLI calls this.

    *log_format* ``None`` means console; *level* ``None`` writes nothing, but listeners are called.
    structlog is imported when the first event is written.
    """
    global _output
    _output = _Output(log_format or "console", LEVELS[level] if level else NOTHING)


def _structlog() -> Any:
    """Return the structlog logger of the CLI or of the program, or ``None`` if neither has one."""
    if _output is None:
        # Another thread may be importing it, so is_configured may be missing.
        module = sys.modules.get("structlog")
        is_configured = getattr(module, "is_configured", None)
        if module is None or is_configured is None or not is_configured():
            return None
        return module.get_logger("dbwarden")
    if _output.logger is None:
        import structlog

        _output.logger = _build_logger(structlog, _output)
    return _output.logger


def _log_standard(event: Event) -> None:
    """Log a readable line; the record has ``database`` and all fields as ``dbwarden``."""
    words = (f"{key}={_format_value(value)}" for key, value in event.fields.items())
    _standard.log(
        LEVELS[event.level],
        " ".join((event.name, *words)),
        extra={"database": event.fields.get("database"), "dbwarden": dict(event.fields)},
        stacklevel=3,
    )


def _format_value(value: object) -> str:
    text = str(value)
    return repr(text) if not text or any(sign in text for sign in " =\n\"'") else text


def _build_logger(structlog: Any, output: _Output) -> Any:
    """Return a separate logger for the CLI, without configuring structlog globally."""

    def escape(logger: object, method: str, fields: dict[str, Any]) -> dict[str, Any]:
        # Control characters and line ends in fields may come from a server or file.
        return {key: on_one_line(it) if isinstance(it, str) else it for key, it in fields.items()}

    shared = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if output.format == "json":
        shared.append(structlog.processors.JSONRenderer(default=str))
    else:
        shared.append(escape)
        colours = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        shared.append(structlog.dev.ConsoleRenderer(colors=colours))
    return structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=shared,
        wrapper_class=structlog.make_filtering_bound_logger(output.threshold),
    )
