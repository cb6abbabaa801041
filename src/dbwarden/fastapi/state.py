"""What serving needs in one event loop: the project, its databases as they are now, the engines."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

from dbwarden.config.loading import load_project
from dbwarden.config.model import DatabaseConfig, UrlSource
from dbwarden.config.project import Project
from dbwarden.config.threads import in_own_thread
from dbwarden.config.urls import parse_url
from dbwarden.engines import Engines, engines
from dbwarden.fastapi.probing import Probes


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Another place for one database, for tests; ``places`` remembers what was made of a config."""

    url: UrlSource
    places: dict[DatabaseConfig, DatabaseConfig] = field(default_factory=dict)

    def of(self, config: DatabaseConfig) -> DatabaseConfig:
        """*config* at the other place."""
        if config not in self.places:
            self.places[config] = self._moved(config)
        return self.places[config]

    def _moved(self, config: DatabaseConfig) -> DatabaseConfig:
        kind = config.database_type
        if not callable(self.url):
            kind = parse_url(self.url, root=config.root).dialect
        return replace(
            config,
            database_url=self.url,
            migration_url=None,
            database_type=kind,
            dev_database_url=None,
            dev=False,
        )


_overrides: dict[str, Override] = {}


@contextmanager
def overriding(name: str, url: UrlSource) -> Iterator[None]:
    """While the block runs, the database *name* is at *url*, in every event loop."""
    before = _overrides.get(name)
    _overrides[name] = Override(url=url)
    try:
        yield
    finally:
        if before is None:
            del _overrides[name]
        else:
            _overrides[name] = before


@dataclass(slots=True, kw_only=True)
class Serving:
    """One event loop's view of the project.

    ``dev`` says that the application runs on its development databases. ``users`` counts the
    lifespans that are open; the last one closes the engines.
    """

    project: Project
    engines: Engines
    dev: bool = False
    only_dev: bool = False
    users: int = 0
    probes: Probes = field(default_factory=Probes)
    _by_name: Mapping[str, DatabaseConfig] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._by_name = {config.database_name: config for config in self.project.single}

    def single(self, name: str | None) -> DatabaseConfig | None:
        """The database called *name* as it was declared by hand, or the default one.

        Raises:
            UsageError: None is the default.
        """
        return self.project.default if name is None else self._by_name.get(name)

    async def database(self, name: str | None, *, dev: bool = False) -> DatabaseConfig:
        """The database called *name*, or the default one, where it is now.

        A tenant that is on no list yet is asked for, once a second at most.

        Raises:
            UnknownDatabase: None is called so; says which are.
            UsageError: None is the default.
            ConfigurationError: It has no development database.
            ConnectError: The list of tenants cannot be had.
        """
        config = self.single(name)
        if config is None:
            assert name is not None
            config = await self.project.find(name)
        return self.located(config, dev=dev)

    def located(self, config: DatabaseConfig, *, dev: bool = False) -> DatabaseConfig:
        """*config*, in development or overridden where that is so."""
        override = _overrides.get(config.database_name)
        if override is not None:
            return override.of(config)
        if dev or (self.dev and (config.dev_database_url is not None or not self.only_dev)):
            return config.for_dev()
        return config

    def primary_of(self, config: DatabaseConfig) -> DatabaseConfig | None:
        """The database beside which the replica *config* is judged; ``None`` for what is none.

        Nor for one in development, or where a test has put one of the two in another place.
        """
        primary = config.primary
        if primary is None or config.dev:
            return None
        if {config.database_name, primary.database_name} & _overrides.keys():
            return None
        beside = self.located(primary)
        return None if beside.dev else beside

    def declared(self, name: str | None, *, dev: bool) -> DatabaseConfig:
        """What a route that declares *name* will get; nobody is asked for tenants."""
        config = self.single(name)
        if config is None:
            assert name is not None
            config = self.project.database(name, unlisted=True)
        return self.located(config, dev=dev)

    @property
    def databases(self) -> tuple[DatabaseConfig, ...]:
        """Every database that was declared by hand, where it is now, in configured order."""
        return tuple(self.located(config) for config in self.project.single)


_serving: WeakKeyDictionary[asyncio.AbstractEventLoop, Serving] = WeakKeyDictionary()


def states() -> tuple[Serving, ...]:
    """The state of every event loop of this process that serves."""
    return tuple(_serving.values())


def serving_now() -> Serving | None:
    """The state of the running event loop, if the project has been loaded in it."""
    return _serving.get(asyncio.get_running_loop())


async def serving() -> Serving:
    """The state of the running event loop; loads the project the first time, in a thread.

    Raises:
        ConfigurationError: The project's configuration cannot be found or has problems.
    """
    found = serving_now()
    if found is None:
        project = await in_own_thread(load_project)
        found = serving_now() or Serving(project=project, engines=engines())
        _serving[asyncio.get_running_loop()] = found
    return found


def forget() -> None:
    """Ask for the project anew when it is next needed in this event loop."""
    _serving.pop(asyncio.get_running_loop(), None)
