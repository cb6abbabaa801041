"""No password shows: not in any option, on any channel, nor in the frames of any error."""

import asyncio
import json
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import anyio
import pytest
from fastapi import Depends, FastAPI
from httpx import ASGITransport, AsyncClient
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import SecretStr
from sqlalchemy import text

import dbwarden
from dbwarden.cli.app import run
from dbwarden.config.libpq import asyncpg_arguments
from dbwarden.config.registry import DatabaseOptions, TenantOptions
from dbwarden.config.urls import parse_url
from dbwarden.dialects.postgresql.migrate.connecting import connect
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from dbwarden.errors import ConfigurationError
from dbwarden.fastapi import (
    DBWardenHealthRouter,
    DBWardenStatusPage,
    get_session,
    migration_context,
)
from dbwarden.secrets import remember
from tests.acceptance.canary import CANARY, ENCODED, MARK, configure, everything_in, judge
from tests.urls import revealed

NOBODY = f"postgresql://ann:{ENCODED}@127.0.0.1:1/db"
RAW = f"postgresql://ann:{CANARY}@127.0.0.1:1/db"
TENANTS = NOBODY + "_{tenant_id}"

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("settings", "--all"),
    ("settings", "--all", "--json"),
    ("databases",),
    ("databases", "--tenants", "--json"),
    ("status", "--all", "--log-level", "debug"),
    ("check", "--all", "--json", "--log-format", "json"),
    ("migrate", "--all", "--json", "--log-format", "console"),
    ("check", "--all", "--dev"),
    ("health", "--all"),
    ("check", "--models", "--all"),
    ("settings", "--help"),
)
"""Every channel of the command line: tables, JSON, progress, errors, both formats of the log."""


# -- every option, on every channel ---------------------------------------------------------------

BASE: dict[Any, dict[str, object]] = {
    DatabaseOptions: {
        "database_name": "primary",
        "database_type": "postgresql",
        "database_url": "postgresql://127.0.0.1:1/db",
        "connect_timeout": 2.0,
    },
    TenantOptions: {
        "name": "t_{tenant_id}",
        "database_type": "postgresql",
        "database_url": "postgresql://127.0.0.1:1/db_{tenant_id}",
        "tenants": ["a"],
        "connect_timeout": 2.0,
    },
}
CALLS = {DatabaseOptions: "database_config", TenantOptions: "tenant_databases"}
OPTIONS = [
    pytest.param(kind, name, id=f"{CALLS[kind]}.{name}")
    for kind in BASE
    for name in sorted(get_type_hints(kind))
]
"""Derived from the types: a new option is tested without a line here."""


def values(kind: Any) -> list[object]:
    url = NOBODY if kind is DatabaseOptions else TENANTS
    return [
        url,
        RAW,
        RAW + "_{tenant_id}",
        [RAW],
        {"connect_args": {"password": CANARY, "dsn": NOBODY}},
        {RAW: 1},
        f"={SecretStr.__name__}({url!r})",
        f"=make_url({NOBODY!r})",
        f"=lambda: {url!r}",
        f"=lambda: [{RAW!r}]",
    ]


@pytest.mark.long(share=6)
@pytest.mark.parametrize(("kind", "option"), OPTIONS)
def test_no_option_shows_a_password_on_any_channel(
    folder: Path, capsys: pytest.CaptureFixture[str], kind: Any, option: str
) -> None:
    commands = COMMANDS
    for value in values(kind):
        configure(folder, CALLS[kind], **{**BASE[kind], option: value})
        try:
            shown, untried = repr(dbwarden.load_project()), commands
        except dbwarden.DBWardenError as error:
            shown, untried = "\n".join(everything_in(error)), COMMANDS[:1]
        else:
            commands = COMMANDS[:2]  # one good value goes through all, the others are looked at
        for command in untried:
            run(command)
            captured = capsys.readouterr()
            shown += captured.out + captured.err
        assert shown
        assert MARK not in shown, (value, [line for line in shown.splitlines() if MARK in line])


