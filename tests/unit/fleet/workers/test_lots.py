"""A fleet is cut into lots, whose limits never exceed those of the run."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dbwarden.files.migration import Requirement
from dbwarden.fleet import Limits, Task
from dbwarden.fleet.workers.lots import (
    Lot,
    LotStart,
    LotWork,
    Member,
    Order,
    cut,
    lot_size,
    next_grant,
    read_order,
    waves,
)
from dbwarden.types import DatabaseName, Version
from tests.unit.fleet.workers.fleets import task, tasks

WORK = LotWork(operation="dbwarden.operations.status:status", options={})
FILES = "sqlite:////data/{}.db"


def lots_of(fleet: Sequence[Task[Any]], workers: int, size: int | None = None) -> tuple[Lot, ...]:
    return cut([(each, WORK) for each in fleet], workers, size=size)


def sizes(lots: Sequence[Lot]) -> list[int]:
    return [len(lot.tasks) for lot in lots]


def names(part: Sequence[Task[Any]]) -> list[str]:
    return [each.key for each in part]


def test_a_lot_has_50_to_250_databases_unless_a_worker_would_have_none() -> None:
    asked = [(4, 2), (100, 4), (200, 2), (1_000, 2), (10_000, 4), (100_000, 32)]

    assert [lot_size(*each) for each in asked] == [2, 25, 50, 125, 250, 250]


def test_a_large_server_is_cut_into_even_lots() -> None:
    assert sizes(lots_of(tasks(201), 2)) == [40, 40, 40, 40, 41]


def test_small_servers_share_a_lot_and_stay_whole() -> None:
    fleet = [task(f"{host}{n}", f"postgresql://{host}/app") for host in "abcde" for n in range(20)]

    lots = lots_of(fleet, 2, size=50)

    assert [Counter(name[0] for name in names(lot.tasks)) for lot in lots] == [
        {"a": 20, "b": 20},
        {"c": 20, "d": 20},
        {"e": 20},
    ]
    assert not any(lot.servers for lot in lots)


def test_files_of_a_folder_stay_together_but_share_no_limit() -> None:
    lots = lots_of(tasks(100, FILES), 1, size=50)

    assert sizes(lots) == [50, 50]
    assert not any(lot.servers for lot in lots)


def test_the_lots_of_several_large_servers_take_turns() -> None:
    fleet = [task(f"{host}{n:03}", f"postgresql://{host}/app") for host in "ab" for n in range(100)]

    lots = lots_of(fleet, 1, size=50)

    assert [names(lot.tasks)[0] for lot in lots] == ["a000", "b000", "a050", "b050"]
    assert [lot.servers for lot in lots] == [{"a:5432"}, {"b:5432"}, {"a:5432"}, {"b:5432"}]


def test_different_work_is_in_different_lots() -> None:
    later = LotWork(operation=WORK.operation, options={"to": "0002"})

    lots = cut([(task("a"), WORK), (task("b"), later), (task("c"), WORK)], 1)

    assert [(names(lot.tasks), lot.work) for lot in lots] == [(["a", "c"], WORK), (["b"], later)]


def test_a_wave_has_what_needs_nothing_of_itself() -> None:
    canary = frozenset({"canary"})
    fleet = [
        task("a#0", after=canary),
        task("a#1", after=canary | {"a#0"}, finished=frozenset({"b#0"})),
        task("b#0", after=canary),
        task("canary", finished=frozenset({"elsewhere"})),
    ]

    assert [names(wave) for wave in waves(fleet)] == [["canary"], ["a#0", "b#0"], ["a#1"]]


def simulate(lots: Sequence[Lot], limits: Limits, workers: int) -> list[list[LotStart]]:
    """Return what runs at each moment, if the lot that started first ends first."""
    waiting, running, moments = [*lots], list[LotStart](), list[list[LotStart]]()
    while waiting or running:
        while (grant := next_grant(waiting, running, limits, workers)) is not None:
            waiting.remove(grant.lot)
            running.append(grant)
        assert running, "no lot starts"
        moments.append([*running])
        running.pop(0)
    return moments


@given(
    hosts=st.lists(st.integers(1, 120), min_size=1, max_size=4),
    concurrency=st.integers(1, 20),
    per_server=st.integers(1, 10),
    workers=st.integers(1, 5),
)
def test_the_lots_that_run_never_exceed_the_limits_together(
    hosts: list[int], concurrency: int, per_server: int, workers: int
) -> None:
    fleet = [
        task(f"h{host}_{n}", f"postgresql://h{host}/app")
        for host, count in enumerate(hosts)
        for n in range(count)
    ]
    limits = Limits(concurrency=concurrency, per_server=per_server)
    lots = lots_of(fleet, workers, size=30)
    assert sorted(name for lot in lots for name in names(lot.tasks)) == sorted(names(fleet))

    for running in simulate(lots, limits, workers):
        assert len(running) <= workers
        assert sum(grant.concurrency for grant in running) <= concurrency
        used = Counter[str]()
        for grant in running:
            assert grant.concurrency >= 1 and grant.per_server >= 1
            used.update(dict.fromkeys({t.config.server for t in grant.lot.tasks}, grant.per_server))
        assert all(count <= per_server for count in used.values())


def test_the_limit_of_a_server_is_divided_without_a_rest() -> None:
    lots = lots_of(tasks(200), 3, size=50)

    first = simulate(lots, Limits(concurrency=128, per_server=32), 3)[0]

    assert [grant.per_server for grant in first] == [10, 11, 11]
    assert sum(grant.concurrency for grant in first) == 128


def test_a_lot_alone_on_its_server_has_the_whole_limit() -> None:
    (running,) = simulate(lots_of(tasks(40), 1), Limits(concurrency=128, per_server=32), 4)

    assert [(grant.concurrency, grant.per_server) for grant in running] == [(128, 32)]


def test_a_worker_that_joins_late_gets_its_share_of_the_next_lot() -> None:
    lots, limits = lots_of(tasks(200), 1, size=50), Limits(concurrency=128, per_server=32)
    first = next_grant(lots, [], limits, 1)
    assert first is not None and first.per_server == 32
    assert next_grant(lots[1:], [first], limits, 2) is None

    second = next_grant(lots[1:], [], limits, 2)

    assert second is not None and second.per_server == 16


def test_an_order_travels_as_json_and_names_databases_only() -> None:
    needs = (Requirement(database=DatabaseName("primary"), version=Version(2)),)
    order = Order(
        version="1",
        project="/project/dbwarden.py",
        work=LotWork(operation="a:b", options={"to": "7"}, requires=needs),
        databases=(Member(name=DatabaseName("t1"), timeout=None, dev=True),),
        limits=Limits(max_failures=3),
        run="5f0c91aa",
        level="info",
        routine=False,
    )

    assert read_order(json.loads(json.dumps(order.document()))) == order
