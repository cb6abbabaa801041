"""Cut a fleet into lots, and decide which lot runs next and with which limits. Pure.

A lot is what a worker runs at once: the name of an operation, its options and the names of
databases. It holds no URL, no password and no configuration.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import count, pairwise

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.files.migration import Requirement
from dbwarden.fleet.documents import Json
from dbwarden.fleet.running import Limits, Task
from dbwarden.fleet.workers.wire import reader
from dbwarden.types import DatabaseName

SMALLEST, LARGEST = 50, 250
"""The sizes of a lot, unless the fleet is so small that a worker would have none."""

LOTS_PER_WORKER = 4
"""The number of lots for each worker, so that they end at about the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One database of a lot: its name, and what the run changes in its configuration."""

    name: DatabaseName
    timeout: float | None
    dev: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LotWork:
    """What a lot does on each of its databases.

    Args:
        operation: The operation, as ``module:function``.
        options: Its options, as JSON types.
        requires: The migrations that other databases must have applied before.
        repeatable: Whether it may run again on a database where a lost worker may have run it.
    """

    operation: str
    options: Json
    requires: tuple[Requirement, ...] = ()
    repeatable: bool = False

    @property
    def key(self) -> str:
        """A text that is equal for equal work."""
        return repr((self.operation, self.options, self.requires))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """The part of a run that one worker takes.

    ``servers`` are the servers that other lots of the run use too, so that their limit is divided.
    ``losses`` counts the workers that were lost with this lot and brought no outcome.
    """

    id: int
    work: LotWork
    tasks: tuple[Task[object], ...] = field(repr=False)
    servers: frozenset[str] = frozenset()
    losses: int = 0

    @property
    def members(self) -> tuple[Member, ...]:
        """The databases, as they travel."""
        configs = (task.config for task in self.tasks)
        return tuple(
            Member(name=each.database_name, timeout=each.timeout, dev=each.dev) for each in configs
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LotStart:
    """A lot that may start, and its share of the run's limits."""

    lot: Lot
    concurrency: int
    per_server: int


def waves(tasks: Sequence[Task[object]]) -> Iterator[tuple[Task[object], ...]]:
    """Yield *tasks* so that each comes in a later wave than those it waits for."""
    rest = {task.key: task for task in tasks}
    while rest:
        waiting = rest.keys()
        wave = tuple(
            task for task in rest.values() if waiting.isdisjoint(task.after | task.finished)
        )
        yield wave
        for task in wave:
            del rest[task.key]


def cut(
    tasks: Sequence[tuple[Task[object], LotWork]], workers: int, *, size: int | None = None
) -> tuple[Lot, ...]:
    """Cut the *tasks* of one wave into lots of one work each.

    The databases of a server stay together, as do SQLite files of one folder, up to *size*
    (default: 50 to 250, depending on the number of *workers*). Small servers share a lot.
    """
    size = size or lot_size(len(tasks), workers)
    by_work: dict[str, list[tuple[Task[object], LotWork]]] = defaultdict(list)
    for task, work in tasks:
        by_work[work.key].append((task, work))
    numbers = count(1)
    lots = [
        Lot(id=next(numbers), work=items[0][1], tasks=part)
        for items in by_work.values()
        for part in _parts([task for task, _ in items], size)
    ]
    return _with_shared_servers(lots)


def lot_size(databases: int, workers: int) -> int:
    """Return the number of databases in a lot."""
    balanced = -(-databases // (workers * LOTS_PER_WORKER))
    return min(max(balanced, SMALLEST), LARGEST, -(-databases // workers))


def _parts(tasks: Sequence[Task[object]], size: int) -> tuple[tuple[Task[object], ...], ...]:
    """Return *tasks* by server, in parts of at most *size*; those of large servers take turns."""
    groups: dict[str, list[Task[object]]] = defaultdict(list)
    for task in tasks:
        groups[place_of(task.config)].append(task)
    placed: list[tuple[int, tuple[Task[object], ...]]] = []
    small: list[Task[object]] = []
    for group in groups.values():
        if len(group) > size:
            parts = -(-len(group) // size)
            ends = [len(group) * number // parts for number in range(parts + 1)]
            even = (tuple(group[start:end]) for start, end in pairwise(ends))
            placed.extend(enumerate(even))
            continue
        if len(small) + len(group) > size:
            placed.append((0, tuple(small)))
            small = []
        small.extend(group)
    if small:
        placed.append((0, tuple(small)))
    return tuple(part for _, part in sorted(placed, key=lambda each: each[0]))


def place_of(config: DatabaseConfig) -> str:
    """Return the server of a database; files of one folder have the same."""
    file = config.url.file if config.url else None
    return str(file.parent) if file else config.server


def _with_shared_servers(lots: Sequence[Lot]) -> tuple[Lot, ...]:
    servers = [frozenset(task.config.server for task in lot.tasks) for lot in lots]
    lots_of = Counter(server for each in servers for server in each)
    return tuple(
        replace(lot, servers=frozenset(server for server in each if lots_of[server] > 1))
        for lot, each in zip(lots, servers, strict=True)
    )


def next_grant(
    waiting: Sequence[Lot], running: Sequence[LotStart], limits: Limits, workers: int
) -> LotStart | None:
    """Return the lot to start now, or ``None`` if the workers or the limits allow none.

    Each running lot holds a share of ``concurrency``, and of ``per_server`` if other lots use its
    server, so that all lots together never exceed them.
    """
    if len(running) >= workers:
        return None
    used = sum(grant.concurrency for grant in running)
    slots = min(workers, len(waiting) + len(running))
    overall = _share(limits.concurrency - used, slots - len(running))
    free = _free_shares(waiting, running, limits, workers)
    for lot in waiting if overall else ():
        per_server = min((free[server] for server in lot.servers), default=limits.per_server)
        if per_server:
            return LotStart(lot=lot, concurrency=overall, per_server=per_server)
    return None


def _share(left: int, claims: int) -> int:
    """Return the part of *left* for one of *claims*, at least 1 if there is anything left."""
    return max(0, min(left, max(1, left // max(1, claims))))


def _free_shares(
    waiting: Sequence[Lot], running: Sequence[LotStart], limits: Limits, workers: int
) -> Mapping[str, int]:
    """Return the share of each server that several lots use for the next of its lots."""
    claims = Counter(server for lot in waiting for server in lot.servers)
    holders, used = Counter[str](), Counter[str]()
    for grant in running:
        holders.update(grant.lot.servers)
        used.update(dict.fromkeys(grant.lot.servers, grant.per_server))
    return {
        server: _share(
            limits.per_server - used[server],
            min(workers, holders[server] + count) - holders[server],
        )
        for server, count in claims.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A lot as it travels to a worker.

    Args:
        version: The version of dbwarden; a worker of another one refuses.
        project: The path of the configuration file.
        work: What to do on each database.
        databases: Their names, with what the run changes in their configuration.
        limits: The lot's share of the run's limits.
        run: The id of the run, for the log.
        level: The lowest level of the events to send back.
        routine: Whether to send back those too that every successful operation has.
    """

    version: str
    project: str
    work: LotWork
    databases: tuple[Member, ...]
    limits: Limits
    run: str
    level: str
    routine: bool

    def document(self) -> Json:
        """Return the order as JSON types; :func:`read_order` reads it."""
        return asdict(self)


def read_order(document: Json) -> Order:
    """Return the order in *document*."""
    order: Order = reader(Order)(document)
    return order
