"""Hold the project, its databases and the engines of one event loop."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

from dbwarden.config.database_options import DatabaseConfig, UrlSource
from dbwarden.config.loading import load_project
from dbwarden.config.project import Project
from dbwarden.config.threads import in_own_thread
from dbwarden.config.urls import parse_url
from dbwarden.engines import Engines, engines
from dbwarden.fastapi.probing import Probes


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Another URL for one database, for tests; ``cache`` has the resulting configurations."""

    url: UrlSource
    cache: dict[DatabaseConfig, DatabaseConfig] = field(default_factory=dict)

    def apply(self, config: DatabaseConfig) -> DatabaseConfig:
        """Return *config* with the URL of this override."""
        if config not in self.cache:
            kind = config.database_type
            if not callable(self.url):
                kind = parse_url(self.url, root=config.root).dialect
            self.cache[config] = replace(
                config,
                database_url=self.url,
                migration_url=None,
                database_type=kind,
                dev_database_url=None,
                dev=False,
            )
        return self.cache[config]


_overrides: dict[str, Override] = {}


@contextmanager
def override_database(name: str, url: UrlSource) -> Iterator[None]:
    """Use *url* for the database *name* inside the block, in sessions, startup and health.

    For example: ``with override_database("primary", dbwarden_database.url), TestClient(app): ...``.
    The URL may be of another database kind. The override applies to all applications of this
    process and to code outside of requests, but not to other processes.

    Args:
        name: The database, as in ``database_config(database_name=...)``.
        url: Its URL inside the block.
    """
    before = {name: _overrides[name]} if name in _overrides else {}
    _overrides[name] = Override(url=url)
    try:
        yield
    finally:
        del _overrides[name]
        _overrides.update(before)


@dataclass(slots=True, kw_only=True)
class Serving:
    """The state of one event loop that serves a project.

    ``dev`` means that the application runs on its development databases. ``users`` counts the open
    lifespans; the last one closes the engines.
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
        """Return the single database *name* as declared, or the default database.

        Raises:
            UsageError: There is no default database.
        """
        return self.project.default if name is None else self._by_name.get(name)

    async def database(self, name: str | None, *, dev: bool = False) -> DatabaseConfig:
        """Return the database *name*, or the default database, with its current URL.

        For an unlisted tenant the list is reloaded, at most once a second.

        Raises:
            UnknownDatabase: No database has that name; the error lists the names.
            UsageError: There is no default database.
            ConfigurationError: The database has no development database.
            ConnectError: The list of tenants cannot be loaded.
        """
        config = self.single(name) or await self.project.find(str(name))
        return self.locate(config, dev=dev)

    def locate(self, config: DatabaseConfig, *, dev: bool = False) -> DatabaseConfig:
        """Return *config*, its override or its development configuration, whichever is in use."""
        override = _overrides.get(config.database_name)
        if override is not None:
            return override.apply(config)
        if dev or (self.dev and (config.dev_database_url is not None or not self.only_dev)):
            return config.for_dev()
        return config

    def primary_of(self, config: DatabaseConfig) -> DatabaseConfig | None:
        """Return the database with which the replica *config* is compared.

        Return ``None`` if *config* is no replica or a development database, or if one of the two is
        overridden.
        """
        primary = config.primary
        if primary is None or config.dev:
            return None
        if {config.database_name, primary.database_name} & _overrides.keys():
            return None
        locate = self.locate(primary)
        return None if locate.dev else locate

    def declared(self, name: str | None, *, dev: bool) -> DatabaseConfig:
        """Return the database for a route that declares *name*, without loading tenants."""
        config = self.single(name) or self.project.database(str(name), unlisted=True)
        return self.locate(config, dev=dev)

    @property
    def databases(self) -> tuple[DatabaseConfig, ...]:
        """The single databases with their current URLs, in configured order."""
        return tuple(self.locate(config) for config in self.project.single)


_serving: WeakKeyDictionary[asyncio.AbstractEventLoop, Serving] = WeakKeyDictionary()


def states() -> tuple[Serving, ...]:
    """Return the state of every serving event loop of this process."""
    return tuple(state for loop, state in _serving.items() if not loop.is_closed())


def serving_now() -> Serving | None:
    """Return the state of the running event loop; ``None`` if it has not loaded the project."""
    return _serving.get(asyncio.get_running_loop())


async def serving() -> Serving:
    """Return the state of the running event loop; load the project in a thread on first use.

    Raises:
        ConfigurationError: The project's configuration cannot be found or has problems.
    """
    state = serving_now()
    if state is None:
        project = await in_own_thread(load_project)
        state = serving_now() or Serving(project=project, engines=engines())
        _serving[asyncio.get_running_loop()] = state
    return state


def forget() -> None:
    """Remove the state of the running event loop, so that the next use reloads the project."""
    _serving.pop(asyncio.get_running_loop(), None)
