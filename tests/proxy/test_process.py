"""The proxy in its own process."""

import asyncio
import time

import anyio

from tests.proxy import HOST, Counts, ProxyProcess
from tests.proxy.clients import exchange
from tests.proxy.conftest import Echo


async def test_a_proxy_in_its_own_process_delays_and_counts(echo: Echo) -> None:
    with ProxyProcess(echo.port) as proxy:
        async with await anyio.connect_tcp(HOST, proxy.port) as stream:
            await exchange(stream, b"one")
            proxy.set_delay(0.05)
            started = time.perf_counter()
            await exchange(stream, b"three")
            assert time.perf_counter() - started >= 0.05
            assert proxy.counts() == (Counts(flights=2, round_trips=2, to_server=8, to_client=8),)
            assert proxy.open() == 1
        with anyio.fail_after(10):
            while proxy.open():  # noqa: ASYNC110  # it is another process's event
                await asyncio.sleep(0.01)
        proxy.forget()
        assert proxy.counts() == ()
