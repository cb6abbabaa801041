"""Create OpenTelemetry spans if the application uses OpenTelemetry."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from dbwarden import telemetry


@contextmanager
def span(name: str, **attributes: str | int) -> Iterator[None]:
    """Open a span ``dbwarden <name>`` around the block if the program has imported OpenTelemetry.

    The attribute ``dbwarden.run`` has the ``run`` id of the log. Without a tracer provider,
    OpenTelemetry's API discards the span.
    """
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        yield
        return
    with telemetry.run() as run:
        prefixed = {f"dbwarden.{key}": value for key, value in {**attributes, "run": run}.items()}
        tracer = trace.get_tracer("dbwarden")
        with tracer.start_as_current_span(f"dbwarden {name}", attributes=prefixed):
            yield
