"""A temporary server starts with the data folder that an earlier initdb created."""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import anyio
import asyncpg
import pytest

from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from tests.servers import open_folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where archives are kept in this test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "dbwarden"


@contextmanager
def running(data: Path | None = None) -> Generator[EmbeddedServer]:
    server = EmbeddedServer(data=data, tcp=True)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def identifier(data: Path | None = None) -> int:
    """Start a server, ask for its system identifier, stop it. Copies of one folder share theirs."""

    async def ask(url: str) -> int:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
            found: int = await connection.fetchval(
                "SELECT system_identifier FROM pg_control_system()"
            )
            return found
        finally:
            await connection.close()

    with running(data) as server:
        return anyio.run(ask, server.url())


def only_archive(cache: Path) -> Path:
    (archive,) = cache.iterdir()
    assert archive.stat().st_mode & 0o777 == 0o600
    return archive


def test_the_second_server_starts_like_the_first(cache: Path) -> None:
    first = identifier()
    only_archive(cache)

    assert identifier() == first
    only_archive(cache)


@pytest.mark.long
def test_a_persistent_server_is_no_copy(cache: Path) -> None:
    first = identifier()

    with open_folder() as folder:
        assert identifier(folder / "data") != first


def test_an_incomplete_archive_is_created_again(cache: Path) -> None:
    first = identifier()
    archive = only_archive(cache)
    archive.write_bytes(archive.read_bytes()[:1_000_000])

    second = identifier()

    assert second != first
    assert identifier() == second


def test_an_archive_that_others_can_write_is_left_alone(cache: Path) -> None:
    first = identifier()
    archive = only_archive(cache)
    archive.chmod(0o660)

    second = identifier()
    assert second != first

    archive.chmod(0o600)
    cache.chmod(0o770)
    assert identifier() not in (first, second)


def test_only_the_newest_archives_are_kept(cache: Path) -> None:
    cache.mkdir(parents=True)
    for number in range(5):
        (cache / f"initdb-1{number}.0-0123.tar").write_bytes(b"")

    identifier()

    assert len(list(cache.iterdir())) == 3


def test_a_draft_whose_process_was_killed_is_removed(cache: Path) -> None:
    cache.mkdir(parents=True, mode=0o700)
    abandoned, used = (cache / f".initdb-18.0-0.tar.{pid}" for pid in (1, 2))
    abandoned.write_bytes(b"half")
    with used.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with running():
            pass
        assert not abandoned.exists()
        assert used.exists()


def test_an_unwritable_home_is_no_cache(cache: Path) -> None:
    cache.parent.write_text("no folder")

    identifier()

    assert cache.parent.read_text() == "no folder"
