"""Spans for OpenTelemetry, where the application has set it up."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def span(name: str, **attributes: str | int) -> Iterator[None]:
    """A span ``dbwarden <name>`` around the block, if the program has loaded OpenTelemetry.

    Without a tracer provider OpenTelemetry's API drops it; nothing is imported for it here.
    """
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        yield
        return
    told = {f"dbwarden.{key}": value for key, value in attributes.items()}
    with trace.get_tracer("dbwarden").start_as_current_span(f"dbwarden {name}", attributes=told):
        yield
