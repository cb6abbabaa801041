"""Standard output and error of the process: what happens when nobody reads them, or no disk can."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO


class _Guarded(io.FileIO):
    """A file descriptor whose writes never raise: output that is lost stops no command halfway."""

    failed: OSError | None = None

    def write(self, data: Any, /) -> int | None:  # type: ignore[override]  # any buffer
        """Write *data*; a reader who left (``| head``) misses it, other trouble is remembered."""
        try:
            return super().write(data)
        except BrokenPipeError:
            return len(data)
        except OSError as error:
            self.failed = error
            return len(data)


def guard() -> None:
    """Make standard output and error of this process safe to write to."""
    for name in ("stdout", "stderr"):
        setattr(sys, name, _guarded(getattr(sys, name)))


def _guarded(stream: Any) -> Any:
    if stream is None:  # closed before we began
        return open(os.devnull, "w", encoding="utf-8")  # for as long as the process
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    if type(raw) is not io.FileIO:  # a Windows console, or a stream of somebody else's
        return stream
    stream.flush()
    safe: Any = _Guarded(raw.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(safe),
        encoding=stream.encoding,
        errors="backslashreplace",  # what this terminal cannot show is no reason to fail
        line_buffering=stream.line_buffering or buffer is raw,
    )


def problem() -> str | None:
    """Write what is left; why standard output did not take everything, or ``None``."""
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    failed = raw.failed if isinstance(raw, _Guarded) else None
    return (failed.strerror or str(failed)) if failed is not None else None


_results: ContextVar[TextIO | None] = ContextVar("dbwarden_results", default=None)


def results() -> TextIO:
    """Where documents and tables go: standard output."""
    return _results.get() or sys.stdout


@contextmanager
def kept_apart() -> Iterator[None]:
    """What a user's own modules print meanwhile goes to stderr: results stay alone on stdout."""
    real = sys.stdout
    token = _results.set(real)
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        sys.stdout = real
        _results.reset(token)
