"""An application that reads and writes a table all the time, in its old and in its new release."""

import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio
import asyncpg

Release = Literal["old", "new"]

OLD_MODELS = """
class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int] = mapped_column(index=True)
    note: Mapped[str | None]
"""
NEW_MODELS = """
class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    amount: Mapped[int] = mapped_column(BigInteger, index=True)
    status: Mapped[str]
"""
FILLS = {"orders.status": "'new'"}

_INSERT = {
    "old": "INSERT INTO orders (amount, note) VALUES ($1, 'x') RETURNING id",
    "new": "INSERT INTO orders (amount, status) VALUES ($1, 'open') RETURNING id",
}
_SELECT = {
    "old": "SELECT id, amount, note FROM orders WHERE id = $1",
    "new": "SELECT id, amount, status FROM orders WHERE id = $1",
}
_UPDATE = "UPDATE orders SET amount = $2 WHERE id = $1"


def rows_sql(count: int) -> str:
    """The SQL that puts *count* rows into the table."""
    return f"INSERT INTO orders (amount, note) SELECT i, 'n' FROM generate_series(1, {count}) i"


@dataclass
class Traffic:
    """What the clients did: the rows that they know, their errors, and their slowest query."""

    url: str
    rows: int
    releases: tuple[Release, ...] = ("old",)
    known: dict[int, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    queries: int = 0
    longest: float = 0.0
    pause: float = 0.002
    stopping: bool = False
    _progress: anyio.Condition = field(default_factory=anyio.Condition)

    async def client(self, number: int, clients: int) -> None:
        """Read and write until stopped after a query; only this client changes its rows."""
        raw = await asyncpg.connect(self.url, statement_cache_size=0)
        choose = random.Random(number)
        mine = list(range(1 + number, self.rows + 1, clients))
        try:
            while not self.stopping:
                release = self.releases[self.queries % len(self.releases)]
                try:
                    await self._query(raw, choose, release, mine)
                except asyncpg.PostgresError as error:
                    self.errors.append(f"{release}: {error!r}")
                async with self._progress:
                    self._progress.notify_all()
                await anyio.sleep(self.pause)
        finally:
            raw.terminate()

    async def _query(
        self, raw: Any, choose: random.Random, release: Release, mine: list[int]
    ) -> None:
        what, amount, row = choose.random(), choose.randrange(1_000_000), choose.choice(mine)
        started = time.perf_counter()
        if what < 0.4:
            found = await raw.fetchrow(_SELECT[release], row)
            if found["amount"] != self.known.get(row, row):
                self.errors.append(f"{release}: row {row} has {found['amount']}")
        elif what < 0.7:
            await raw.execute(_UPDATE, row, amount)
            self.known[row] = amount
        else:
            new = await raw.fetchval(_INSERT[release], amount)
            self.known[new] = amount
            mine.append(new)
        self.longest = max(self.longest, time.perf_counter() - started)
        self.queries += 1

    async def more(self, queries: int = 40) -> None:
        """Wait until the clients have asked that much more."""
        wanted = self.queries + queries
        async with self._progress:
            while self.queries < wanted and not self.errors:
                await self._progress.wait()

    async def wrong_rows(self) -> Sequence[str]:
        """Return the rows that do not have the values that were written last."""
        raw = await asyncpg.connect(self.url)
        try:
            there = {row["id"]: row["amount"] for row in await raw.fetch("TABLE orders")}
        finally:
            raw.terminate()
        wanted = {**{row: row for row in range(1, self.rows + 1)}, **self.known}
        return [
            f"{row}: {there.get(row)}, not {wanted.get(row)}"
            for row in sorted({*there, *wanted})
            if there.get(row) != wanted.get(row)
        ]


@asynccontextmanager
async def traffic(url: str, rows: int, *, clients: int = 4) -> AsyncIterator[Traffic]:
    """Read and write inside the block."""
    made = Traffic(url, rows)
    async with anyio.create_task_group() as group:
        for number in range(clients):
            group.start_soon(made.client, number, clients)
        await made.more()
        made.longest = 0.0
        yield made
        made.stopping = True  # a cancelled client could not tell whether its row was committed
