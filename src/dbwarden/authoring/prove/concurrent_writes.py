"""Prove that a set of files loses no write of an application that goes on meanwhile.

Both releases of the application write between the steps of the files and between the batches of a
backfill, each as the deployment has it: the old release until the last file of phase ``pre`` has
run and after that file's rollback, both after it, and the new one after ``post``. Each row must
then be as if no file had run meanwhile.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from dbwarden import telemetry
from dbwarden.authoring.prove.deployment import Application
from dbwarden.authoring.prove.lost_writes import Done, failure
from dbwarden.authoring.prove.quiet_run import (
    ExpectedRows,
    MigrationSet,
    first_run,
    second_run,
    without_null,
)
from dbwarden.authoring.prove.row_writes import Written, written_tables
from dbwarden.authoring.scratch_session import ScratchSession
from dbwarden.dialects.authoring import ScratchDatabase
from dbwarden.dialects.scratch_clients import ScratchClient
from dbwarden.errors import ScratchRefused

CopyDatabase = Callable[[], Awaitable[ScratchDatabase]]
"""Returns a new copy of the database before the set."""


async def prove_writes(session: ScratchSession, copy: CopyDatabase, run: MigrationSet) -> None:
    """Write while the files of *run* run up and down in copies of the database before them.

    Raises:
        NotProven: A write was lost or refused; names it, with the file and line that it followed.
    """
    is_set = any(migration.backfill is not None for migration in run.migrations)
    if not session.authoring_dialect.online_forms or not is_set:
        return
    tables = written_tables(run.before, run.after)
    if not tables:
        return
    telemetry.doing(f"proving {len(run.migrations)} files while an application writes")
    proof = _Proof(session, copy, run)
    if await proof.expect(tables):
        await proof.prove()


@dataclass(slots=True)
class _Proof:
    """Runs the set while an application writes; if a file fails then, finds the write."""

    session: ScratchSession
    copy: CopyDatabase
    run: MigrationSet
    expected: Sequence[ExpectedRows] = ()

    async def expect(self, tables: Sequence[Written]) -> bool:
        """Find the rows that writes lead to; none if the set fails on rows, which is known."""
        for chosen in (tables, without_null(tables)):
            try:
                async with self._client() as client:
                    found = await first_run(client, self.run, chosen)
                async with self._client() as client:
                    self.expected = await second_run(client, self.run, found)
                return bool(self.expected)
            except ScratchRefused:
                continue
        return False

    async def prove(self) -> None:
        """Raise if a write is lost or refused, or makes a file fail."""
        done, error = await self._try(None)
        if error is None:
            return
        low, high = 0, len(done)  # fewer writes until the file does not fail
        while low < high:
            middle = (low + high) // 2
            _, failed = await self._try(middle)
            low, high = (low, middle) if failed is not None else (middle + 1, high)
        raise failure(done[low - 1] if low else None, error) from error

    async def _try(self, most: int | None) -> tuple[Sequence[Done], ScratchRefused | None]:
        """Return the writes, at most *most*, and the error of a file."""
        done: list[Done] = []
        try:
            async with self._client() as client:
                await Application(client, self.run, self.expected, done, most).deploy()
        except ScratchRefused as error:
            return done, error
        return done, None

    @asynccontextmanager
    async def _client(self) -> AsyncGenerator[ScratchClient]:
        """Connect an application to a copy, and drop the copy at the end."""
        database = await self.copy()
        connecting = self.session.authoring_dialect.client(database)
        assert connecting is not None
        async with connecting as client:
            yield client
        await (await self.session.scratch_server()).discard(database)
