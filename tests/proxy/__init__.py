"""A TCP proxy on loopback that delays, stalls, cuts and counts.

Inside a test, in the test's own event loop::

    async with Proxy(server_port) as proxy:
        trap = proxy.trap(Fault.LOSE_ANSWER, pattern=b"COMMIT")
        ...                               # connect to 127.0.0.1:proxy.port
        await trap.sprung.wait()

For benchmarks, in its own process, so that it takes no time from the measured event loop::

    with ProxyProcess(server_port, delay=0.020) as proxy:
        ...
        proxy.counts()

The delay is a round trip, half of it each way, and is pipelined: a hundred messages sent at once
arrive together half a delay later. The TCP handshake itself is not delayed.
"""

from tests.proxy.connection import Connection, Counts
from tests.proxy.process import ProxyProcess
from tests.proxy.server import HOST, Proxy
from tests.proxy.traps import POSTGRES_READY, Direction, Fault, Trap

__all__ = [
    "HOST",
    "POSTGRES_READY",
    "Connection",
    "Counts",
    "Direction",
    "Fault",
    "Proxy",
    "ProxyProcess",
    "Trap",
]
