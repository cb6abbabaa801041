"""Each cause of a failed connection has its own sentence and next step."""

import os
import signal
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

import dbwarden
from dbwarden import telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.ledger_values import Writer
from dbwarden.dialects.postgresql.migrate.connecting import application_name
from dbwarden.dialects.postgresql.migrate.dialect import DIALECT
from dbwarden.dialects.postgresql.migrate.session import ServerRefused
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer, embedded_server
from dbwarden.errors import (
    AccessDenied,
    ConnectError,
    ConnectionLost,
    DatabaseMissing,
    ReadOnlyDatabase,
    TooManyConnections,
)
from tests.conftest import MakeConfig
from tests.integration.postgresql.helpers import (
    Done,
    admin,
    ledger_of,
    tables,
    until,
    value,
    work,
)
from tests.servers import streaming_replica

SECRET = "s3cr3t-Pa55"

HBA = """
local all postgres trust
host all postgres 127.0.0.1/32 trust
host all nobody_else 127.0.0.1/32 reject
host all walled 10.0.0.0/8 trust
host all all 127.0.0.1/32 scram-sha-256
"""


@pytest.fixture(scope="module")
def strict_server() -> Generator[EmbeddedServer]:
    """A server that asks for passwords."""
    server = EmbeddedServer(tcp=True)
    server.start()
    try:
        (server.data / "pg_hba.conf").write_text(HBA)
        anyio.run(
            server.execute,
            "SET password_encryption = 'scram-sha-256';"  # before 14 it is not the usual one
            f"CREATE ROLE app LOGIN PASSWORD '{SECRET}'; CREATE ROLE walled LOGIN;"
            f"CREATE ROLE crowded LOGIN PASSWORD '{SECRET}' CONNECTION LIMIT 0;"
            "SELECT pg_reload_conf()",
        )
        yield server
    finally:
        server.stop()


async def refusal(config: DatabaseConfig) -> ConnectError:
    with pytest.raises(ConnectError) as caught:
        await ledger_of(config)
    error = caught.value
    assert error.database == "primary"
    for text in (str(error), repr(error), str(error.next_step), str(error.detail)):
        assert SECRET not in text
    return error


def url_of(
    server: EmbeddedServer, user: str, password: str = SECRET, name: str = "postgres"
) -> str:
    return f"postgresql://{user}:{password}@127.0.0.1:{server.port}/{name}"


async def test_the_right_password_opens(
    strict_server: EmbeddedServer, make_config: MakeConfig
) -> None:
    assert await ledger_of(make_config(url_of(strict_server, "app"))) == {}


async def test_a_wrong_password(strict_server: EmbeddedServer, make_config: MakeConfig) -> None:
    error = await refusal(make_config(url_of(strict_server, "app", SECRET + "x")))

    assert isinstance(error, AccessDenied)
    server = f"127.0.0.1:{strict_server.port}"
    assert error.message == f'password authentication failed on {server} for user "app"'
    assert "password" in (error.next_step or "")


async def test_a_missing_password(strict_server: EmbeddedServer, make_config: MakeConfig) -> None:
    url = f"postgresql://app@127.0.0.1:{strict_server.port}/postgres"

    error = await refusal(make_config(url))

    assert isinstance(error, AccessDenied)
    assert error.message.endswith('for user "app", and database_url has none')
    assert "PGPASSWORD" in (error.next_step or "")


async def test_an_unknown_role(postgres_server: EmbeddedServer, make_config: MakeConfig) -> None:
    error = await refusal(make_config(url_of(postgres_server, "stranger")))

    assert isinstance(error, AccessDenied)
    assert 'role "stranger" does not exist' in error.message
    assert "create the role" in (error.next_step or "")


async def test_a_user_refused_by_pg_hba_is_reported(
    strict_server: EmbeddedServer, make_config: MakeConfig
) -> None:
    async with admin(strict_server.url()) as connection:
        await connection.execute("CREATE ROLE nobody_else LOGIN")

    error = await refusal(make_config(url_of(strict_server, "nobody_else")))

    assert isinstance(error, AccessDenied)
    assert "pg_hba.conf" in error.message
    assert "pg_hba.conf" in (error.next_step or "")


async def test_a_missing_database(postgres_server: EmbeddedServer, make_config: MakeConfig) -> None:
    error = await refusal(make_config(postgres_server.url("nowhere")))

    assert isinstance(error, DatabaseMissing)
    assert error.message == f"127.0.0.1:{postgres_server.port} has no database 'nowhere'"
    assert error.next_step == "Create it with: dbwarden create-database -d primary"


