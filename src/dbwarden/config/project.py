"""The databases of one configuration file, and how a command's words choose among them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from dbwarden.config.model import DatabaseConfig
from dbwarden.config.names import did_you_mean
from dbwarden.config.tenants import ASK_AGAIN, TenantFamily
from dbwarden.errors import UnknownDatabase, UnknownTenant, UsageError
from dbwarden.secrets import redact

Declared = DatabaseConfig | TenantFamily


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The databases of one configuration file, in configured order.

    Tenants whose list a function gives are known once somebody has asked: :meth:`expand` asks for
    what is not known yet or too old, :meth:`find` for one name, :meth:`refresh` anew. The other
    methods go by what is known.

    Args:
        path: The file.
        root: Its folder, from which relative paths count.
        declared: What the file declares, at least one.
    """

    path: Path
    root: Path
    declared: tuple[Declared, ...]

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
        """All databases, tenants too, in configured order."""
        found: list[DatabaseConfig] = []
        for item in self.declared:
            if isinstance(item, TenantFamily):
                found.extend(item.databases)
            else:
                found.append(item)
        return tuple(found)

    @property
    def single(self) -> tuple[DatabaseConfig, ...]:
        """The databases that were declared by hand."""
        return tuple(item for item in self.declared if isinstance(item, DatabaseConfig))

    @property
    def families(self) -> tuple[TenantFamily, ...]:
        """The tenants, as they were declared."""
        return tuple(item for item in self.declared if isinstance(item, TenantFamily))

    @property
    def authors(self) -> tuple[DatabaseConfig, ...]:
        """Who has migrations of their own: databases, and of tenants what they share."""
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
        """The database that is meant when none is named.

        Raises:
            UsageError: There are several, and none is the default.
        """
        for config in self.single:
            if config.default:
                return config
        raise UsageError(
            f"no database is the default ({', '.join(self._told)} are configured)",
            next_step="Name one with -d, take --all, or give one default=True in its "
            "database_config.",
        )

    def database(self, name: str, *, unlisted: bool = False) -> DatabaseConfig:
        """The database called *name*, as far as tenants are known.

        *unlisted* takes a tenant, too, that is on no list, if its name is right.

        Raises:
            UnknownDatabase: None is; says which are.
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
        """The database called *name*; asks for the list of tenants where that may help.

        A name that can be a tenant's and is on no list is asked for anew, once a second at most,
        so that a new tenant is known at once.

        Raises:
            UnknownDatabase: None is; says which are.
            ConnectError: The function that gives the list failed, and there is no older list.
            ConfigurationError: What it gave is no list of ids.
        """
        if (family := self._family_of(name)) is not None:
            await family.ask(max_age=family.refresh_after)
            if family.database(name) is None:
                await family.ask(max_age=ASK_AGAIN)
        return self.database(name)

    async def expand(self, names: Sequence[str] = (), *, all_databases: bool = False) -> None:
        """Have the lists of the tenants that *names* may mean, so that :meth:`select` knows them.

        Args:
            names: Names or patterns.
            all_databases: All lists.

        Raises:
            ConnectError: A function that gives a list failed, and there is no older list.
            ConfigurationError: What it gave is no list of ids.
        """
        for family in self.families:
            if all_databases or any(family.pattern.may_match(name) for name in names):
                await family.ask(max_age=family.refresh_after)

    async def refresh(self) -> None:
        """Ask for every list of tenants now, in a program that runs for long.

        Raises:
            ConnectError: A function that gives a list failed; the list before stays.
            ConfigurationError: What it gave is no list of ids; the list before stays.
        """
        for family in self.families:
            await family.ask(max_age=0.0, keep_old=False)

    def author(self, name: str) -> DatabaseConfig:
        """The database, or the family of tenants, called *name*: for those who write migrations.

        Raises:
            UnknownDatabase: None is.
        """
        for family in self.families:
            if name == family.name:
                return family.template
        return self.database(name)

    def shares(self, name: str) -> bool:
        """Whether *name* is a pattern, or what tenants share: nobody has to be asked for a list."""
        return is_glob(name) or any(name == family.name for family in self.families)

    def written_for(self, name: str) -> tuple[DatabaseConfig, ...]:
        """Whose migrations *name* or a pattern means; of tenants, what they share stands for all.

        Raises:
            UnknownDatabase: Nobody's.
        """
        if not is_glob(name):
            return (self.author(name),)
        found = tuple(
            item.template if isinstance(item, TenantFamily) else item
            for item in self.declared
            if (
                item.pattern.may_match(name) or fnmatchcase(item.name, name)
                if isinstance(item, TenantFamily)
                else item.replica_of is None and fnmatchcase(item.database_name, name)
            )
        )
        if not found:
            raise self._unknown(name)
        return found

    def select(
        self,
        names: Sequence[str] = (),
        *,
        all_databases: bool = False,
        unlisted: bool = False,
    ) -> tuple[DatabaseConfig, ...]:
        """The databases that a command means, in configured order, each once.

        Args:
            names: Names or patterns (``tenant_*``).
            all_databases: All of them.
            unlisted: Also a tenant that is on no list, if its name is right.

        Returns:
            The default database where neither is given.

        Raises:
            UsageError: Both are given, or there is no default.
            UnknownDatabase: A name or pattern that fits none.
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
        chosen = self._matching(names)
        rest = [name for name in self._unmatched(names, chosen) if not self._nobody_yet(name)]
        return (*chosen, *(self.database(name, unlisted=unlisted) for name in rest))

    def _matching(self, names: Sequence[str]) -> tuple[DatabaseConfig, ...]:
        exact = frozenset(names)
        globs = [name for name in names if is_glob(name)]
        return tuple(
            config
            for config in self.databases
            if config.database_name in exact
            or any(fnmatchcase(config.database_name, glob) for glob in globs)
        )

    def _unmatched(self, names: Sequence[str], chosen: Sequence[DatabaseConfig]) -> tuple[str, ...]:
        found = [config.database_name for config in chosen]
        known = frozenset[str](found)
        return tuple(
            name
            for name in dict.fromkeys(names)
            if name not in known
            and not (is_glob(name) and any(fnmatchcase(each, name) for each in found))
        )

    def _nobody_yet(self, glob: str) -> bool:
        """Whether *glob* means tenants of whom there are none yet, which is nobody's mistake."""
        return is_glob(glob) and any(
            family.count == 0 and family.pattern.may_match(glob) for family in self.families
        )

    def _family_of(self, name: str) -> TenantFamily | None:
        return next((f for f in self.families if f.pattern.id_of(name) is not None), None)

    @property
    def _told(self) -> tuple[str, ...]:
        """Databases for people: each single one by name, tenants by their pattern."""
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
        known = self._told
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


def is_glob(name: str) -> bool:
    """Whether *name* is a pattern for several databases."""
    return re.search(r"[*?\[]", name) is not None
