"""Select among the databases of one configuration file."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.config.libpq import namespace_of
from dbwarden.config.names import did_you_mean
from dbwarden.config.tenants import MIN_RELOAD_INTERVAL, SAMPLE, TenantFamily
from dbwarden.config.urls import DatabaseURL
from dbwarden.errors import ConfigurationError, UnknownDatabase, UnknownTenant, UsageError
from dbwarden.secrets import redact

Declared = DatabaseConfig | TenantFamily


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The databases of one configuration file, in configured order.

    If a function returns the list of tenants, the list is empty until it is first loaded.
    :meth:`expand` loads lists that are missing or too old, :meth:`find` loads for one name, and
    :meth:`refresh` reloads all lists. The other methods use the lists as last loaded.

    Args:
        path: The file.
        root: Its folder, from which relative paths count.
        declared: What the file declares, at least one.
    """

    path: Path
    root: Path
    declared: tuple[Declared, ...]
    _by_target: dict[bool, dict[str, list[tuple[Declared, DatabaseURL]]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """A cache of :meth:`_declared_by_target`."""

    def __post_init__(self) -> None:
        declared = tuple(self._with_project(item) for item in self.declared)
        object.__setattr__(self, "declared", declared)

    def _with_project(self, item: Declared) -> Declared:
        if isinstance(item, DatabaseConfig):
            return replace(item, project=self)
        item.template = replace(item.template, project=self)
        return item

    @property
    def databases(self) -> tuple[DatabaseConfig, ...]:
        """Every database, including tenants, in configured order."""
        return tuple(
            config
            for item in self.declared
            for config in (item.databases if isinstance(item, TenantFamily) else (item,))
        )

    @property
    def single(self) -> tuple[DatabaseConfig, ...]:
        """The databases declared with ``database_config``."""
        return tuple(item for item in self.declared if isinstance(item, DatabaseConfig))

    @property
    def families(self) -> tuple[TenantFamily, ...]:
        """The tenant families, in configured order."""
        return tuple(item for item in self.declared if isinstance(item, TenantFamily))

    @property
    def authors(self) -> tuple[DatabaseConfig, ...]:
        """The configurations that have their own migrations; one template per tenant family."""
        return tuple(
            item.template if isinstance(item, TenantFamily) else item
            for item in self.declared
            if isinstance(item, TenantFamily) or item.replica_of is None
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all databases, in configured order."""
        return tuple(config.database_name for config in self.databases)

    @property
    def default(self) -> DatabaseConfig:
        """The database that commands use when none is named.

        Raises:
            UsageError: There are several, and none is the default.
        """
        for config in self.single:
            if config.default:
                return config
        raise UsageError(
            f"no database is the default ({', '.join(self._display_names)} are configured)",
            next_step="Name one with -d, take --all, or give one default=True in its "
            "database_config.",
        )

    def database(self, name: str, *, unlisted: bool = False) -> DatabaseConfig:
        """Return the database *name*, using the tenant lists as last loaded.

        *unlisted* also accepts an unlisted tenant if its name matches the pattern.

        Raises:
            UnknownDatabase: No database has that name; the error lists the names.
        """
        for item in self.declared:
            if isinstance(item, TenantFamily):
                config = item.unlisted(name) if unlisted else item.database(name)
                if config is not None:
                    return config
            elif item.database_name == name:
                return item
        raise self._unknown(name)

    async def find(self, name: str) -> DatabaseConfig:
        """Return the database *name*, loading the list of tenants if *name* matches a pattern.

        If the tenant is not listed, the list is reloaded, at most once a second, so that new
        tenants are found immediately.

        Raises:
            UnknownDatabase: No database has that name; the error lists the names.
            ConnectError: The function that returns the list failed, and there is no older list.
            ConfigurationError: The function did not return a list of ids.
        """
        if (family := self._family_of(name)) is not None:
            await family.load(max_age=family.refresh_after)
            if family.database(name) is None:
                await family.load(max_age=MIN_RELOAD_INTERVAL)
        return self.database(name)

    async def expand(self, names: Sequence[str] = (), *, all_databases: bool = False) -> None:
        """Load the lists of tenants that :meth:`select` needs for *names*.

        Args:
            names: Names or patterns.
            all_databases: Load every list.

        Raises:
            ConnectError: A function that returns a list failed, and there is no older list.
            ConfigurationError: The function did not return a list of ids.
        """
        for family in self.families:
            if all_databases or any(family.pattern.may_match(name) for name in names):
                await family.load(max_age=family.refresh_after)

    async def refresh(self) -> None:
        """Reload every list of tenants, in a long-running program.

        Raises:
            ConnectError: A function that returns a list failed; the old list remains.
            ConfigurationError: The function did not return a list of ids; the old list remains.
        """
        for family in self.families:
            await family.load(max_age=0.0, keep_old=False)

    def author(self, name: str) -> DatabaseConfig:
        """Return the configuration to write migrations for: a database or a family's template.

        Raises:
            UnknownDatabase: No database or family has that name.
        """
        for family in self.families:
            if name == family.name:
                return family.template
        return self.database(name)

    def shares(self, name: str) -> bool:
        """Return whether *name* is a glob or a family, so that no list of tenants is needed."""
        return is_glob(name) or any(name == family.name for family in self.families)

    def written_for(self, name: str) -> tuple[DatabaseConfig, ...]:
        """Return the configurations whose migrations *name*, a name or glob, selects.

        A family's template represents all of its tenants.

        Raises:
            UnknownDatabase: *name* matches no database and no family.
        """
        if not is_glob(name):
            return (self.author(name),)
        shared = {family.name for family in self.families if family.pattern.may_match(name)}
        authors = tuple(
            config
            for config in self.authors
            if config.database_name in shared or fnmatchcase(config.database_name, name)
        )
        if not authors:
            raise self._unknown(name)
        return authors

    def select(
        self,
        names: Sequence[str] = (),
        *,
        all_databases: bool = False,
        unlisted: bool = False,
    ) -> tuple[DatabaseConfig, ...]:
        """Return the databases selected by a command, in configured order, without duplicates.

        Args:
            names: Names or patterns (``tenant_*``).
            all_databases: Select every database.
            unlisted: Also accept an unlisted tenant if its name matches the pattern.

        Returns:
            The default database if neither is given.

        Raises:
            UsageError: Both are given, or there is no default.
            UnknownDatabase: A name or pattern matches no database.
        """
        if all_databases and names:
            raise UsageError(
                "all databases and single ones are asked for at the same time",
                next_step="Give either --all or -d.",
            )
        if all_databases:
            return self.databases
        if not names:
            return (self.default,)
        exact, globs = frozenset(names), [name for name in names if is_glob(name)]
        chosen = tuple(
            config
            for config in self.databases
            if config.database_name in exact
            or any(fnmatchcase(config.database_name, glob) for glob in globs)
        )
        matched = {str(config.database_name) for config in chosen}
        matched |= {glob for glob in globs if any(fnmatchcase(name, glob) for name in matched)}
        empty = [family.pattern for family in self.families if family.count == 0]
        matched |= {glob for glob in globs if any(each.may_match(glob) for each in empty)}
        rest = [name for name in dict.fromkeys(names) if name not in matched]
        return (*chosen, *(self.database(name, unlisted=unlisted) for name in rest))

    def _family_of(self, name: str) -> TenantFamily | None:
        return next((f for f in self.families if f.pattern.id_of(name) is not None), None)

    @property
    def _display_names(self) -> tuple[str, ...]:
        """The databases to list in messages: single ones by name, tenants by their pattern."""
        return tuple(
            item.pattern.glob if isinstance(item, TenantFamily) else item.database_name
            for item in self.declared
        )

    def _unknown(self, name: str) -> UnknownDatabase:
        family = self._family_of(name)
        if family is not None:
            listed = "was not asked for yet" if family.count is None else f"has {family.count}"
            return UnknownTenant(
                f"no tenant has the database {name!r}",
                next_step=f"The list of tenants of {family.pattern.name} {listed}; add it there.",
            )
        known = self._display_names
        for family in self.families:
            part = None if is_glob(name) else family.pattern.part_of(name)
            if part is not None:
                return UnknownTenant(
                    f"{redact(repr(name))} cannot be a database of {family.pattern.name}: "
                    f"{family.pattern.problem_of(part)}",
                    next_step=f"Configured are: {', '.join(known)}.",
                )
        listed = ", ".join(known[:20]) + (" ..." if len(known) > 20 else "")
        return UnknownDatabase(
            f"no database {redact(repr(name))} is configured{did_you_mean(name, known)}",
            next_step=f"Configured are: {listed}.",
        )

    def foreign_namespaces(self, config: DatabaseConfig) -> Iterator[re.Pattern[str]]:
        """Yield a pattern for the namespaces that each other database has in that of *config*."""
        own = config.url
        if own is None or own.target is None:
            return
        mine = namespace_of(own)
        for item, url in self._declared_by_target(dev=config.dev).get(own.target, ()):
            theirs = re.escape(namespace_of(url))
            if isinstance(item, TenantFamily):
                theirs = theirs.replace(SAMPLE, f"(?:{item.pattern.ids.pattern})")
            elif namespace_of(url) == mine:
                continue
            yield re.compile(f"(?!{re.escape(mine)}$)(?:{theirs})")

    def _declared_by_target(
        self, *, dev: bool
    ) -> Mapping[str, Sequence[tuple[Declared, DatabaseURL]]]:
        """Return what is declared, by physical database."""
        if (known := self._by_target.get(dev)) is not None:
            return known
        found: dict[str, list[tuple[Declared, DatabaseURL]]] = {}
        for item in self.declared:
            config = item.template if isinstance(item, TenantFamily) else item
            try:
                url = (config.for_dev() if dev else config).url
            except ConfigurationError:  # no development database of this kind
                continue
            if url is not None and (target := url.target) is not None:
                found.setdefault(target, []).append((item, url))
        self._by_target[dev] = found
        return found


def is_glob(name: str) -> bool:
    """Return whether *name* is a glob."""
    return re.search(r"[*?\[]", name) is not None
