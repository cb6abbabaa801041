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


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A change of a table in use: the models of both releases, and the queries of each.

    ``options`` are those of ``make-migrations --online``. All queries read and write one amount.
    """

    old: str
    new: str
    options: dict[str, Any]
    insert: dict[Release, str]
    select: dict[Release, str]
    update: dict[Release, str]
    table: str = "orders"
    amount: str = "amount"


_OLD = """
class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int] = mapped_column(index=True)
    note: Mapped[str | None]
"""
_INSERT = "INSERT INTO orders (amount, note) VALUES ($1, 'x') RETURNING id"
_SELECT = "SELECT id, amount, note FROM orders WHERE id = $1"
_UPDATE = "UPDATE orders SET amount = $2 WHERE id = $1"

NEW_TYPE = Scenario(
    old=_OLD,
    new="""
class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    amount: Mapped[int] = mapped_column(BigInteger, index=True)
    status: Mapped[str]
""",
    options={"fills": {"orders.status": "'new'"}, "allow_drop": ["orders.note"]},
    insert={
        "old": _INSERT,
        "new": "INSERT INTO orders (amount, status) VALUES ($1, 'open') RETURNING id",
    },
    select={"old": _SELECT, "new": "SELECT id, amount, status FROM orders WHERE id = $1"},
    update={"old": _UPDATE, "new": _UPDATE},
)
NEW_COLUMN_NAME = Scenario(
    old=_OLD,
    new=_OLD.replace("amount:", "total:").replace("note:", "remark:"),
    options={"renames": ["orders.amount:total", "orders.note:remark"]},
    insert={
        "old": _INSERT,
        "new": "INSERT INTO orders (total, remark) VALUES ($1, 'x') RETURNING id",
    },
    select={
        "old": "SELECT id, amount AS amount FROM orders WHERE id = $1 FOR UPDATE",
        "new": "SELECT id, total AS amount FROM orders WHERE id = $1 FOR UPDATE",
    },
    update={"old": _UPDATE, "new": "UPDATE orders SET total = $2 WHERE id = $1"},
    amount="total",
)
_UPSERT = (
    "INSERT INTO orders (id, amount) VALUES ($1, $2)"
    " ON CONFLICT (id) DO UPDATE SET amount = excluded.amount RETURNING id"
)
NEW_TABLE_NAME = Scenario(
    old=_OLD,
    new=_OLD.replace('"orders"', '"purchases"'),
    options={"renames": ["orders:purchases"]},
    insert={"old": _INSERT, "new": _INSERT.replace("orders", "purchases")},
    select={
        "old": f"{_SELECT} FOR UPDATE",
        "new": f"{_SELECT} FOR UPDATE".replace("orders", "purchases"),
    },
    update={"old": _UPSERT, "new": _UPSERT.replace("orders", "purchases")},
    table="purchases",
)


def rows_sql(count: int) -> str:
    """The SQL that puts *count* rows into the table."""
    return f"INSERT INTO orders (amount, note) SELECT i, 'n' FROM generate_series(1, {count}) i"


@dataclass
class Traffic:
    """What the clients did: the rows that they know, their errors, and their slowest query."""

    url: str
    rows: int
    scenario: Scenario = NEW_TYPE
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
            found = await raw.fetchrow(self.scenario.select[release], row)
            if found["amount"] != self.known.get(row, row):
                self.errors.append(f"{release}: row {row} has {found['amount']}")
        elif what < 0.7:
            await raw.execute(self.scenario.update[release], row, amount)
            self.known[row] = amount
        else:
            new = await raw.fetchval(self.scenario.insert[release], amount)
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

    async def wrong_rows(self, *, table: str = "orders", amount: str = "amount") -> Sequence[str]:
        """Return the rows that do not have the values that were written last."""
        raw = await asyncpg.connect(self.url)
        try:
            there = {row["id"]: row[amount] for row in await raw.fetch(f"TABLE {table}")}
        finally:
            raw.terminate()
        wanted = {**{row: row for row in range(1, self.rows + 1)}, **self.known}
        return [
            f"{row}: {there.get(row)}, not {wanted.get(row)}"
            for row in sorted({*there, *wanted})
            if there.get(row) != wanted.get(row)
        ]


@asynccontextmanager
async def traffic(
    url: str, rows: int, scenario: Scenario = NEW_TYPE, *, clients: int = 4
) -> AsyncIterator[Traffic]:
    """Read and write inside the block."""
    made = Traffic(url, rows, scenario)
    async with anyio.create_task_group() as group:
        for number in range(clients):
            group.start_soon(made.client, number, clients)
        await made.more()
        made.longest = 0.0
        yield made
        made.stopping = True  # a cancelled client could not tell whether its row was committed
