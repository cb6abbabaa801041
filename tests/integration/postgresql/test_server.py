"""The embedded server starts fast, is reachable from this machine only, and never stays behind."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import anyio
import asyncpg
import pytest

from dbwarden.dialects.postgresql.scratch import binaries, server
from dbwarden.dialects.postgresql.scratch import server_folders as folders
from dbwarden.dialects.postgresql.scratch.binaries import (
    Binaries,
    ServerUser,
    find_binaries,
    readable_copy,
)
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer, embedded_server
from dbwarden.errors import ConnectError, UsageError
from tests.integration.postgresql.helpers import until, value
from tests.servers import open_folder


def running(folder: Path) -> bool:
    """Whether any process has *folder* in its command line."""
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and str(folder) in (process / "cmdline").read_text():
                return True
        except OSError:
            continue
    return False


async def test_the_server_starts_serves_and_leaves_nothing_behind() -> None:
    async with embedded_server(tcp=True) as mine:
        folder = mine.folder
        assert await value(mine.url(), "SELECT 1") == 1
        assert running(folder)

    assert not folder.exists()
    assert not running(folder)


async def test_several_servers_run_concurrently() -> None:
    async with anyio.create_task_group() as tasks:
        seen: list[str] = []

        async def one(n: int) -> None:
            async with embedded_server(tcp=True) as mine:
                await mine.create_database(f"db{n}")
                seen.append(await value(mine.url(f"db{n}"), "SELECT current_database()"))

        for n in range(3):
            tasks.start_soon(one, n)

    assert sorted(seen) == ["db0", "db1", "db2"]


async def test_the_server_is_reachable_from_this_machine_only() -> None:
    async with embedded_server(tcp=True) as mine:
        assert await value(mine.url(), "SHOW listen_addresses") == "127.0.0.1"
    async with embedded_server() as quiet:
        assert await value(quiet.url(), "SHOW listen_addresses") == ""
        with pytest.raises(OSError):
            await asyncpg.connect(host="127.0.0.1", port=quiet.port, user="postgres", timeout=5)
        # Nobody else enters the folder with its socket.
        assert quiet.folder.stat().st_mode & 0o077 == 0


async def test_settings_of_the_url_take_precedence() -> None:
    async with embedded_server(settings={"max_connections": "17", "fsync": "on"}, tcp=True) as mine:
        assert await value(mine.url(), "SHOW max_connections") == "17"
        assert await value(mine.url(), "SHOW fsync") == "on"
        assert await value(mine.url(), "SHOW full_page_writes") == "off"


async def test_a_database_is_created_from_a_template_and_dropped_with_its_connections() -> None:
    async with embedded_server(tcp=True) as mine:
        url = await mine.create_database('odd "name"/?')
        await asyncpg_execute(url, "CREATE TABLE a ()")
        copy = await mine.create_database("copy", template='odd "name"/?')
        assert await value(copy, "SELECT to_regclass('a') IS NOT NULL")

        guest = await asyncpg.connect(copy)
        await mine.drop_database("copy")
        assert guest.is_closed() or await until(lambda: closed(guest))
        await mine.drop_database("copy")


async def closed(connection: asyncpg.Connection) -> bool:
    return bool(connection.is_closed())


async def asyncpg_execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(sql)
    await connection.close()


async def test_a_data_folder_stays_and_is_used_again() -> None:
    with open_folder() as folder:
        data = folder / "data"
        async with embedded_server(data=data, tcp=True) as mine:
            await mine.create_database("kept")
            assert await value(mine.url(), "SHOW fsync") == "on"
            second = EmbeddedServer(data=data, tcp=True)
            with pytest.raises(UsageError, match="a server already runs on"):
                await anyio.to_thread.run_sync(second.start)
            await anyio.to_thread.run_sync(second.stop)
            assert await value(mine.url("kept"), "SELECT 1") == 1

        assert not running(data)
        async with embedded_server(data=data, tcp=True) as again:
            assert await value(again.url("kept"), "SELECT 1") == 1

        (data / "PG_VERSION").write_text("9.6\n")
        with pytest.raises(UsageError, match=r"was made by PostgreSQL 9\.6"):
            async with embedded_server(data=data, tcp=True):
                pass


async def test_a_run_continues_after_a_crash_and_after_a_pause() -> None:
    async with embedded_server(tcp=True) as mine:
        url = await mine.create_database("kept")
        for end in (mine.halt, mine.crash):
            await anyio.to_thread.run_sync(end)
            with pytest.raises(OSError):
                await asyncpg.connect(url, timeout=5)
            await anyio.to_thread.run_sync(mine.start)
            assert await value(url, "SELECT 1") == 1


async def test_a_cancelled_start_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_folder() as folder:
        folder.chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        monkeypatch.setenv("TMPDIR", str(folder))
        with anyio.move_on_after(0.05) as scope:
            async with embedded_server(tcp=True) as mine:
                assert mine.folder.parent == folder
                await anyio.sleep_forever()

        assert scope.cancelled_caught
        assert os.listdir(folder) == []
        assert not running(folder)


STARTS_AND_DIES = """
import os, signal, sys
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
server = EmbeddedServer(tcp=True)
server.start()
print(server.folder, flush=True)
if sys.argv[1] == "exit":
    sys.exit(0)
