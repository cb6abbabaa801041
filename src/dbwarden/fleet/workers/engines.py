"""Find the engine of an address.

``--workers 4`` starts processes on this machine. ``--workers SCHEME://...`` connects to an engine:
``dask`` is part of dbwarden, others are packages with an entry point in the group
``dbwarden.workers`` that names an :class:`Engine` by its scheme.
"""

import importlib
from importlib.metadata import entry_points
from typing import Any

from dbwarden.errors import UsageError
from dbwarden.fleet.workers.processes import ProcessEngine
from dbwarden.fleet.workers.protocol import Engine

GROUP = "dbwarden.workers"
"""The entry points of engines."""

_OWN = {
    "dask": "dbwarden.fleet.workers.dask_engine:DaskEngine",
    "dask+tls": "dbwarden.fleet.workers.dask_engine:DaskEngine",
}


def engine_of(address: str) -> Engine:
    """Return the engine for *address*. Blocking.

    Raises:
        UsageError: *address* is neither a number nor the address of an engine.
    """
    if address.isdecimal() and int(address) > 0:
        return ProcessEngine()
    scheme, separator, _ = address.partition("://")
    entries = {entry.name: entry for entry in entry_points(group=GROUP)} if separator else {}
    if scheme in _OWN and separator:
        module, _, name = _OWN[scheme].partition(":")
        engine: Engine = getattr(importlib.import_module(module), name)()
        return engine
    if scheme in entries:
        loaded: Any = entries[scheme].load()
        engine = loaded()
        return engine
    known = ", ".join(f"{name}://" for name in sorted({*_OWN, *entries}))
    raise UsageError(
        f"--workers takes a number of processes or the address of an engine, not {address!r}",
        next_step=f"Give a number of at least 1, or an address that starts with one of: {known}.",
    )
