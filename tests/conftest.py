"""Fixtures of all tests: a clean environment, and an embedded PostgreSQL on demand."""

import os
import uuid
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any
from zlib import crc32

import anyio
import pytest
import structlog  # noqa: F401  # else the first event of a test would import it in the loop
from blockbuster import blockbuster_ctx
from coverage import Coverage
from hypothesis import settings

from dbwarden import telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.postgresql.scratch.binaries import BIN_VARIABLE
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from dbwarden.types import DatabaseName

_PARSING = {"_parse_connect_dsn_and_args", "_read_password_file", "_dot_postgresql_path"}

settings.register_profile("dbwarden", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("dbwarden")

MakeConfig = Callable[..., DatabaseConfig]

LONG_RUN = bool(os.environ.get("DBWARDEN_LONG"))
"""Whether this is ``make long``, which runs what takes too long for ``make test``."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave to ``make long`` what is marked ``long``, except the share that ``make test`` takes.

    Measuring coverage doubles the time of a test, and the fiftieth case of a test reaches the
    lines of the first: of a test with many cases, one in ten is measured.
    """
    left = [] if LONG_RUN else [item for item in items if _is_long(item)]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if not _is_long(item)]
    cases = Counter(item.nodeid.partition("[")[0] for item in items)
    for item in items:
        if cases[item.nodeid.partition("[")[0]] > 20 and not _is_in_share(item, 10):
            item.add_marker("no_cover")


def _is_long(item: pytest.Item) -> bool:
    """Decide whether *item* is for the long run."""
    marker = item.get_closest_marker("long")
    return marker is not None and not _is_in_share(item, marker.kwargs.get("share"))


def _is_in_share(item: pytest.Item, share: int | None) -> bool:
    """Decide by its name whether *item* is one in *share*: the same in each run."""
    return share is not None and crc32(item.name.encode()) % share == 0


@pytest.fixture
def anyio_backend() -> str:
    """asyncpg and aiosqlite know asyncio only."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is kept for the next server is kept for the next test, not in somebody's home."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # the workers share it
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests gets into one."""
    for name in list(os.environ):
        if name.startswith(("DBWARDEN_", "PG")) and name != BIN_VARIABLE:
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def no_log_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test's command configured for its own stderr is not written to by the next test."""
    monkeypatch.setattr(telemetry, "_output", None)


@pytest.fixture(autouse=True)
def nothing_blocks_the_event_loop() -> Generator[None]:
    """Our own coroutines never block; what tests do around them may."""
    with blockbuster_ctx(scanned_modules="dbwarden") as guard:
        # The driver looks for ~/.pgpass and for certificates: small files, once a connection.
        for call in (
            "os.stat",
            "io.BufferedReader.read",
            "io.TextIOWrapper.read",
            "os.path.abspath",
        ):
            if call in guard.functions:
                guard.functions[call].can_block_in("asyncpg/connect_utils.py", _PARSING)
        if Coverage.current() is not None:
            # The lock that the tracers of two threads share is taken inside of any function.
            guard.functions["threading.Lock.acquire"].deactivate()
        yield


@pytest.fixture(scope="session")
def postgres_server(cache_of_the_session: None) -> Generator[EmbeddedServer]:
    """One embedded PostgreSQL for all tests of the session that ask for it."""
    server = EmbeddedServer(tcp=True)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def postgres_url(postgres_server: EmbeddedServer) -> Generator[str]:
    """The URL of a fresh, empty database."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield anyio.run(postgres_server.create_database, name)
    anyio.run(postgres_server.drop_database, name)


@pytest.fixture
def make_config(tmp_path: Path) -> MakeConfig:
    """Makes a ``DatabaseConfig`` in the test's own folder: ``make_config(url, lock_retries=0)``."""

    def make(url: Any, *, database_name: str = "primary", **options: Any) -> DatabaseConfig:
        folder = tmp_path / "migrations" / database_name
        folder.mkdir(parents=True, exist_ok=True)
        defaults = {"database_type": "postgresql", "root": tmp_path, "migrations_dir": folder}
        return DatabaseConfig(
            database_name=DatabaseName(database_name), database_url=url, **{**defaults, **options}
        )

    return make


@pytest.fixture
def postgres_config(postgres_url: str, make_config: MakeConfig) -> DatabaseConfig:
    """A database that is configured and empty."""
    return make_config(postgres_url)