async def test_an_unknown_host(make_config: MakeConfig) -> None:
    error = await refusal(make_config("postgresql://a@no-such-host.invalid/db"))

    assert error.message == "the host no-such-host.invalid is not known"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_closed_port_is_reported(make_config: MakeConfig, host: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        error = await refusal(make_config(f"postgresql://a:{SECRET}@{host}:{port}/db"))

    assert error.message == f"nothing listens on {host}:{port}"


async def test_a_missing_socket(make_config: MakeConfig) -> None:
    error = await refusal(make_config("postgresql:///db?host=/no/such/folder"))

    assert error.message == "there is no server's socket in /no/such/folder (port 5432)"


async def test_several_hosts_are_all_named(make_config: MakeConfig) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        url = f"postgresql://a@127.0.0.1:{port},127.0.0.2:{port}/db"
        error = await refusal(make_config(url))

    assert error.message == f"nothing listens on 127.0.0.1:{port} or 127.0.0.2:{port}"


async def test_missing_tls_of_the_server_is_reported(
    postgres_server: EmbeddedServer, make_config: MakeConfig
) -> None:
    error = await refusal(make_config(postgres_server.url() + "?sslmode=require"))

    assert error.message == f"127.0.0.1:{postgres_server.port} refused TLS"
    assert "sslmode" in (error.next_step or "")


async def test_a_certificate_that_cannot_be_read(
    postgres_server: EmbeddedServer, make_config: MakeConfig
) -> None:
    url = postgres_server.url() + "?sslmode=verify-full&sslrootcert=/no/such/file.pem"
    error = await refusal(make_config(url))

    assert "sslrootcert: /no/such/file.pem" in error.message


async def test_too_many_connections(
    strict_server: EmbeddedServer, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next try would come after the time limit: the error is the server's, no time-out."""
    monkeypatch.setattr(
        "dbwarden.dialects.postgresql.migrate.retrying.retry_pause", lambda *_, **__: 3600
    )
    config = make_config(url_of(strict_server, "crowded"))
    error = await refusal(config)

    assert isinstance(error, TooManyConnections)
    assert "takes no more connections" in error.message
    assert "--per-server" in (error.next_step or "")
    with pytest.raises(TooManyConnections):
        await dbwarden.status(config)


@pytest.mark.parametrize(
    "name", ["status", "check", "history", "lock_status", "migrate", "wait", "unlock"]
)
async def test_a_server_that_is_full_is_asked_again_within_the_time_limit(
    strict_server: EmbeddedServer, make_config: MakeConfig, name: str
) -> None:
    config = make_config(url_of(strict_server, "crowded"))
    full, results = anyio.Event(), []

    def hear(event: telemetry.Event) -> None:
        if event.name == "waiting_for_connection":
            full.set()

    async def operation() -> None:
        with telemetry.listening(hear):
            results.append(await getattr(dbwarden, name)(config))
        full.set()

    async with admin(strict_server.url()) as connection:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(operation)
            await full.wait()
            assert results == []
            await connection.execute("ALTER ROLE crowded CONNECTION LIMIT -1")
        await connection.execute("ALTER ROLE crowded CONNECTION LIMIT 0")
    assert len(results) == 1


async def test_no_right_to_connect(strict_server: EmbeddedServer, make_config: MakeConfig) -> None:
    async with admin(strict_server.url()) as connection:
        await connection.execute("CREATE DATABASE closed")
        await connection.execute("REVOKE CONNECT ON DATABASE closed FROM PUBLIC")

    error = await refusal(make_config(url_of(strict_server, "app", name="closed")))

    assert isinstance(error, AccessDenied)
    assert error.next_step == 'Grant it: GRANT CONNECT ON DATABASE "closed" TO "app";'


async def test_a_database_that_takes_no_connections(
    postgres_server: EmbeddedServer, make_config: MakeConfig
) -> None:
    error = await refusal(make_config(postgres_server.url("template0")))

    assert "takes no connections" in error.message


async def test_a_server_that_shuts_down(make_config: MakeConfig) -> None:
    async with embedded_server(tcp=True) as server, admin(server.url()):
        pid = int((server.data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGTERM)  # waits for whom it has, and lets nobody in

        async def refused() -> ConnectError | None:
            try:
                await ledger_of(make_config(server.url()))
            except ConnectError as error:
                return error
            except ConnectionLost:
                return None
            return None

        error = await until(refused)

    assert "is not ready: the database system is shutting down" in error.message
    assert "dbwarden wait" in (error.next_step or "")


@asynccontextmanager
async def impostor(answer: bytes) -> AsyncGenerator[int]:
    """Something that listens and is no PostgreSQL."""

    async def talk(stream: Any) -> None:
        async with stream:
            await stream.receive()
            if answer:
                await stream.send(answer)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, talk)
        yield listener.extra(anyio.abc.SocketAttribute.local_port)
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"N"])
@pytest.mark.parametrize("mode", ["disable", "prefer"])
async def test_another_server_than_postgresql_is_reported(
    make_config: MakeConfig, answer: bytes, mode: str
) -> None:
    async with impostor(answer) as port:
        config = make_config(
            f"postgresql://a@127.0.0.1:{port}/db?sslmode={mode}", connect_timeout=1.0
        )
        error = await refusal(config)

    assert f"127.0.0.1:{port}" in error.message


