"""The proxy that other tests and the benchmarks trust: it must do just what it says."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator

import anyio
import asyncpg
import pytest
from anyio.abc import SocketStream

from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from tests.proxy import HOST, POSTGRES_READY, Counts, Direction, Fault, Proxy, ProxyProcess


class Echo:
    """A server that says back what it hears and keeps what it heard."""

    def __init__(self) -> None:
        self.port = 0
        self.heard: list[bytearray] = []
        self.ends: list[str] = []
        self.ended = anyio.Event()
        self.hush = False

    async def serve(self, stream: SocketStream) -> None:
        heard = bytearray()
        self.heard.append(heard)
        try:
            async with stream:
                async for data in stream:
                    heard += data
                    if not self.hush:
                        await stream.send(data)
            self.ends.append("eof")
        except anyio.BrokenResourceError:
            self.ends.append("reset")
        self.ended.set()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    server = Echo()
    async with (
        await anyio.create_tcp_listener(local_host=HOST) as listener,
        anyio.create_task_group() as group,
    ):
        server.port = listener.extra(anyio.abc.SocketAttribute.local_port)
        group.start_soon(listener.serve, server.serve, group)
        yield server
        group.cancel_scope.cancel()


async def dial(proxy: Proxy) -> SocketStream:
    return await anyio.connect_tcp(HOST, proxy.port)


async def exactly(stream: SocketStream, count: int) -> bytes:
    data = b""
    with anyio.fail_after(10):
        while len(data) < count:
            data += await stream.receive()
    return data


async def say(stream: SocketStream, words: bytes) -> bytes:
    await stream.send(words)
    return await exactly(stream, len(words))


async def fate(stream: SocketStream) -> str:
    """How the stream ends for the client."""
    with anyio.fail_after(10):
        try:
            while True:
                await stream.receive()
        except anyio.EndOfStream:
            return "eof"
        except anyio.BrokenResourceError:
            return "reset"


async def is_silent(stream: SocketStream) -> bool:
    with anyio.move_on_after(0.05):
        await stream.receive()
        return False
    return True


# -- passing on ---------------------------------------------------------------------------------


async def test_bytes_pass_unchanged_both_ways(echo: Echo) -> None:
    words = bytes(range(256)) * 4096
    async with (
        Proxy(echo.port) as proxy,
        await dial(proxy) as stream,
        anyio.create_task_group() as group,
    ):
        group.start_soon(stream.send, words)
        assert await exactly(stream, len(words)) == words
    assert bytes(echo.heard[0]) == words


async def test_counts_flights_round_trips_and_bytes_of_each_connection(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy:
        async with await dial(proxy) as first, await dial(proxy) as second:
            await say(first, b"one")
            await say(first, b"three")
            await second.send(b"a")
            await second.send(b"b")
            await exactly(second, 2)
        assert proxy.counts() == (
            Counts(flights=2, round_trips=2, to_server=8, to_client=8),
            Counts(flights=1, round_trips=1, to_server=2, to_client=2),
        )


async def test_a_flight_without_an_answer_is_no_round_trip(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy, await dial(proxy) as stream:
        await say(stream, b"ask")
        echo.hush = True
        await stream.send(b"terminate")
        await stream.aclose()
        with anyio.fail_after(10):
            await proxy.until_open(0)
        assert proxy.counts() == (Counts(flights=2, round_trips=1, to_server=12, to_client=3),)


async def test_knows_how_many_are_open_now_and_were_at_most(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy:
        async with await dial(proxy) as first:
            async with await dial(proxy) as second:
                await say(first, b"x")
                await say(second, b"x")
                assert len(proxy.open_connections) == 2
            with anyio.fail_after(10):
                await proxy.until_open(1)
        with anyio.fail_after(10):
            await proxy.until_open(0)
        assert (len(proxy.open_connections), len(proxy.connections)) == (0, 2)
        assert proxy.most_open == 2
        proxy.forget()
        assert (proxy.counts(), proxy.most_open) == ((), 0)


async def test_an_end_of_the_client_reaches_the_server_and_half_closing_keeps_the_answer(
    echo: Echo,
) -> None:
    async with Proxy(echo.port) as proxy, await dial(proxy) as stream:
        await stream.send(b"last words")
        await stream.send_eof()
        assert await exactly(stream, 10) == b"last words"
        assert await fate(stream) == "eof"
    assert echo.ends == ["eof"]


async def test_a_reset_of_the_client_reaches_the_server(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy:
        stream = await dial(proxy)
        await say(stream, b"x")
        raw: socket.socket = stream.extra(anyio.abc.SocketAttribute.raw_socket)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        await stream.aclose()
        with anyio.fail_after(10):
            await echo.ended.wait()
    assert echo.ends == ["reset"]


async def test_leaving_the_block_ends_all_that_is_open(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy:
        stream = await dial(proxy)
        await say(stream, b"x")
    assert await fate(stream) == "reset"
    await stream.aclose()
    with pytest.raises(OSError, match=r"failed|refused"):
        await dial(proxy)


async def test_what_the_block_raises_comes_out_as_it_is(echo: Echo) -> None:
    with pytest.raises(ZeroDivisionError):
        async with Proxy(echo.port):
            raise ZeroDivisionError


async def test_leaving_the_block_while_the_way_to_the_server_is_opened_leaks_nothing(
    echo: Echo,
) -> None:
    for _ in range(20):
        async with Proxy(echo.port) as proxy, await dial(proxy):
            pass


# -- delay --------------------------------------------------------------------------------------


async def test_an_answer_takes_at_least_the_round_trip(echo: Echo) -> None:
    async with Proxy(echo.port, delay=0.06) as proxy, await dial(proxy) as stream:
        started = time.perf_counter()
        await say(stream, b"x")
        assert time.perf_counter() - started >= 0.06
        proxy.delay = 0.12
        started = time.perf_counter()
        await say(stream, b"x")
        assert time.perf_counter() - started >= 0.12


async def test_what_is_said_at_once_travels_at_once(echo: Echo) -> None:
    """Sent at once, fifty messages are back before another connection has sent as many in turn."""
    in_turn = 0

    async def say_in_turn(stream: SocketStream) -> None:
        nonlocal in_turn
        for _ in range(50):
            await say(stream, b"x")
            in_turn += 1

    async with (
        Proxy(echo.port, delay=0.05) as proxy,
        await dial(proxy) as stream,
        await dial(proxy) as other,
        anyio.create_task_group() as group,
    ):
        group.start_soon(say_in_turn, other)
        for number in range(50):
            await stream.send(b"%2d" % number)
            await asyncio.sleep(0)
        words = await exactly(stream, 100)
        group.cancel_scope.cancel()
    assert words == b"".join(b"%2d" % number for number in range(50))
    assert in_turn < 25


async def test_nothing_overtakes_when_the_delay_is_made_shorter(echo: Echo) -> None:
    async with Proxy(echo.port, delay=0.1) as proxy, await dial(proxy) as stream:
        await stream.send(b"first")
        await asyncio.sleep(0.01)
        proxy.delay = 0.0
        await stream.send(b"second")
        assert await exactly(stream, 11) == b"firstsecond"


# -- faults at once -----------------------------------------------------------------------------


async def test_a_stall_holds_back_both_ways_until_resumed(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy, await dial(proxy) as stream:
        await say(stream, b"before")
        proxy.stall()
        await stream.send(b"during")
        assert await is_silent(stream)
        assert bytes(echo.heard[0]) == b"before"
        proxy.resume()
        assert await exactly(stream, 6) == b"during"


async def test_a_stalled_proxy_accepts_and_stays_silent(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy:
        proxy.stall()
        async with await dial(proxy) as stream:
            await stream.send(b"hello?")
            assert await is_silent(stream)
            proxy.resume()
            assert await exactly(stream, 6) == b"hello?"


async def test_silence_lets_the_server_hear_and_not_be_heard(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy:
        proxy.silence()
        async with await dial(proxy) as stream:
            await stream.send(b"still heard")
            assert await is_silent(stream)
            assert bytes(echo.heard[0]) == b"still heard"
            proxy.resume()
            assert await exactly(stream, 11) == b"still heard"


async def test_an_end_during_a_stall_is_held_back_too(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy:
        stream = await dial(proxy)
        await say(stream, b"x")
        proxy.stall()
        await stream.aclose()
        with anyio.move_on_after(0.05):
            await echo.ended.wait()
        assert echo.ends == []
        proxy.resume()
        with anyio.fail_after(10):
            await echo.ended.wait()
        assert echo.ends == ["eof"]


async def test_a_cut_resets_every_connection_and_new_ones_are_welcome(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy:
        async with await dial(proxy) as first, await dial(proxy) as second:
            await say(first, b"x")
            await say(second, b"x")
            proxy.cut()
            assert [await fate(first), await fate(second)] == ["reset", "reset"]
        async with await dial(proxy) as third:
            assert await say(third, b"again") == b"again"


async def test_a_proxy_that_refuses_keeps_the_open_ones_and_takes_new_ones_again_later(
    echo: Echo,
) -> None:
    async with Proxy(echo.port) as proxy, await dial(proxy) as stream:
        await say(stream, b"x")
        port = proxy.port
        await proxy.refuse()
        with pytest.raises(OSError, match=r"failed|refused"):
            await dial(proxy)
        assert await say(stream, b"still here") == b"still here"
        await proxy.accept()
        assert proxy.port == port
        async with await dial(proxy) as another:
            assert await say(another, b"back") == b"back"


async def test_a_server_that_is_down_shows_as_a_reset() -> None:
    with contextlib.closing(socket.socket()) as free:
        free.bind((HOST, 0))
        async with Proxy(free.getsockname()[1]) as proxy, await dial(proxy) as stream:
            assert await fate(stream) == "reset"


# -- faults at a moment -------------------------------------------------------------------------


async def test_a_trap_before_a_pattern_lets_nothing_of_it_pass(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy, await dial(proxy) as stream:
        trap = proxy.trap(Fault.RESET, pattern=b"COMMIT")
        await say(stream, b"BEGIN;")
        await stream.send(b"INSERT;COMMIT;BEGIN")
        assert await fate(stream) == "reset"
        assert trap.sprung.is_set()
        assert trap.connections == proxy.connections
    # A reset may destroy what the server has not read yet, so it heard all before it, or less.
    assert b"BEGIN;INSERT;".startswith(bytes(echo.heard[0]))


async def test_a_trap_sees_a_pattern_that_comes_in_pieces(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy, await dial(proxy) as stream:
        trap = proxy.trap(Fault.STALL, pattern=b"COMMIT")
        await say(stream, b"COM")
        await stream.send(b"MIT")
        assert await is_silent(stream)
        assert trap.sprung.is_set()
        assert bytes(echo.heard[0]) == b"COM"
        proxy.resume()
        assert await exactly(stream, 3) == b"MIT"


@pytest.mark.parametrize(
    ("nth", "after", "arrives"),
    [(1, 0, b""), (2, 0, b"C1;"), (3, 0, b"C1;C2;"), (1, 4, b"C1;C2;"), (2, 1, b"C1;C2;")],
)
async def test_a_trap_waits_for_the_nth_time_and_past_the_first_bytes(
    echo: Echo, nth: int, after: int, arrives: bytes
) -> None:
    async with Proxy(echo.port) as proxy, await dial(proxy) as stream:
        proxy.trap(Fault.SILENCE, pattern=b"C", nth=nth, after=after, direction="to_client")
        await stream.send(b"C1;")
        await asyncio.sleep(0.01)
        await stream.send(b"C2;C3;C4;")
        assert await exactly(stream, len(arrives)) == arrives
        assert await is_silent(stream)


async def test_a_trap_after_so_many_bytes_cuts_between_them(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy, await dial(proxy) as stream:
        proxy.trap(Fault.SILENCE, after=5, direction="to_client")
        await stream.send(b"0123456789")
        assert await exactly(stream, 5) == b"01234"
        assert await is_silent(stream)
        proxy.resume()
        assert await exactly(stream, 5) == b"56789"


async def test_a_trap_for_bytes_that_have_passed_already_springs_at_the_next(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy, await dial(proxy) as stream:
        await say(stream, b"0123456789")
        trap = proxy.trap(Fault.RESET, after=5)
        await stream.send(b"x")
        assert await fate(stream) == "reset"
        assert trap.sprung.is_set()


async def test_a_lost_answer_was_heard_and_answered_and_never_arrives(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy, await dial(proxy) as stream:
        await say(stream, b"BEGIN;")
        proxy.trap(Fault.LOSE_ANSWER, pattern=b"COMMIT", answer=POSTGRES_READY)
        await stream.send(b"COMMIT;")
        assert await is_silent(stream)
        await stream.send(POSTGRES_READY)
        assert await fate(stream) == "reset"
        counts = proxy.counts()[0]
    assert bytes(echo.heard[0]) == b"BEGIN;COMMIT;" + POSTGRES_READY
    assert (counts.to_server, counts.round_trips) == (6 + 7 + 6, 1)


async def test_a_close_ends_in_order(echo: Echo) -> None:
    async with Proxy(echo.port) as proxy, await dial(proxy) as stream:
        proxy.trap(Fault.CLOSE, pattern=b"!", forward=True)
        await stream.send(b"bye!")
        assert await fate(stream) == "eof"


@pytest.mark.parametrize(
    ("each_connection", "fates"), [(False, ["reset", "x"]), (True, ["reset", "reset"])]
)
async def test_a_trap_springs_once_or_once_a_connection(
    echo: Echo, each_connection: bool, fates: list[str]
) -> None:
    async with Proxy(echo.port) as proxy:
        trap = proxy.trap(Fault.RESET, pattern=b"x", each_connection=each_connection)
        seen = []
        for _ in range(2):
            async with await dial(proxy) as stream:
                await stream.send(b"x")
                try:
                    seen.append((await exactly(stream, 1)).decode())
                except anyio.BrokenResourceError:
                    seen.append("reset")
        assert seen == fates
        assert len(trap.connections) == fates.count("reset")


@pytest.mark.parametrize("direction", ["to_server", "to_client"])
async def test_a_trap_looks_only_its_way(echo: Echo, direction: Direction) -> None:
    async with Proxy(echo.port) as proxy, await dial(proxy) as stream:
        proxy.trap(Fault.STALL, pattern=b"x", direction=direction)
        await stream.send(b"x")
        assert await is_silent(stream)
        assert bytes(echo.heard[0]) == (b"" if direction == "to_server" else b"x")


# -- in a process of its own --------------------------------------------------------------------


async def test_a_proxy_in_its_own_process_delays_and_counts(echo: Echo) -> None:
    with ProxyProcess(echo.port) as proxy:
        async with await anyio.connect_tcp(HOST, proxy.port) as stream:
            await say(stream, b"one")
            proxy.set_delay(0.05)
            started = time.perf_counter()
            await say(stream, b"three")
            assert time.perf_counter() - started >= 0.05
            assert proxy.counts() == (Counts(flights=2, round_trips=2, to_server=8, to_client=8),)
            assert proxy.open() == 1
        with anyio.fail_after(10):
            while proxy.open():  # noqa: ASYNC110  # it is another process's event
                await asyncio.sleep(0.01)
        proxy.forget()
        assert proxy.counts() == ()


# -- before PostgreSQL --------------------------------------------------------------------------


async def connect(port: int, **more: object) -> asyncpg.Connection:
    return await asyncpg.connect(
        host=HOST, port=port, user="postgres", database="postgres", ssl=False, **more
    )


async def discard(_: bytes) -> None:
    pass


async def test_counts_the_flights_of_a_connect_and_a_look_at_postgresql(
    postgres_server: EmbeddedServer,
) -> None:
    async with Proxy(postgres_server.port) as proxy:
        connection = await connect(proxy.port)
        await connection.copy_from_query("SELECT 1", output=discard)
        connection.terminate()
        with anyio.fail_after(10):
            await proxy.until_open(0)
        (counts,) = proxy.counts()
    # The startup, the query, and a goodbye that nobody answers.
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


async def test_a_commit_that_is_cut_off_before_it_is_forwarded_has_not_happened(
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


async def test_a_silent_postgresql_goes_on_with_what_it_was_told(
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
