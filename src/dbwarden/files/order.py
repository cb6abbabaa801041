"""Order migrations by version and dependencies. Pure."""

from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush

from dbwarden.files.migration import Migration
from dbwarden.printable import shorten
from dbwarden.types import Version, format_version


def sort_migrations(migrations: Sequence[Migration]) -> tuple[Migration, ...]:
    """Sort *migrations* by version but after their dependencies, with repeatables last.

    Dependencies that are not among *migrations* are ignored. Members of a cycle are omitted;
    ``cycle_of`` finds it.
    """
    versioned = {item.version: item for item in migrations if item.version is not None}
    order = sorted(versioned)
    if any(need >= version for version in order for need in versioned[version].depends_on):
        order = list(_sorted_by_dependencies(versioned))
    repeatables = sorted((m for m in migrations if m.version is None), key=lambda m: m.name)
    return (*(versioned[version] for version in order), *repeatables)


def _sorted_by_dependencies(versioned: dict[Version, Migration]) -> Iterator[Version]:
    waiting: dict[Version, int] = {}
    dependants: dict[Version, list[Version]] = {}
    for version, migration in versioned.items():
        needs = {need for need in migration.depends_on if need in versioned}
        waiting[version] = len(needs)
        for need in needs:
            dependants.setdefault(need, []).append(version)
    ready = [version for version, count in waiting.items() if count == 0]
    heapify(ready)
    while ready:
        version = heappop(ready)
        yield version
        for dependant in dependants.get(version, ()):
            waiting[dependant] -= 1
            if waiting[dependant] == 0:
                heappush(ready, dependant)


def cycle_of(migrations: Sequence[Migration]) -> tuple[Migration, ...]:
    """Return a dependency cycle, each migration followed by its dependency; ``()`` if none."""
    ordered = {id(item) for item in sort_migrations(migrations)}
    stuck = {
        item.version: item
        for item in migrations
        if item.version is not None and id(item) not in ordered
    }
    if not stuck:
        return ()
    # Each stuck migration depends on another stuck one, so this walk reaches a cycle.
    version, places = min(stuck), dict[Version, int]()
    while version not in places:
        places[version] = len(places)
        version = next(need for need in stuck[version].depends_on if need in stuck)
    return tuple(stuck[member] for member in list(places)[places[version] :])


def format_cycle(cycle: Sequence[Migration]) -> str:
    """Format a cycle as ``0003 -> 0005 -> 0003``."""
    keys = [item.key for item in (*cycle, cycle[0])]
    return " -> ".join(keys)


def format_versions(versions: Sequence[Version]) -> str:
    """Format versions as ``0003, 0004 and 12 more``."""
    return shorten([format_version(version) for version in versions], 5)
