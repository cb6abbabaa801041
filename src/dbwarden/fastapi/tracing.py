"""Spans for OpenTelemetry, where the application has set it up."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from dbwarden import telemetry


@contextmanager
def span(name: str, **attributes: str | int) -> Iterator[None]:
    """A span ``dbwarden <name>`` around the block, if the program has loaded OpenTelemetry.

    It has the id of the log's ``run`` as ``dbwarden.run``.

    Without a tracer provider OpenTelemetry's API drops it; nothing is imported for it here.
    """
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        yield
        return
    with telemetry.run() as run:
        told = {f"dbwarden.{key}": value for key, value in {**attributes, "run": run}.items()}
        tracer = trace.get_tracer("dbwarden")
        with tracer.start_as_current_span(f"dbwarden {name}", attributes=told):
            yield
