"""Where the figures are taken: a throw-away server, its databases, and networks of any length."""

import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer, embedded_server
from tests.proxy import ProxyProcess

DATABASE_BYTES = 8 * 1024 * 1024
"""What an almost empty PostgreSQL database takes on disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One database as a client reaches it."""

    name: str
    port: int

    @property
    def url(self) -> str:
        """For dbwarden and asyncpg; trust authentication, no TLS."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{self.name}?sslmode=disable"

    @property
    def alchemy_url(self) -> str:
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/{self.name}?ssl=disable"


class Stage:
    """A running server, and what the parts need of it."""

    def __init__(self, server: EmbeddedServer, admin: asyncpg.Connection, folder: Path) -> None:
        self.server, self.admin, self.folder = server, admin, folder
        self._made: set[str] = set()

    @property
    def psql(self) -> str:
        assert self.server.binaries is not None
        return str(self.server.binaries.program("psql"))

    def new_folder(self, name: str) -> Path:
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))

    def places(self, names: Sequence[str], port: int | None = None) -> list[Place]:
        return [Place(name=name, port=port or self.server.port) for name in names]

    async def make(self, names: Sequence[str], *, template: str = "template0") -> None:
        """Make databases anew, as copies of *template*."""
        for name in names:
            if name in self._made:
                await self.admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            await self.admin.execute(
                f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY'
            )
            self._made.add(name)

    async def drop(self, names: Sequence[str]) -> None:
        for name in self._made & set(names):
            await self.admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            self._made.discard(name)

    async def quiet(self) -> None:
        """Wait until nobody but us is connected."""
        while await self.admin.fetchval(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        ):
            await self.admin.execute("SELECT pg_sleep(0.005)")

    def room(self) -> int:
        """How many databases the disk has room for, leaving a fifth of it free."""
        usage = shutil.disk_usage(self.server.folder)
        return max(0, int(usage.free - usage.total * 0.05) // DATABASE_BYTES)


@contextlib.asynccontextmanager
async def open_stage() -> AsyncIterator[Stage]:
    """Start the server; everything is gone at the end."""
    settings = {"max_connections": "1300", "shared_buffers": "256MB"}
    async with embedded_server(settings=settings, tcp=True) as server:
        admin = await asyncpg.connect(
            host=str(server.folder), port=server.port, user="postgres", database="postgres"
        )
        try:
            with tempfile.TemporaryDirectory(prefix="dbwarden-bench-") as folder:
                yield Stage(server, admin, Path(folder))
        finally:
            admin.terminate()


@contextlib.contextmanager
def far_away(stage: Stage, milliseconds: int) -> Iterator[tuple[int, ProxyProcess | None]]:
    """The port of the server as seen from so many milliseconds (a round trip) away."""
    if milliseconds == 0:
        yield stage.server.port, None
        return
    with ProxyProcess(stage.server.port, delay=milliseconds / 1000) as proxy:
        yield proxy.port, proxy


def distance(milliseconds: int) -> str:
    return f"{milliseconds} ms away" if milliseconds else "on loopback"
