"""The project's own PostgreSQL keeps its databases when it stops and starts."""

import os
import select
import signal
import stat
from hashlib import sha256
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from dbwarden.errors import UsageError
from dbwarden.operations.dev_server import dev_server_start, dev_server_status, dev_server_stop
from tests.integration.authoring.commands import configure, run
from tests.integration.authoring.conftest import Project
from tests.servers import open_folder


@pytest.mark.long
async def test_the_development_server_keeps_its_databases(project: Project) -> None:
    configure(project, dev_database_url="embedded")
    code, out, _ = await run(project, "dev-server", "status")
    assert (code, out) == (3, "The development server is not running.\n")
    code, _, err = await run(project, "status", "--dev")
    assert code == 1
    assert "error: primary: the project's development server does not run\n" in err
    assert "next: Start it: dbwarden dev-server start\n" in err
    try:
        code, out, err = await run(project, "dev-server", "start")
        assert (code, err) == (0, "")
        assert "postgresql://postgres@/primary?host=" in out
        assert (await run(project, "make-migrations", "-m", "users"))[0] == 0
        code, out, _ = await run(project, "diff", "--dev")
        assert (code, "  add table users\n" in out) == (3, True)
        assert (await run(project, "migrate", "--dev"))[0] == 0
        assert (await run(project, "diff", "--dev", "--models"))[0] == 0
        assert "CREATE TABLE users" in (await run(project, "schema", "--live", "--dev"))[1]
        code, _, err = await run(project, "schema", "--dev")
        assert (code, "next: Add --live, or leave --dev out.\n" in err) == (2, True)
        assert (await run(project, "dev-server", "start"))[0] == 0  # it runs already
        assert (await run(project, "dev-server", "stop"))[0] == 0
        assert (await run(project, "status", "--dev"))[0] == 1
        assert (await run(project, "dev-server", "start"))[0] == 0
        code, out, _ = await run(project, "check", "--dev")
        assert (code, "ok" in out) == (0, True)
    finally:
        code, out, err = await run(project, "dev-server", "stop", "--remove")
    assert (code, err) == (0, "")
    assert out == "The development server has stopped, and its databases are deleted.\n"


async def test_a_server_inside_the_project_is_found_again() -> None:
    """Its folder is private to the user it runs as, who is not always the one who asks."""
    with open_folder() as folder:
        root = folder / "project"
        root.mkdir()
        folder.chmod(0o755)
        try:
            started = await dev_server_start(root, ())
            assert started.running
            assert root in started.data.parents
            assert await dev_server_status(root, ()) == started
        finally:
            stopped = await dev_server_stop(root)
        assert not stopped.running
        assert stopped.data == started.data
        assert not (started.data / "postmaster.pid").exists()


@pytest.mark.long
async def test_two_processes_may_start_the_server_together(project: Project) -> None:
    configure(project, dev_database_url="embedded")
    codes = []

    async def start() -> None:
        codes.append((await run(project, "dev-server", "start"))[0])

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(start)
            group.start_soon(start)
        assert codes == [0, 0]
    finally:
        await run(project, "dev-server", "stop", "--remove")


@pytest.mark.long
async def test_a_crashed_server_is_started_again(project: Project) -> None:
    """As after a reboot: its number is that of another process, of ours here."""
    configure(project, dev_database_url="embedded")
    try:
        _, out, _ = await run(project, "dev-server", "start")
        data = (await dev_server_status(project.root, ())).data
        pid_file = data / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
        os.kill(int(lines[0]), signal.SIGQUIT)  # at once, and with all of its processes
        await to_thread.run_sync(_until_gone, int(lines[0]))
        pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

        assert (await run(project, "dev-server", "status"))[0] == 3
        code, _, err = await run(project, "check", "--dev")
        assert (code, "next: Start it: dbwarden dev-server start\n" in err) == (1, True)
        assert (await run(project, "dev-server", "start"))[1] == out
        assert (await run(project, "check", "--dev"))[0] == 0
    finally:
        await run(project, "dev-server", "stop", "--remove")


def _until_gone(pid: int) -> None:
    """Wait for a process that is not our child."""
    descriptor = os.pidfd_open(pid)
    try:
        select.select([descriptor], [], [], 30)
    finally:
        os.close(descriptor)


async def test_without_a_database_that_uses_it_there_is_no_development_server(
    project: Project,
) -> None:
    configure(project)
    code, _, err = await run(project, "dev-server", "start")
    assert code == 2
    assert "dev_database_url='embedded'" in err


def foreseen_link(root: Path, victim: Path) -> Path:
    """Lay a trap where a folder named after the project would be."""
    link = Path("/var/tmp", f"dbwarden-{sha256(str(root).encode()).hexdigest()[:12]}")
    link.symlink_to(victim)
    return link


async def test_a_folder_of_another_user_is_neither_used_nor_chowned(
    tmp_path: Path,
) -> None:
    root, victim, link = tmp_path / "project", tmp_path / "victim", tmp_path / "link"
    root.mkdir()
    victim.mkdir()
    root.joinpath(*(["a" * 40] * 3)).mkdir(parents=True)  # a socket's path would be too long
    root = root.joinpath(*(["a" * 40] * 3))
    (root / ".dbwarden").mkdir()
    link.symlink_to(victim)
    foreseen = foreseen_link(root, victim)
    before = victim.stat()
    try:
        started = await dev_server_start(root, ())
        assert started.running and foreseen not in started.data.parents
        assert stat.S_IMODE(started.data.parent.stat().st_mode) == 0o700
        await dev_server_stop(root, remove=True)
        (root / ".dbwarden" / "dev-server-folder").write_text(f"{link}\n")
        with pytest.raises(UsageError, match="belongs to another user"):
            await dev_server_start(root, ())
    finally:
        await dev_server_stop(root)
        os.unlink(foreseen)
    after = victim.stat()
    assert (after.st_uid, after.st_mode) == (before.st_uid, before.st_mode)
    assert list(victim.iterdir()) == []
