"""Order migrations by version and dependencies. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush

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


def _sorted_by_dependencies(versioned: Mapping[Version, Migration]) -> Iterator[Version]:
    sorter = _sorter(versioned)
    with suppress(CycleError):  # its members are not yielded
        sorter.prepare()
    ready: list[Version] = []
    while sorter.is_active():
        for version in sorter.get_ready():
            heappush(ready, version)
        version = heappop(ready)
        yield version
        sorter.done(version)


def _sorter(versioned: Mapping[Version, Migration]) -> TopologicalSorter[Version]:
    return TopologicalSorter(
        {
            version: [need for need in migration.depends_on if need in versioned]
            for version, migration in versioned.items()
        }
    )


def cycle_of(migrations: Sequence[Migration]) -> tuple[Migration, ...]:
    """Return a dependency cycle, each migration followed by its dependency; ``()`` if none."""
    versioned = {item.version: item for item in migrations if item.version is not None}
    try:
        _sorter(versioned).prepare()
    except CycleError as error:  # its list ends with its first member, and dependencies come first
        members = error.args[1][:0:-1]
        first = members.index(min(members))
        return tuple(versioned[version] for version in members[first:] + members[:first])
    return ()


def format_cycle(cycle: Sequence[Migration]) -> str:
    """Format a cycle as ``0003 -> 0005 -> 0003``."""
    keys = [item.key for item in (*cycle, cycle[0])]
    return " -> ".join(keys)


def format_versions(versions: Sequence[Version]) -> str:
    """Format versions as ``0003, 0004 and 12 more``."""
    return shorten([format_version(version) for version in versions], 5)
