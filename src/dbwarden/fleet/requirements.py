"""Order the databases of a run by their ``-- requires: primary@0042`` lines. Pure.

Every migration has a level: 0, or one more than the highest level of the migrations it requires in
other databases, and at least that of its predecessor. The migrations of one database on one level
form a :class:`RolloutStage`, which runs when the stages that it requires are done.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dbwarden.errors import MigrationFileError
from dbwarden.files.migration import Migration, Requirement
from dbwarden.types import DatabaseName, Version, format_version

Node = tuple[DatabaseName, Version]
FilesByDatabase = Mapping[DatabaseName, Sequence[Migration]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutStage:
    """The migrations of one database on one level, up to version ``to`` (``None`` for the rest).

    ``requires`` lists the migrations that other databases must have applied before.
    """

    database: DatabaseName
    level: int
    to: Version | None
    requires: tuple[Requirement, ...]

    @property
    def key(self) -> str:
        """A name for this stage within one run."""
        return f"{self.database}#{self.level}"


def plan_stages(
    files: FilesByDatabase, databases: Sequence[DatabaseName]
) -> tuple[RolloutStage, ...]:
    """Return the stages of *databases*, in order for each database.

    *files* has the files of every configured database, because a requirement may name a database
    outside of this run.

    Raises:
        MigrationFileError: A requirement names an unknown database or version, or requirements
            form a cycle; with file and line.
    """
    if not any_requirement(files):
        return tuple(
            RolloutStage(database=name, level=0, to=None, requires=()) for name in databases
        )
    levels = _levels(files)
    result: list[RolloutStage] = []
    for name in databases:
        versioned = _versioned(files.get(name, ()))
        by_level: dict[int, list[Migration]] = {0: []}
        for item, version in versioned:
            by_level.setdefault(levels[name, version], []).append(item)
        result.extend(_stages_of(name, by_level))
    return tuple(result)


def any_requirement(files: FilesByDatabase) -> bool:
    """Return whether any migration requires another database. Tenants share their files."""
    folders = {id(items): items for items in files.values()}
    return any(item.requires for items in folders.values() for item in items)


def _stages_of(
    name: DatabaseName, by_level: Mapping[int, Sequence[Migration]]
) -> Iterator[RolloutStage]:
    last = max(by_level)
    for level in sorted(by_level):
        items = by_level[level]
        newest = items[-1].version if items else None
        if not items and level != last:
            continue
        yield RolloutStage(
            database=name,
            level=level,
            to=None if level == last else newest,
            requires=tuple(dict.fromkeys(need for item in items for need in item.requires)),
        )


def _versioned(items: Sequence[Migration]) -> list[tuple[Migration, Version]]:
    return [(item, item.version) for item in items if item.version is not None]


def _levels(files: FilesByDatabase) -> dict[Node, int]:
    from graphlib import CycleError, TopologicalSorter  # few projects have requirements

    nodes = {(name, v): item for name, items in files.items() for item, v in _versioned(items)}
    needs = {
        node: [_node(item, need, nodes, files) for need in item.requires]
        for node, item in nodes.items()
    }
    before = _previous(files)
    sorter = TopologicalSorter({node: (*before[node], *needs[node]) for node in nodes})
    levels: dict[Node, int] = {}
    try:
        for node in sorter.static_order():
            earlier = [levels[item] for item in before[node]]
            levels[node] = max([0, *earlier, *(levels[item] + 1 for item in needs[node])])
    except CycleError as error:
        raise _cycle(error.args[1][:-1], nodes) from None
    return levels


def _previous(files: FilesByDatabase) -> dict[Node, tuple[Node, ...]]:
    """Return the migration before each one of the same database, if any."""
    previous: dict[Node, tuple[Node, ...]] = {}
    for name, items in files.items():
        versions = [version for _, version in _versioned(items)]
        for place, version in enumerate(versions):
            previous[name, version] = ((name, versions[place - 1]),) if place else ()
    return previous


def _node(
    migration: Migration, need: Requirement, nodes: Mapping[Node, Migration], files: FilesByDatabase
) -> Node:
    if need.database not in files:
        raise MigrationFileError(
            f"it requires {_format(need)}, but no database {need.database} is configured",
            database=migration.database,
            location=migration.at(),
            next_step=f"Name one of: {', '.join(files)}.",
        )
    if (need.database, need.version) not in nodes:
        raise MigrationFileError(
            f"it requires {_format(need)}, but {need.database} has no such migration",
            database=migration.database,
            location=migration.at(),
            next_step="Correct the number, or add the missing file.",
        )
    return need.database, need.version


def _cycle(ring: Sequence[Node], nodes: Mapping[Node, Migration]) -> MigrationFileError:
    """Return the error for *ring*, in which each node is required by the next one."""
    first = ring.index(min(ring, key=list(nodes).index))
    walked = [*ring[first::-1], *ring[:first:-1], ring[first]]
    named = " -> ".join(f"{name}@{format_version(version)}" for name, version in walked)
    return MigrationFileError(
        f"these migrations require each other: {named}",
        database=walked[0][0],
        location=nodes[walked[0]].at(),
        next_step="Remove one `-- requires:` of the cycle.",
    )


def _format(need: Requirement) -> str:
    return f"{need.database}@{format_version(need.version)}"
