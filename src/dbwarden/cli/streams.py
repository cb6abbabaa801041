"""Write to stdout and stderr safely when the reader is gone or the disk is full."""

import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO


class _Guarded(io.FileIO):
    """A file descriptor whose writes never raise, so that lost output stops no command."""

    failed: OSError | None = None

    def write(self, data: Any, /) -> int | None:  # type: ignore[override]  # any buffer
        """Write *data*; ignore a closed pipe (``| head``) and remember other errors."""
        try:
            return super().write(data)
        except BrokenPipeError:
            return len(data)
        except OSError as error:
            self.failed = error
            return len(data)


def guard() -> None:
    """Make stdout and stderr of this process safe to write to."""
    for name in ("stdout", "stderr"):
        setattr(sys, name, _guarded(getattr(sys, name)))


def _guarded(stream: Any) -> Any:
    if stream is None:  # closed at startup
        return open(os.devnull, "w", encoding="utf-8")  # open until the process ends
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    if type(raw) is not io.FileIO:  # a Windows console, or a replaced stream
        return stream
    stream.flush()
    safe: Any = _Guarded(raw.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(safe),
        encoding=stream.encoding,
        errors="backslashreplace",  # the terminal may lack a character
        line_buffering=stream.line_buffering or buffer is raw,
    )


_SILENT = {"--help", "-h", "--version", "help", "--json", "--log-level", "--log-format"}
_WIPE = "\r\x1b[K"
_shows_line = False


def show_start(arguments: Sequence[str]) -> None:
    """Show the command on the last line of the terminal, before its modules are imported.

    Nothing is shown where something else is written.
    """
    words = {word.partition("=")[0] for word in arguments}
    quiet = not arguments or arguments[0].startswith("-") or words & _SILENT
    if quiet or os.environ.get("DBWARDEN_LOG_FORMAT") or os.environ.get("TERM") == "dumb":
        return
    if sys.stderr.isatty() and arguments[0].replace("-", "").isalpha():
        show_line(f"dbwarden {arguments[0]} ...")


def show_line(text: str) -> None:
    """Show *text* on the last line of the terminal, until something else is written there."""
    global _shows_line
    _shows_line = True
    sys.stderr.write(_WIPE + text)
    sys.stderr.flush()


def wipe_line() -> None:
    """Clear the line of :func:`show_line`, if it is still there."""
    global _shows_line
    if _shows_line:
        _shows_line = False
        sys.stderr.write(_WIPE)
        sys.stderr.flush()


def problem() -> str | None:
    """Flush stdout and return why it did not take everything, or ``None``."""
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    failed = raw.failed if isinstance(raw, _Guarded) else None
    return (failed.strerror or str(failed)) if failed is not None else None


_results: ContextVar[TextIO | None] = ContextVar("dbwarden_results", default=None)


def results() -> TextIO:
    """Return the stream for documents and tables: stdout."""
    return _results.get() or sys.stdout


@contextmanager
def redirect_user_output() -> Iterator[None]:
    """Redirect the output of user modules to stderr, so that stdout holds only results."""
    real = sys.stdout
    token = _results.set(real)
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        sys.stdout = real
        _results.reset(token)
