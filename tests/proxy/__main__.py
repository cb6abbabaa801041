"""Run the proxy until the end of the input; see ``tests.proxy.process``."""

import argparse
import signal
import sys

import anyio

from tests.proxy.process import Command, Snapshot
from tests.proxy.server import HOST, Proxy


async def serve(*, port: int, host: str, delay: float) -> None:
    """Answer each command from the input with a snapshot."""
    async with Proxy(port, target_host=host, delay=delay) as proxy:
        _write(Snapshot.take(proxy))
        async for line in anyio.wrap_file(sys.stdin):
            Command.parse(line).apply(proxy)
            _write(Snapshot.take(proxy))


def _write(snapshot: Snapshot) -> None:
    sys.stdout.write(snapshot.format())
    sys.stdout.flush()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--delay", type=float, default=0.0)
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    anyio.run(lambda: serve(port=arguments.port, host=arguments.host, delay=arguments.delay))


if __name__ == "__main__":
    main()
