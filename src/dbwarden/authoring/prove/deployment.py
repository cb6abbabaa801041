"""Write as both releases of an application do while a set of files is deployed and taken back."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle, islice

from dbwarden.authoring.prove.lost_writes import Done, check, is_excused, refusal
from dbwarden.authoring.prove.quiet_run import (
    ExpectedRows,
    MigrationSet,
    add_rows,
    remove_rows,
    start,
)
from dbwarden.authoring.prove.row_writes import Kind, Release, Slot
from dbwarden.dialects.scratch_clients import ScratchClient
from dbwarden.files.migration import Migration, Section
from dbwarden.planning.phases import is_post

BATCHES = (2, 4)
"""The batches of a backfill after which the application writes, before and behind its cursor."""

RESERVED = 3
"""The writes of each kind that are left for the end of a direction."""

OLD, NEW = (Release.OLD,), (Release.NEW,)
BOTH = (Release.OLD, Release.NEW)
IN_STEPS = (Kind.CHANGE, Kind.ADD)
IN_BATCHES = (Kind.CHANGE, Kind.CLEAR) * 2
BETWEEN_FILES = (Kind.CLEAR, Kind.TOUCH, Kind.REMOVE)
WRITES = (*IN_STEPS, *BETWEEN_FILES)


@dataclass(slots=True, kw_only=True)
class _State:
    """The writes that are left in one table, those that were done, and who inserted its rows."""

    table: ExpectedRows
    base: Release
    queues: dict[Kind, deque[Slot]]
    done: list[Done] = field(default_factory=list)


@dataclass(slots=True)
class Application:
    """The writes of both releases while files run; ``done`` receives them, at most ``most``."""

    client: ScratchClient
    run: MigrationSet
    expected: Sequence[ExpectedRows]
    done: list[Done]
    most: int | None
    at: tuple[Migration, int] = field(init=False)
    states: list[_State] = field(default_factory=list)
    types: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.at = (self.run.migrations[0], 1)

    async def deploy(self) -> None:
        """Run the files up, the last one before the deployment down and up, and all of them down.

        Raises:
            ScratchRefused: A file failed.
            NotProven: A write was lost or refused.
        """
        pre = [item for item in self.run.migrations if not is_post(item)]
        post = [item for item in self.run.migrations if is_post(item)]
        tables = [item.table for item in self.expected]
        await add_rows(self.client, self.run.before, tables)
        await remove_rows(self.client, self.expected, Release.OLD)
        for table in tables:
            self.types[table.name] = await self.client.types(table.old.table.name)
        await self._begin(OLD, Release.OLD)
        for item in pre:
            await self._up(item, OLD)
        await self._end(BOTH, Release.NEW, pre[-1])
        await self._begin((Release.NEW, Release.OLD), Release.NEW)
        if pre[-1].way_back is not None:
            await self._write_all(BOTH, WRITES, RESERVED)
            await self._down(pre[-1], OLD)
            await self._end(OLD, Release.OLD, pre[-1])
            await self._begin(OLD, Release.OLD)
            await self._up(pre[-1], OLD)
        await self._write_all(BOTH, WRITES, RESERVED)
        for item in post:
            await self._up(item, NEW)
        await self._end(NEW if post else BOTH, Release.NEW, self.run.migrations[-1])
        if self.run.reversible:
            await self._take_back(pre, post)

    async def _take_back(self, pre: Sequence[Migration], post: Sequence[Migration]) -> None:
        await self._begin(NEW, Release.NEW)
        for item in reversed(post):
            await self._down(item, NEW)
        await self._write_all(BOTH, WRITES, RESERVED)
        for item in reversed(pre):
            await self._down(item, OLD)
        await self._end(OLD, Release.OLD, pre[0])

    # -- one direction ---------------------------------------------------------------------------

    async def _begin(self, releases: Sequence[Release], columns: Release) -> None:
        """Insert rows as the first of *releases* that can, instead of those of the last direction.

        Args:
            releases: The releases that run.
            columns: The release whose columns all tables have.
        """
        await remove_rows(self.client, self.expected, columns)
        self.states = []
        for table in self.expected:
            for release in releases:
                if await self._insert(table, release):
                    slots = table.table.slots
                    queues = {it: deque(s for s in slots if s.kind is it) for it in WRITES}
                    self.states.append(_State(table=table, base=release, queues=queues))
                    break

    async def _insert(self, table: ExpectedRows, release: Release) -> bool:
        now = await self.client.types(table.table.old.table.name)
        if not table.usable[release] or not self._is_possible(table, release, now):
            return False
        slot = next(it for it in table.table.slots if it.kind is Kind.KEEP)
        added = replace(slot, kind=Kind.ADD, image=slot.row)
        text = table.statement(self.client, release, added)
        if self.most is not None and len(self.done) >= self.most:
            return False
        done = self._noted(table, slot, release, text or "")
        self.done.append(done)
        refused = await start(self.client, table, release)
        if refused is not None and not is_excused(refused, table, release):
            raise refusal(done, refused)
        return refused is None

    async def _up(self, migration: Migration, releases: Sequence[Release]) -> None:
        await self._replay(migration, migration.upgrade, releases)

    async def _down(self, migration: Migration, releases: Sequence[Release]) -> None:
        if migration.rollback is not None and migration.backfill is None:
            await self._replay(migration, migration.rollback, releases)

    async def _replay(
        self, migration: Migration, section: Section, releases: Sequence[Release]
    ) -> None:
        pauses = 0

        async def pause(line: int) -> None:
            nonlocal pauses
            pauses += 1
            self.at = (migration, line)
            if migration.backfill is None:
                await self._write_all(releases, IN_STEPS, RESERVED)
            elif pauses in BATCHES:
                await self._write_all(releases, IN_BATCHES, RESERVED)

        await self.client.replay(migration, section, pause)
        await self._write_all(releases, BETWEEN_FILES, RESERVED)

    async def _end(
        self, releases: Sequence[Release], reader: Release, migration: Migration
    ) -> None:
        """Do the writes that are left, and compare what *reader* reads."""
        for state in self.states:
            await self._write_some(state, releases, WRITES, 0)
        for state in self.states:
            table = state.table
            if reader is Release.OLD and Release.NEW not in table.back:
                continue
            kept = [slot for slot in table.table.slots if slot.kind is Kind.KEEP]
            items = [self._noted(table, slot, state.base, "nothing") for slot in kept]
            shape = table.table.shape(reader)
            actual = await self.client.read(shape.table, shape.key)
            check([*state.done, *items], reader, actual, migration)

    # -- writes ----------------------------------------------------------------------------------

    async def _write_all(
        self, releases: Sequence[Release], kinds: Sequence[Kind], reserved: int
    ) -> None:
        """Do one write of each of *kinds* in each table, as each of *releases*."""
        for state in self.states:
            await self._write_some(state, releases, kinds, reserved)

    async def _write_some(
        self, state: _State, releases: Sequence[Release], kinds: Sequence[Kind], reserved: int
    ) -> None:
        now = await self.client.types(state.table.table.old.table.name)
        able = [it for it in releases if self._is_possible(state.table, it, now)]
        chosen = [*self._choose(state, able, kinds, reserved)]
        if self.most is not None:
            del chosen[max(self.most - len(self.done), 0) :]
        self.done += chosen
        refused = await self.client.write([done.text for done in chosen])
        for done, why in zip(chosen, refused, strict=True):
            if why is None:
                state.done.append(done)
            elif not is_excused(why, state.table, done.release):
                raise refusal(done, why)

    def _choose(
        self, state: _State, releases: Sequence[Release], kinds: Sequence[Kind], reserved: int
    ) -> Iterator[Done]:
        """Take one write of each kind for each release; without *reserved* ones, take all."""
        table = state.table
        for kind in kinds:
            queue = state.queues[kind]
            for release in releases if reserved else islice(cycle(releases), 2 * len(queue)):
                slot = next((it for it in queue if it in table.usable[release]), None)
                if slot is None or len(queue) <= reserved:
                    continue
                queue.remove(slot)
                queue.reverse()  # so that the next row is from the other end of the table
                text = table.statement(self.client, release, slot)
                assert text is not None
                yield self._noted(table, slot, release, text)

    def _is_possible(self, table: ExpectedRows, release: Release, now: Mapping[str, str]) -> bool:
        """Return whether a release can write a table with the columns that it has *now*."""
        shape = table.table.shape(release)
        if any(column.name not in now for column in shape.table.columns):
            return False
        was = self.types[table.table.name]
        moved = [name for name in table.table.moved if now[name] != was[name]]
        return release is Release.NEW or table.alike or not moved

    def _noted(self, table: ExpectedRows, slot: Slot, release: Release, text: str) -> Done:
        migration, line = self.at
        return Done(
            table=table, slot=slot, release=release, text=text, migration=migration, line=line
        )
