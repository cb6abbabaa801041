"""200 tenants on a server of 100 connections, half of which the application uses for itself."""

import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio.to_thread
import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer, embedded_server
from dbwarden.fastapi import DBWardenHealthRouter, migration_context
from tests import commands

IDS = [f"n{number:03d}" for number in range(200)]
NAMES = [f"t_{each}" for each in IDS]

CONFIGURATION = """
from dbwarden import database_config, tenant_databases

PATIENT = {{"timeout": 600, "connect_timeout": 100}}
database_config(database_name="primary", database_url={url!r}, default=True, **PATIENT)
tenant_databases(
    name="t_{{tenant_id}}",
    database_url={url!r} + "?options=-csearch_path%3Dt_{{tenant_id}}",
    tenants={ids!r},
    **PATIENT,
)
"""


@pytest.fixture
async def crowded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[tuple[Path, EmbeddedServer]]:
    """A project folder and its server; its tenants are namespaces with one pending migration."""
    monkeypatch.chdir(tmp_path)
    async with (
        embedded_server(settings={"max_connections": "100"}, tcp=True) as server,
        AsyncExitStack() as stack,
    ):
        for _ in range(50):
            connection = await asyncpg.connect(server.url())
            stack.push_async_callback(connection.close)
        await connection.execute(";".join(f"CREATE SCHEMA {name}" for name in NAMES))
        text = CONFIGURATION.format(url=server.url(), ids=IDS)
        (tmp_path / "dbwarden.py").write_text(text)
        commands.migration(tmp_path, "primary", "0001_users", "CREATE TABLE users (id int);")
        commands.migration(tmp_path, "t", "0001_notes", "CREATE TABLE notes (id int);")
        yield tmp_path, server


@pytest.mark.long
async def test_a_crowded_server_holds_up_no_tenant(
    crowded: tuple[Path, EmbeddedServer],
) -> None:
    folder, server = crowded
    for command in ("migrate", "check"):
        ran = await commands.dbwarden(folder, command, "--all", "--json")
        assert ran.code == 0, ran.err
        assert ran.json["summary"] == {"succeeded": 201}
        assert [each["database"] for each in ran.json["databases"]] == ["primary", *NAMES]

    app = FastAPI()
    router = DBWardenHealthRouter(list_tenants=True, probe_timeout=200.0, deadline=400.0)
    app.include_router(router, prefix="/health")
    transport = httpx.ASGITransport(app=app)
    async with (
        migration_context(mode="check", all_databases=True),
        httpx.AsyncClient(transport=transport, base_url="http://app", timeout=500) as client,
    ):
        listed: list[Any] = []
        after: str | None = ""
        while after is not None:
            answer = await client.get("/health", params={"tenants": "all", "after": after})
            assert answer.status_code == 200, json.dumps(answer.json())
            listed += answer.json()["databases"]
            after = answer.json()["next"]
    assert [each["database"] for each in listed] == ["primary", *NAMES]
    assert {each["status"] for each in listed} == {"ok"}
    log = await anyio.to_thread.run_sync(lambda: server.log)
    assert "FATAL" not in log  # no connection was refused, not even one that was retried
