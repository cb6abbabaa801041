"""Real projects on SQLite files."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

import anyio
import anyio.to_thread
import pytest
import structlog  # noqa: F401 - the first event would load it, and block for that once

from dbwarden import telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.base import Connection, PendingMigration
from dbwarden.files.folder import read_folder
from dbwarden.files.migration import Migration
from dbwarden.kinds import dialect_for
from dbwarden.migration_history import LedgerRow, LockHolder
from dbwarden.types import DatabaseName, Direction

NAME = DatabaseName("app")


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    """Every test ends with the files and busy threads that it began with."""
    before = open_files()
    yield
    assert open_files() == before


def open_files() -> list[str]:
    """What this process has open, without pipes and sockets (the event loop's own)."""
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            path = os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:
            continue
        if path.startswith("/") and not path.startswith(("/dev/", "/proc/")):
            found.append(path)
    return sorted(found)


@dataclass
class Project:
    """A folder with migrations of one SQLite database."""

    root: Path
    options: dict[str, Any] = field(default_factory=dict)
    url: str = "sqlite:///app.db"

    @property
    def file(self) -> Path:
        return self.root / "app.db"

    @property
    def lock_file(self) -> Path:
        return self.root / "app.db.dbwarden-lock"

    @property
    def folder(self) -> Path:
        return self.root / "migrations" / "app"

    @property
    def config(self) -> DatabaseConfig:
        return self.configured()

    def configured(self, **options: Any) -> DatabaseConfig:
        made = DatabaseConfig(
            database_name=NAME,
            database_type="sqlite",
            database_url=self.url,
            root=self.root,
            migrations_dir=self.folder,
            lock_timeout=0.3,
            lock_retries=0,
            migration_lock_timeout=0.3,
        )
        return replace(made, **{**self.options, **options})

    def write(self, key: str, upgrade: str, rollback: str = "", name: str = "step") -> Path:
        """Write one migration file; *key* is a version or ``RA``/``ROC``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"app__{key}_{'_' if key.startswith('R') else ''}{name}.sql"
        path.write_text(f"-- upgrade\n{upgrade}\n\n-- rollback\n{rollback}\n", encoding="utf-8")
        return path

    @property
    def files(self) -> tuple[Migration, ...]:
        with ThreadPoolExecutor(1) as thread:  # reading a folder blocks
            return thread.submit(read_folder, self.folder, NAME, "sqlite").result()

    def connect(
        self, *, read_only: bool = False, **options: Any
    ) -> AbstractAsyncContextManager[Connection]:
        return dialect_for("sqlite").connect(self.configured(**options), read_only=read_only)

    @asynccontextmanager
    async def locked(self, **options: Any) -> AsyncGenerator[Connection]:
        """A connection that holds the lock and has a ledger."""
        async with self.connect(**options) as connection, connection.lock():
            await connection.create_ledger()
            yield connection

    def work(
        self, migration: Migration, direction: Direction = "upgrade", **more: Any
    ) -> PendingMigration:
        section = migration.section(direction)
        assert section is not None
        steps = dialect_for("sqlite").steps(migration, section)
        return PendingMigration(migration=migration, direction=direction, steps=steps, **more)

    def works(self, *keys: str) -> tuple[PendingMigration, ...]:
        """Fresh upgrades: of the migrations named *keys*, or of all."""
        return tuple(self.work(each) for each in self.files if not keys or each.key in keys)

    async def upgrade(self, *keys: str, **options: Any) -> list[str]:
        """Run fresh upgrades; returns what was reported as done."""
        async with self.locked(**options) as connection:
            return await run(connection, self.works(*keys))

    async def rows(self) -> tuple[LedgerRow, ...]:
        async with self.connect(read_only=True) as connection:
            return (await connection.history(None)).rows

    @contextmanager
    def application(self) -> Generator[sqlite3.Connection]:
        """The application's own connection to the file."""
        made = sqlite3.connect(self.file, isolation_level=None, timeout=0, check_same_thread=False)
        try:
            yield made
        finally:
            made.close()

    def query(self, sql: str, *parameters: Any) -> list[Any]:
        with self.application() as connection:
            return connection.execute(sql, parameters).fetchall()

    def tables(self) -> list[str]:
        """The tables of the project, without the ledger."""
        found = self.query("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        return [name for (name,) in found if not name.startswith(("dbwarden", "sqlite_"))]

    def beside(self) -> list[str]:
        """The files beside the migrations."""
        return sorted(each.name for each in self.root.iterdir() if each.is_file())


async def live_rows(connection: Connection) -> tuple[LedgerRow, ...]:
    """Return the live rows of a database that has a history."""
    rows = (await connection.read()).rows
    assert rows is not None
    return rows


async def holder_of(connection: Connection) -> LockHolder:
    """Return the holder of the lock, which must be held."""
    holder = (await connection.read()).holder
    assert holder is not None
    return holder


async def run(connection: Connection, works: Sequence[PendingMigration]) -> list[str]:
    """Run *works*; returns the keys of those that were reported as done."""
    reported: list[str] = []

    async def on_done(work: PendingMigration) -> None:
        reported.append(work.migration.key)

    await connection.run(works, on_done)
    return reported


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(root=tmp_path)


@pytest.fixture
def runner() -> Callable[..., Any]:
    """Run works on a connection; returns what was reported as done."""
    return run


async def until(condition: Callable[[], Awaitable[Any]]) -> Any:
    """Ask *condition* until it answers with something."""
    while not (found := await condition()):  # noqa: ASYNC110 - nothing tells when
        await anyio.sleep(0.005)
    return found


@pytest.fixture
def holder_at_work(project: Project) -> Callable[[], Awaitable[LockHolder]]:
    """Wait until another process holds the lock and runs a statement."""

    async def look() -> LockHolder | None:
        if not project.file.exists():
            return None
        async with project.connect(read_only=True, lock_timeout=None) as connection:
            holder = (await connection.read()).holder
        return holder if holder and holder.statement else None

    return lambda: until(look)


@pytest.fixture
def lock_file_says(project: Project) -> Callable[[str], Awaitable[Any]]:
    """Wait until the lock file holds a text; it can be read when the database cannot."""

    async def wait(text: str) -> Any:
        async def look() -> bool:
            try:
                return text in project.lock_file.read_text()
            except FileNotFoundError:
                return False

        return await until(look)

    return wait


@pytest.fixture
def busy_threads() -> Callable[[], list[str]]:
    """The worker threads that are inside dbwarden's code now."""

    def look() -> list[str]:
        frames = sys._current_frames()
        busy = []
        for thread in threading.enumerate():
            frame = frames.get(thread.ident or 0)
            while thread is not threading.main_thread() and frame is not None:
                if "dbwarden/dialects" in frame.f_code.co_filename:
                    busy.append(thread.name)
                    break
                frame = frame.f_back
        return busy

    return look


@pytest.fixture
def until_held_up() -> Callable[[], Awaitable[Any]]:
    """Wait until a worker thread has met a lock of another connection, and pauses after it."""

    async def look() -> bool:
        for frame in sys._current_frames().values():
            inner = ""
            outer: FrameType | None = frame
            while outer is not None:
                if (inner, outer.f_code.co_name) == ("wait", "retry_while_busy"):
                    return True
                inner, outer = outer.f_code.co_name, outer.f_back
        return False

    return lambda: until(look)


@pytest.fixture
def until_retried() -> Iterator[Callable[[], Awaitable[Any]]]:
    """Wait until a step was given up because of a lock, and is tried again."""
    retries: list[telemetry.Event] = []

    async def look() -> bool:
        return any(event.name == "lock_retry" for event in retries)

    with telemetry.listening(retries.append):
        yield lambda: until(look)


class Process:
    """Another process that works on the same project."""

    def __init__(self, project: Project, command: str, options: Sequence[str]) -> None:
        self.project = project
        script = str(Path(__file__).with_name("migrator.py"))
        self.popen = subprocess.Popen(
            [sys.executable, script, str(project.root), command, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    async def at_work(self, statements: int = 1) -> None:
        """Wait until it was seen at so many *statements* under the lock, or has ended."""
        seen: set[str] = set()

        async def look() -> bool:
            with contextlib.suppress(FileNotFoundError):
                mark = self.project.lock_file.read_text()
                if f'"pid": {self.popen.pid},' in mark:
                    seen.add(mark)
            return len(seen) >= statements or self.popen.poll() is not None

        await until(look)

    async def line(self) -> str:
        """The next line that it prints."""
        assert self.popen.stdout is not None
        return (await anyio.to_thread.run_sync(self.popen.stdout.readline)).strip()

    async def ended(self) -> str:
        """Let it end; what it printed."""
        out, err = await anyio.to_thread.run_sync(self.popen.communicate)
        assert not err or "Traceback" not in err, err
        return str(out).strip()

    def kill(self) -> None:
        """End it as the kernel does when memory is short."""
        self.popen.kill()
        self.popen.communicate()


@pytest.fixture
def other_process(project: Project) -> Iterator[Callable[..., Process]]:
    """Start another process on the project: ``other_process("hold", "lock_timeout=1")``."""
    started: list[Process] = []

    def start(command: str, *options: str) -> Process:
        started.append(Process(project, command, options))
        return started[-1]

    yield start
    for each in started:
        each.popen.kill()
        each.popen.wait()
        for stream in (each.popen.stdin, each.popen.stdout, each.popen.stderr):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()