os.kill(os.getpid(), int(sys.argv[1]))
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, "exit"])
async def test_a_server_ends_with_the_process_that_started_it(end: signal.Signals | str) -> None:
    died = await anyio.run_process(
        [sys.executable, "-c", STARTS_AND_DIES, str(int(end) if end != "exit" else end)],
        check=False,
    )
    folder = Path(died.stdout.decode().strip())
    assert folder.name.startswith("dbwarden-postgresql-"), died.stderr

    async def gone() -> bool:
        return folder.name not in os.listdir(folder.parent) and not running(folder)

    await until(gone)


async def test_a_server_that_died_by_itself_is_stopped_without_complaint() -> None:
    async with embedded_server(tcp=True) as mine:
        pid = int((mine.data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        folder = mine.folder
        await anyio.sleep(0.1)

    assert not folder.exists()


async def test_a_folder_of_a_dead_process_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its server came, or while it removed the folder and had begun with its own mark."""
    with open_folder() as parent:
        parent.chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", str(parent))
        monkeypatch.setenv("TMPDIR", str(parent))
        forgotten, used, half_gone = (parent / f"{folders.PREFIX}{n}" for n in range(3))
        for folder in (forgotten, used, half_gone):
            folder.mkdir()
            (folder / "data").mkdir()
            (folder / "data" / "PG_VERSION").touch()
        os.close(folders.claim(forgotten))
        descriptor = folders.claim(used)

        async with embedded_server(tcp=True) as mine:
            assert set(os.listdir(parent)) == {used.name, mine.folder.name}
            await anyio.to_thread.run_sync(folders.sweep, parent)
            assert mine.folder.name in os.listdir(parent)
        os.close(descriptor)


def test_foreign_folders_are_not_removed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "kept").touch()
    (tmp_path / f"{folders.PREFIX}link").symlink_to(other)
    inside = tmp_path / f"{folders.PREFIX}inside"
    inside.mkdir()
    (inside / "owner").symlink_to(other / "made")

    folders.sweep(tmp_path)

    assert os.listdir(other) == ["kept"]
    assert inside.exists()


SWEPT = """
import os, sys
from pathlib import Path
from dbwarden.dialects.postgresql.scratch import server_folders as folders
while True:
    folder, owner = folders.owned_folder(Path(sys.argv[1]))
    (folder / "file").touch()
    print("ours" if (folder / "owner").exists() else "swept", flush=True)
    folders.shutil.rmtree(folder, ignore_errors=True)
    os.close(owner)
"""


def test_a_folder_under_construction_is_never_removed(tmp_path: Path) -> None:
    """Another process makes them one after the other while this one sweeps all the time."""
    makers = [
        subprocess.Popen(
            [sys.executable, "-c", SWEPT, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    try:
        for maker in makers:
            assert maker.stdout is not None
            for _ in range(200):
                folders.sweep(tmp_path)
                assert maker.stdout.readline() == "ours\n"
    finally:
        for maker in makers:
            maker.kill()
            maker.communicate()
    folders.sweep(tmp_path)
    assert os.listdir(tmp_path) == []


async def test_a_server_that_cannot_start_reports_the_reason() -> None:
    with pytest.raises(ConnectError, match="did not start") as caught:
        async with embedded_server(settings={"no_such_setting": "1"}, tcp=True):
            pass

    assert "no_such_setting" in (caught.value.detail or "")


async def test_a_port_taken_in_the_meantime_is_replaced(
    monkeypatch: pytest.MonkeyPatch, postgres_server: EmbeddedServer
) -> None:
    ports = iter([postgres_server.port])
    free = server._free_port
    monkeypatch.setattr(server, "_free_port", lambda: next(ports, None) or free())

    async with embedded_server(tcp=True) as mine:
        assert mine.port != postgres_server.port
        assert await value(mine.url(), "SELECT 1") == 1


# -- finding the programs -------------------------------------------------------------------------


def test_the_wheel_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(binaries.BIN_VARIABLE, raising=False)
    monkeypatch.setenv("PATH", "")

    found = find_binaries()

    assert "pginstall" in found.bindir.parts
    assert found.major >= 18
    assert found.version.startswith(f"{found.major}.")


def test_the_variable_names_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bindir = find_binaries().bindir
    monkeypatch.setenv(binaries.BIN_VARIABLE, str(bindir))
    assert find_binaries().bindir == bindir

    monkeypatch.setenv(binaries.BIN_VARIABLE, str(tmp_path))
    with pytest.raises(UsageError, match="holds no PostgreSQL server") as caught:
        find_binaries()
    assert "initdb" in (caught.value.next_step or "")


def test_without_any_server_the_error_names_the_ways_to_get_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(binaries.BIN_VARIABLE, raising=False)
    monkeypatch.setattr(binaries, "_candidates", lambda: iter([Path("/no/such/folder")]))

    with pytest.raises(UsageError) as caught:
        find_binaries()

    assert "pip install 'dbwarden[scratch]'" in (caught.value.next_step or "")


def test_pg_config_and_the_usual_folders_are_searched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    (tmp_path / "pg_config").write_text(f"#!/bin/sh\necho {tmp_path}/from_pg_config\n")
    (tmp_path / "pg_config").chmod(0o755)
    (tmp_path / "postgres").write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 14.2'\n")
    (tmp_path / "postgres").chmod(0o755)
    (tmp_path / "initdb").touch()
    monkeypatch.setenv("PATH", str(tmp_path))

    candidates = list(binaries._candidates())

    assert candidates[0] == tmp_path / "from_pg_config"
    assert candidates[-1] == tmp_path
    assert binaries._binaries(tmp_path) == Binaries(bindir=tmp_path, version="14.2")


def test_programs_that_are_too_old_are_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "postgres").write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 13.22'\n")
    (tmp_path / "postgres").chmod(0o755)
    (tmp_path / "initdb").touch()
    monkeypatch.setenv(binaries.BIN_VARIABLE, str(tmp_path))

    with pytest.raises(UsageError, match=r"holds PostgreSQL 13\.22, but dbwarden needs 14"):
        find_binaries()


def test_the_newest_version_of_the_system_comes_first() -> None:
    folders = [Path(f"/usr/lib/postgresql/{n}/bin") for n in (9, 15, 18)]

    assert sorted(folders, key=binaries._newest_first)[0] == folders[2]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
async def test_root_runs_the_server_as_another_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(binaries.BIN_VARIABLE, raising=False)
    found = await anyio.to_thread.run_sync(find_binaries)
    copied = await anyio.to_thread.run_sync(copy_for_root_only, found, tmp_path / "site")
    monkeypatch.setenv(binaries.BIN_VARIABLE, str(copied))

    async with embedded_server(tcp=True) as mine:
        assert mine.binaries is not None
        assert mine.binaries.bindir.is_relative_to(mine.folder)
        assert await value(mine.url(), "SELECT 1") == 1
        folder = mine.folder
    assert not folder.exists()


def copy_for_root_only(found: Binaries, site: Path) -> Path:
    install = found.bindir.parent
    libraries = install.parent.with_name(f"{install.parent.name}.libs")
    shutil.copytree(install, site / install.parent.name / install.name, symlinks=True)
    if libraries.is_dir():
        shutil.copytree(libraries, site / libraries.name)
    site.chmod(0o700)
    return site / install.parent.name / install.name / "bin"


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_programs_that_can_be_read_are_used_where_they_are(tmp_path: Path) -> None:
    found = find_binaries()

    assert readable_copy(found, ServerUser(), tmp_path) is found


def test_programs_that_cannot_run_anywhere_are_an_error(tmp_path: Path) -> None:
    bindir = _made(tmp_path / "a" / "b" / "bin")
    (bindir / "postgres").write_text("nothing to run")

    with pytest.raises(UsageError, match="cannot read"):
        readable_copy(Binaries(bindir=bindir, version="1.0"), ServerUser(), _made(tmp_path / "to"))


def test_a_system_without_an_unprivileged_user_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwall", lambda: [])
    with pytest.raises(UsageError, match="refuses to run as root"):
        binaries.runner()

    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert binaries.runner() == ServerUser()

    monkeypatch.setattr(os, "name", "nt")
    with pytest.raises(UsageError, match="Linux and macOS only"):
        binaries.runner()
