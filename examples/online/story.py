"""A large table changes while two releases of an application use it. No query fails or waits long.

`python story.py [ROWS]` runs the commands that a person would type, in a temporary folder, on a
PostgreSQL server that ends with it. It exits with 1 if a command or a query failed.
"""

import contextlib
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import asyncpg

from dbwarden.dialects.postgresql.scratch.server import embedded_server

CLIENTS = 4
COLUMN = {"old": "note", "new": "status"}  # what each release uses besides the amount


@dataclass
class Application:
    """Clients of the releases that run, which read, change and insert rows."""

    url: str
    rows: int
    releases: tuple[str, ...] = ("old",)
    queries: int = 0
    longest: float = 0.0
    errors: list[str] = field(default_factory=list)
    stopping: bool = False

    async def client(self, number: int) -> None:
        """Query until stopped. No other client changes these rows, so their amounts are known."""
        # Without prepared statements, which fail once after a column has changed its type.
        connection = await asyncpg.connect(self.url, statement_cache_size=0)
        ids = list(range(number + 1, self.rows + 1, CLIENTS))
        amounts = dict(zip(ids, ids, strict=True))
        while not self.stopping:
            release = self.releases[self.queries % len(self.releases)]
            column, what = COLUMN[release], random.random()
            row, amount = random.choice(ids), random.randrange(1_000_000)
            started = time.perf_counter()
            try:
                if what < 0.4:
                    select = f"SELECT amount, {column} FROM orders WHERE id = $1"
                    if (read := await connection.fetchval(select, row)) != amounts[row]:
                        self.errors.append(f"{release} release: order {row} has amount {read}")
                elif what < 0.7:
                    update = "UPDATE orders SET amount = $2 WHERE id = $1"
                    await connection.execute(update, row, amount)
                    amounts[row] = amount
                else:
                    insert = f"INSERT INTO orders (amount, {column}) VALUES ($1, 'x') RETURNING id"
                    ids.append(await connection.fetchval(insert, amount))
                    amounts[ids[-1]] = amount
            except asyncpg.PostgresError as error:
                self.errors.append(f"{release} release: {error}")
            self.longest = max(self.longest, time.perf_counter() - started)
            self.queries += 1
            await anyio.sleep(0.002)
        connection.terminate()

    async def serve(self, *releases: str) -> None:
        print(f"\n# Running: the {' and the '.join(releases)} release.", flush=True)
        self.releases = releases
        await anyio.sleep(2)


async def run(folder: Path, command: str) -> None:
    print(f"\n$ {command}", flush=True)
    words = shlex.split(command)
    process = await anyio.open_process(words, cwd=folder, stdin=None, stdout=None, stderr=None)
    try:
        if code := await process.wait():
            raise subprocess.CalledProcessError(code, command)
    finally:
        with contextlib.suppress(ProcessLookupError), anyio.CancelScope(shield=True):
            process.terminate()  # after Ctrl-C
            await process.wait()


async def prepare(folder: Path, url: str, rows: int) -> None:
    await run(folder, "cp old.py models.py")
    await run(folder, "dbwarden make-migrations -m 'create orders'")
    await run(folder, "dbwarden migrate")
    print(f"\n# {rows:,} orders are inserted.", flush=True)
    connection = await asyncpg.connect(url)
    values = f"SELECT i, 'x' FROM generate_series(1, {rows}) i"
    await connection.execute(f"INSERT INTO orders (amount, note) {values}")
    await connection.execute("VACUUM ANALYZE orders")
    connection.terminate()


async def deploy(folder: Path, application: Application) -> None:
    await application.serve("old")
    await run(folder, "cp new.py models.py")
    options = """--online --fill "orders.status='new'" --allow-drop orders.note"""
    await run(folder, f"dbwarden make-migrations -m 'large amounts' {options}")
    await run(folder, "dbwarden migrate --to 0003")
    await run(folder, "dbwarden backfill run")
    await run(folder, "dbwarden migrate --phase pre")
    await application.serve("old", "new")
    await application.serve("new")
    await run(folder, "dbwarden migrate --phase post")
    await run(folder, "dbwarden check")


async def tell(folder: Path, rows: int) -> int:
    async with embedded_server(tcp=True) as server:
        url = os.environ["DATABASE_URL"] = await server.create_database("shop")
        shutil.copytree(Path(__file__).parent, folder, dirs_exist_ok=True)
        await prepare(folder, url, rows)
        application = Application(url, rows)
        async with anyio.create_task_group() as clients:
            for number in range(CLIENTS):
                clients.start_soon(application.client, number)
            await deploy(folder, application)
            application.stopping = True
    print("", *application.errors[:5], f"queries {application.queries:,}", sep="\n")
    print(f"errors {len(application.errors)}")
    print(f"longest blocked query {application.longest * 1000:.0f} ms")
    return 1 if application.errors else 0


def main(rows: int = 1_000_000) -> int:
    # Asked to end, end as after Ctrl-C: what was started is stopped first.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    code = 1
    try:
        with tempfile.TemporaryDirectory(prefix="dbwarden-online-") as folder:
            code = anyio.run(tell, Path(folder), rows)
    except* subprocess.CalledProcessError as failures:
        print(f"\n{failures.exceptions[0]}", file=sys.stderr)
    except* KeyboardInterrupt:
        code = 130
    return code


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