def test_the_urls_of_a_configuration_are_shown_without_their_passwords(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = "postgresql://ann:***@127.0.0.1:1/db"
    urls = dict.fromkeys(("database_url", "migration_url", "scratch"), NOBODY)
    dev = {"dev_database_url": NOBODY + "_dev"}
    configure(folder, "database_config", database_name="primary", **urls, **dev)
    assert run(["settings", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["databases"]
    assert {name: told[name] for name in [*urls, *dev]} == {
        **dict.fromkeys(urls, shown),
        "dev_database_url": f"{shown}_dev",
    }
    config = dbwarden.load_project().default
    assert revealed(config.database_url) == NOBODY
    assert MARK not in str({each.name: getattr(config, each.name) for each in fields(config)})


@pytest.mark.parametrize("option", ["migrations_dir", "scratch_setup", "schema_paths"])
def test_a_url_in_place_of_a_path_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    value = [NOBODY] if option == "schema_paths" else NOBODY
    options = {**BASE[DatabaseOptions], option: value}
    configure(folder, "database_config", **options)
    assert run(["settings"]) == 2
    assert f"primary.{option}: must be a path, not a URL (dbwarden.py:4)" in capsys.readouterr().err


# -- the frames of every error --------------------------------------------------------------------


def settings(server: EmbeddedServer) -> dict[str, dict[str, object]]:
    """The ways to give a password that a server then refuses, or never gets to see."""
    place = f"127.0.0.1:{server.port}"
    refused = f"postgresql://ann:{ENCODED}@{place}/postgres"
    return {
        "url": {"database_url": refused},
        "query": {"database_url": f"postgresql://{place}/db?user=ann&password={ENCODED}"},
        "sqlalchemy": {"database_url": f"=make_url({refused!r})"},
        "function": {"database_url": f"=lambda: {refused!r}"},
        "function that fails": {"database_url": f"=lambda: {{}}[{CANARY!r}]"},
        "function with nonsense": {"database_url": f"=lambda: {RAW!r}"},
        "tls": {"database_url": f"{refused}?sslmode=require"},
        "passphrase": {
            "database_url": f"postgresql://ann@{place}/db?sslmode=require&sslcert=dbwarden.py"
            f"&sslkey=dbwarden.py&sslpassword={ENCODED}"
        },
        "nobody": {"database_url": NOBODY},
        "silent": {"database_url": refused, "connect_timeout": 0.000_001},
        "environment": {"database_url": f"postgresql://ann@{place}/postgres"},
        "passfile": {"database_url": f"postgresql://ann@{place}/postgres?passfile=passes"},
        "migration_url": {"database_url": NOBODY, "migration_url": refused},
        "engine_options": {
            "database_url": refused,
            "engine_options": {"connect_args": {"password": CANARY}, "nonsense": 1},
        },
    }


WAYS = tuple(settings(EmbeddedServer(tcp=True)))


@pytest.fixture(params=WAYS)
def way(request: Any, folder: Path, strict: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """A project in *folder* whose password is wrong, given in each way."""
    options = {"database_name": "primary", "database_type": "postgresql"}
    configure(folder, "database_config", **options, **settings(strict)[request.param])
    if request.param == "environment":
        monkeypatch.setenv("PGPASSWORD", CANARY)
    if request.param == "function that fails":  # after a call that gave a URL with this password
        remember(CANARY)
    escaped = CANARY.replace("\\", "\\\\").replace(":", "\\:")
    (folder / "passes").write_text(f"*:*:*:*:{escaped}\n")
    (folder / "passes").chmod(0o600)
    return str(request.param)


async def sessions() -> None:
    """What a request does."""
    opening = get_session("primary")()
    session = await anext(opening)
    await session.execute(text("SELECT 1"))


async def startup() -> None:
    async with migration_context(mode="check"):
        pass


OPERATIONS: dict[str, Callable[[], Any]] = {
    "status": lambda: dbwarden.status("primary"),
    "migrate": lambda: dbwarden.migrate("primary"),
    "check": lambda: dbwarden.check("primary"),
    "create_database": lambda: dbwarden.create_database("primary"),
    "generate_models": lambda: dbwarden.generate_models("primary"),
    "sessions": sessions,
    "startup": startup,
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
async def test_no_error_of_connecting_holds_a_password(
    way: str, operation: Callable[[], Any]
) -> None:
    with pytest.raises(Exception) as caught:  # each way has its own
        await operation()
    # A configuration that cannot be read would never reach the driver and its frames.
    assert not isinstance(caught.value, ConfigurationError), caught.value
    judge(caught.value)


async def test_a_cancelled_connect_holds_no_password(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        port = silent.getsockname()[1]
        url = f"postgresql://ann:{ENCODED}@127.0.0.1:{port}/db?sslmode=disable"
        configure(folder, "database_config", database_name="primary", database_url=url)
        task = asyncio.create_task(dbwarden.status("primary"))
        connection, _ = await asyncio.get_running_loop().sock_accept(silent)
        with connection:
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
    judge(caught.value)


def test_scratch_with_a_wrong_password_shows_none(
    folder: Path, strict: EmbeddedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "schema.sql").write_text("CREATE TABLE t (id int);")
    configure(
        folder,
        "database_config",
        **BASE[DatabaseOptions],
        schema_paths=["schema.sql"],
        scratch=f"postgresql://ann:{ENCODED}@127.0.0.1:{strict.port}/postgres",
    )
    assert run(["check", "--models"]) != 0
    captured = capsys.readouterr()
    assert "ann" in captured.err
    assert MARK not in captured.out + captured.err


def client() -> AsyncClient:
    """An application with every route of dbwarden and one of its own."""
    app = FastAPI()
    app.include_router(DBWardenHealthRouter(), prefix="/health")
    app.include_router(DBWardenStatusPage(authorize=lambda request: True), prefix="/page")

    @app.get("/route")
    async def route(session: Any = Depends(get_session("primary"))) -> None:  # noqa: B008
        await session.execute(text("SELECT 1"))

    transport = ASGITransport(app=app, raise_app_exceptions=False)
    return AsyncClient(transport=transport, base_url="http://test")


async def test_health_and_page_show_no_password(way: str) -> None:
    async with client() as application:
        for path in ("/health", "/health/primary", "/page", "/page/data", "/route"):
            answer = await application.get(path)
            assert MARK not in answer.text + str(answer.headers)


async def test_no_span_shows_a_password(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    for operation in (startup, sessions):  # inside a span of the application, which records errors
        with suppress(Exception), trace.get_tracer("app").start_as_current_span("request"):
            await operation()
    async with client() as application:
        await application.get("/health")
    spans = exporter.get_finished_spans()
    names = [span.name for span in spans]
    assert [names.count(name) for name in ("request", "dbwarden startup")] == [2, 1]
    assert "dbwarden health" in names
    recorded = [event for span in spans for event in span.events]
    assert {(event.attributes or {})["exception.type"] for event in recorded} >= {
        "dbwarden.errors.StartupFailed"
    }
    assert [shown for span in spans if MARK in (shown := span.to_json())] == []


def test_a_connection_keeps_no_password(strict: EmbeddedServer) -> None:
    url = parse_url(f"postgresql://ann:another@127.0.0.1:{strict.port}/postgres")

    async def look() -> str:
        connection = await connect(asyncpg_arguments(url))
        try:
            return repr((connection, connection._params))
        finally:
            await connection.close()

    assert "another" not in anyio.run(look)


@pytest.mark.parametrize("as_json", [False, True])
def test_a_failed_statement_shows_its_passwords_nowhere(
    postgres_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    as_json: bool,
) -> None:
    options = {"database_name": "primary", "database_type": "postgresql", "default": True}
    configure(tmp_path, "database_config", database_url=postgres_url, **options)
    folder = tmp_path / "migrations" / "primary"
    folder.mkdir(parents=True)
    (folder / "primary__0001_role.sql").write_text(
        f"-- upgrade\nALTER ROLE nobody_here\n  PASSWORD '{MARK}';\n-- rollback\nSELECT 1;\n"
    )
    monkeypatch.chdir(tmp_path)
    assert run(["migrate", *(["--json"] if as_json else [])]) == 1
    out, err = capsys.readouterr()
    assert "PASSWORD '***'" in out + err
    assert MARK not in out + err
