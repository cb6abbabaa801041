"""The proxy in front of PostgreSQL."""

import anyio
import asyncpg
import pytest

from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from tests.proxy import HOST, POSTGRES_READY, Fault, Proxy


async def connect(port: int, **more: object) -> asyncpg.Connection:
    return await asyncpg.connect(
        host=HOST, port=port, user="postgres", database="postgres", ssl=False, **more
    )


async def discard(_: bytes) -> None:
    pass


async def test_the_flights_of_a_connect_and_a_query_are_counted(
    postgres_server: EmbeddedServer,
) -> None:
    async with Proxy(postgres_server.port) as proxy:
        connection = await connect(proxy.port)
        await connection.copy_from_query("SELECT 1", output=discard)
        connection.terminate()
        with anyio.fail_after(10):
            await proxy.until_open(0)
        (counts,) = proxy.counts()
    # The startup, the query, and a goodbye without an answer.
    assert (counts.flights, counts.round_trips) == (3, 2)


async def test_a_commit_whose_answer_is_lost_has_happened(
    postgres_server: EmbeddedServer,
) -> None:
    async with Proxy(postgres_server.port) as proxy:
        direct, far = await connect(postgres_server.port), await connect(proxy.port)
        try:
            await direct.execute("DROP TABLE IF EXISTS proxy_lost; CREATE TABLE proxy_lost (n int)")
            trap = proxy.trap(Fault.LOSE_ANSWER, pattern=b"COMMIT", answer=POSTGRES_READY)
            with pytest.raises((asyncpg.PostgresConnectionError, OSError)):
                await far.execute("BEGIN; INSERT INTO proxy_lost VALUES (1); COMMIT")
            assert trap.sprung.is_set()
            assert await direct.fetchval("SELECT count(*) FROM proxy_lost") == 1
        finally:
            await direct.execute("DROP TABLE proxy_lost")
            direct.terminate()
            far.terminate()


async def test_a_commit_cut_before_forwarding_has_not_happened(
    postgres_server: EmbeddedServer,
) -> None:
    async with Proxy(postgres_server.port) as proxy:
        direct, far = await connect(postgres_server.port), await connect(proxy.port)
        try:
            await direct.execute("DROP TABLE IF EXISTS proxy_cut; CREATE TABLE proxy_cut (n int)")
            await far.execute("BEGIN; INSERT INTO proxy_cut VALUES (1)")
            proxy.trap(Fault.RESET, pattern=b"COMMIT")
            with pytest.raises((asyncpg.PostgresConnectionError, OSError)):
                await far.execute("COMMIT")
            # Waits for the lock of the lost transaction, which the server then rolls back.
            await direct.execute("BEGIN; LOCK proxy_cut; COMMIT")
            assert await direct.fetchval("SELECT count(*) FROM proxy_cut") == 0
        finally:
            await direct.execute("DROP TABLE proxy_cut")
            direct.terminate()
            far.terminate()


async def test_a_silent_postgresql_finishes_its_statement(
    postgres_server: EmbeddedServer,
) -> None:
    async with Proxy(postgres_server.port) as proxy:
        far = await connect(proxy.port)
        try:
            trap = proxy.trap(Fault.SILENCE, pattern=b"SELECT 'loud'", forward=True)
            with pytest.raises(TimeoutError):
                await far.fetchval("SELECT 'loud'", timeout=0.2)
            assert trap.sprung.is_set()
            proxy.resume()
            assert await far.fetchval("SELECT 'again'") == "again"
        finally:
            far.terminate()
