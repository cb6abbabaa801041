"""A connect that is cancelled in any round of the event loop leaves nothing to report."""

import asyncio
import gc
from typing import Any

import anyio
import anyio.lowlevel

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.kinds import dialect_for

ROUNDS = 40
"""More rounds of the event loop than pass until the driver has asked for TLS."""


async def test_a_cancelled_connect_leaves_no_exception_to_report(
    postgres_config: DatabaseConfig,
) -> None:
    said: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: said.append(context))
    try:
        for rounds in range(ROUNDS):
            async with anyio.create_task_group() as group:
                group.start_soon(connect, postgres_config)
                for _ in range(rounds):
                    await anyio.lowlevel.cancel_shielded_checkpoint()
                group.cancel_scope.cancel()
            await anyio.lowlevel.checkpoint()
        for _ in range(3):  # the transports close in the rounds after
            await anyio.lowlevel.checkpoint()
        gc.collect()
    finally:
        loop.set_exception_handler(None)
    assert said == []


async def connect(config: DatabaseConfig) -> None:
    async with dialect_for(config.database_type).connect(config, read_only=True):
        pass