async def test_the_time_of_a_slow_url_function_counts_to_the_timeout(
    make_config: MakeConfig,
) -> None:
    error = await refusal(make_config(_never, connect_timeout=0.1))

    assert error.message == "its URL was not known within 0.1 s"


async def _never() -> str:
    await anyio.sleep_forever()
    raise AssertionError


async def test_a_url_function_is_called_at_each_connect(
    postgres_url: str, make_config: MakeConfig
) -> None:
    asked = []

    def url() -> str:
        asked.append(1)
        return postgres_url

    config = make_config(url)
    await ledger_of(config)
    await ledger_of(config)

    assert len(asked) == 2


# -- how we present ourselves ---------------------------------------------------------------------


async def test_the_server_sees_the_application_name(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    async with DIALECT.connect(postgres_config):
        name = await value(
            postgres_url,
            "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'dbw%'"
            " AND datname = current_database()",
        )

    assert name == f"dbwarden primary {socket.gethostname()}:{os.getpid()}"


async def test_the_application_name_of_the_url_is_kept(
    postgres_url: str, make_config: MakeConfig
) -> None:
    async with DIALECT.connect(make_config(postgres_url + "?application_name=shop")):
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'shop primary %'"
        assert await value(postgres_url, query) == 1


def test_an_application_name_keeps_the_process_number_within_63_bytes() -> None:
    writer = Writer(application="x", host="höst-" * 30, pid=4711, dbwarden_version="1")
    name = application_name("tenant_ä", writer)

    assert len(name.encode()) == 63
    assert name.startswith("dbwarden tenant_? h?st-")
    assert name.endswith(":4711")


async def test_read_only_is_enforced_by_the_server(postgres_config: DatabaseConfig) -> None:
    async with DIALECT.connect(postgres_config, read_only=True) as connection:
        for _ in range(2):
            assert not (await connection.read()).read_only
        with pytest.raises(ServerRefused, match="read-only"):
            await connection._session.send("CREATE TABLE a ()")
        with pytest.raises(ReadOnlyDatabase):
            await connection.run([work(1, "CREATE TABLE a ()")], Done())
        with pytest.raises(ReadOnlyDatabase):
            await connection.create_ledger()


async def test_read_only_applies_before_the_first_read(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    async with DIALECT.connect(postgres_config, read_only=True) as connection:
        with pytest.raises(ReadOnlyDatabase):
            await connection.create_ledger()

    assert await tables(postgres_url) == set()


# -- which of several hosts -----------------------------------------------------------------------


async def test_read_write_finds_the_primary_also_to_read_only(
    make_config: MakeConfig,
) -> None:
    async with embedded_server(tcp=True) as primary, streaming_replica(primary) as replica:
        hosts = f"127.0.0.1:{replica.port},127.0.0.1:{primary.port}"
        base = f"postgresql://postgres@{hosts}/postgres?target_session_attrs="
        for wanted, in_recovery in [
            *(("read-write", False), ("primary", False), ("standby", True), ("any", True)),
            *(("read-only", True), ("prefer-standby", True)),
        ]:
            async with DIALECT.connect(make_config(base + wanted), read_only=True) as connection:
                reading = await connection.read()
            assert (reading.replica is not None) == in_recovery, wanted
            assert reading.read_only == in_recovery

        only = f"postgresql://postgres@127.0.0.1:{replica.port}/postgres"
        error = await refusal(make_config(only + "?target_session_attrs=primary"))
        assert "target_session_attrs=primary" in error.message
