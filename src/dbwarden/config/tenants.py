"""Derive one database for each tenant from a pattern and a list of ids."""

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

from dbwarden.config.checks import is_record, shown
from dbwarden.config.database_options import DatabaseConfig, call_function, name_of
from dbwarden.config.names import RESERVED
from dbwarden.config.registry import IdSource
from dbwarden.errors import ConfigurationError, ConnectError
from dbwarden.secrets import Secret, describe_error
from dbwarden.types import LONGEST_NAME, DatabaseName

FIELD = "{tenant_id}"
"""The placeholder of the tenant's id in a name or URL."""

SAMPLE = "tenant0id"
"""The id of the sample tenant with which a declaration is validated."""

DEFAULT_IDS = "[a-z0-9]+(?:[_-][a-z0-9]+)*"
"""The default of ``id_pattern``."""

# These characters are not special in a URL, path, shell or glob, whatever id_pattern allows.
_HARMLESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

MIN_RELOAD_INTERVAL = 1.0
"""Minimum seconds between two reloads of the list caused by an unlisted tenant."""

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A mapping of ids to names and URLs; ``urls`` has the pattern of each option that is a URL.

    PostgreSQL truncates names to 63 characters, so that two tenants could share a database.
    Therefore an id has at most ``longest`` characters.
    """

    name: str
    ids: re.Pattern[str]
    urls: Mapping[str, str] = field(repr=False)
    longest: int = LONGEST_NAME

    @property
    def glob(self) -> str:
        """The argument of ``-d`` that selects all tenants."""
        return self.name.replace(FIELD, "*")

    def name_of(self, tenant_id: str) -> DatabaseName:
        """Return the name of the tenant's database."""
        return DatabaseName(self.name.replace(FIELD, tenant_id))

    def id_of(self, name: str) -> str | None:
        """Return the id of the tenant whose database is *name*; ``None`` if it cannot be one."""
        part = self.part_of(name)
        return None if part is None or self.problem_of(part) else part

    def part_of(self, name: str) -> str | None:
        """Return the part of *name* in the place of the id, valid or not."""
        before, _, after = self.name.partition(FIELD)
        if not (name.startswith(before) and name.endswith(after)):
            return None
        return name[len(before) : len(name) - len(after)]

    def may_match(self, glob: str) -> bool:
        """Return whether a tenant's name can match *glob*; ``False`` only if none can."""
        literal = re.split(r"[*?\[]", glob, maxsplit=1)[0]
        if literal == glob:
            return self.id_of(glob) is not None
        before = self.name.partition(FIELD)[0]
        return literal.startswith(before) or before.startswith(literal)

    def overlaps(self, other: "Pattern") -> bool:
        """Return whether a name can match both patterns."""
        before, _, after = self.name.partition(FIELD)
        other_before, _, other_after = other.name.partition(FIELD)
        return (before.startswith(other_before) or other_before.startswith(before)) and (
            after.endswith(other_after) or other_after.endswith(after)
        )

    def tenant_at(self, sample_target: str, target: str) -> str | None:
        """Return the id of the tenant whose database is at *target*; ``None`` if there is none."""
        one, *others = [re.escape(part) for part in sample_target.split(SAMPLE)]
        if not others:
            return None
        match = re.fullmatch(f"{one}(.+?)" + r"\1".join(others), target)
        return match[1] if match and self.problem_of(match[1]) is None else None

    def problem_of(self, tenant_id: str) -> str | None:
        """Return the problem with *tenant_id* as an id; ``None`` if it is valid."""
        if not _HARMLESS.fullmatch(tenant_id):
            return (
                "an id begins with a letter or digit, and letters, digits, '_', '-' and '.' follow"
            )
        if not self.ids.fullmatch(tenant_id):
            if self.ids.pattern == DEFAULT_IDS:
                return "an id has small letters, digits, and single '_' or '-' between them"
            return f"it does not match id_pattern={self.ids.pattern!r}"
        if len(tenant_id) > self.longest:
            return f"it has more than {self.longest} characters, too many for the database's name"
        name = self.name_of(tenant_id)
        return f"{name!r} is reserved" if name in RESERVED else None

    def read(self, given: Iterable[object]) -> tuple[str, ...]:
        """Return the ids listed by *given*, in order.

        Raises:
            ValueError: Some ids are invalid or duplicates; the message names them.
        """
        if isinstance(given, str | bytes) or is_record(given) or not isinstance(given, Iterable):
            raise ValueError(f"it is of type {type(given).__name__}, not a list of ids")
        items = sorted(given, key=str) if isinstance(given, set | frozenset) else given
        ids: dict[str, str] = {}
        problems: list[str] = []
        for item in items:
            text = str(item) if isinstance(item, int) and not isinstance(item, bool) else item
            if not isinstance(text, str):
                problems.append(f"a value of type {type(item).__name__} is no id")
            elif words := self.problem_of(text):
                problems.append(f"{shown(text)}: {words}")
            elif (duplicate := ids.get(text.lower())) is not None:
                problems.append(
                    f"{text!r} is there twice"
                    if text == duplicate
                    else f"{duplicate!r} and {text!r} differ in case only, which is one file on "
                    "many disks"
                )
            else:
                ids[text.lower()] = text
        if problems:
            more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
            raise ValueError("; ".join(problems[:_SHOWN]) + more)
        return tuple(ids.values())


@dataclass(slots=True, kw_only=True, eq=False)
class TenantFamily:
    """The databases of one ``tenant_databases`` declaration; the list is loaded when needed.

    Args:
        pattern: The mapping of ids to names and URLs.
        template: The shared options; its ``database_name`` is the prefix of the files.
        source: The ids, or a function that returns them.
        refresh_after: Seconds after which a list is outdated; ``None`` means never.
        taken: Ids whose database a ``database_config`` declares, with the label of that database.
    """

    pattern: Pattern
    template: DatabaseConfig
    source: IdSource
    refresh_after: float | None
    taken: Mapping[str, str] = field(default_factory=dict)
    _configs: dict[str, DatabaseConfig | None] | None = None
    _loaded_at: float = float("-inf")
    _failure: str | None = None
    _locks: "WeakKeyDictionary[Any, Any]" = field(default_factory=WeakKeyDictionary)

    def __post_init__(self) -> None:
        if not callable(self.source):
            self._store_ids(self.source)

    @property
    def name(self) -> DatabaseName:
        """The family's name, the prefix of its migration files."""
        return self.template.database_name

    @property
    def source_name(self) -> str | None:
        """The qualified name of the function that returns the ids; ``None`` for a fixed list."""
        return name_of(self.source) if callable(self.source) else None

    @property
    def count(self) -> int | None:
        """The number of tenants; ``None`` until the list is loaded."""
        return None if self._configs is None else len(self._configs)

    @property
    def display_url(self) -> str:
        """The pattern of the URL without its password."""
        return self.template.display_url.replace(SAMPLE, FIELD)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the listed tenants, in the list's order."""
        return tuple(self._configs or ())

    def __contains__(self, tenant_id: str) -> bool:
        """Return whether *tenant_id* is on the list as last loaded."""
        return tenant_id in (self._configs or ())

    @property
    def databases(self) -> tuple[DatabaseConfig, ...]:
        """The databases of the listed tenants, in the list's order."""
        return tuple(self.database_of(tenant_id) for tenant_id in self._configs or ())

    def database(self, name: str) -> DatabaseConfig | None:
        """Return the database *name* if its tenant is listed, else ``None``."""
        tenant_id = self.pattern.id_of(name)
        return self.database_of(tenant_id) if tenant_id is not None and tenant_id in self else None

    def unlisted(self, name: str) -> DatabaseConfig | None:
        """Return the database *name* if a tenant, listed or not, can have it."""
        tenant_id = self.pattern.id_of(name)
        if tenant_id is None or tenant_id in self.taken:
            return None
        return self.database(name) or self._build_config(tenant_id)

    def database_of(self, tenant_id: str) -> DatabaseConfig:
        """Return the database of a listed tenant."""
        assert self._configs is not None
        config = self._configs[tenant_id]
        if config is None:
            # Built on first use, because a process may serve ten of ten thousand tenants.
            config = self._configs[tenant_id] = self._build_config(tenant_id)
        return config

    def _build_config(self, tenant_id: str) -> DatabaseConfig:
        urls: Mapping[str, Any] = {
            option: Secret(url.replace(FIELD, tenant_id))
            for option, url in self.pattern.urls.items()
        }
        return replace(self.template, database_name=self.pattern.name_of(tenant_id), **urls)

    async def load(self, *, max_age: float | None = None, keep_old: bool = True) -> None:
        """Refresh the tenant list if it is older than *max_age* seconds.

        Args:
            max_age: Seconds; ``None`` accepts a list of any age.
            keep_old: If loading fails, keep the old list and log a warning.

        Raises:
            ConnectError: The function that returns the list failed.
            ConfigurationError: The function did not return a list of ids.
        """
        if self._is_recent(max_age):
            return
        async with self._lock():
            if self._is_recent(max_age):
                return
            if self._configs is None and self._failure and self._age < MIN_RELOAD_INTERVAL:
                raise self._list_error(f"{self._failure} (a moment ago)")
            try:
                self._store_ids(await self._fetch_ids())
            except (ConnectError, ConfigurationError) as error:
                self._failure, self._loaded_at = error.message, time.monotonic()
                if self._configs is None or not keep_old:
                    raise
                from dbwarden import telemetry

                fields = {"tenants": self.pattern.name, "error": error.message}
                telemetry.emit("tenants_not_refreshed", level="warning", **fields)

    def _is_recent(self, max_age: float | None) -> bool:
        if not callable(self.source):
            return True
        return self._configs is not None and (max_age is None or self._age < max_age)

    @property
    def _age(self) -> float:
        return time.monotonic() - self._loaded_at

    def _lock(self) -> Any:
        """Return the lock of the running event loop, so that concurrent callers load once."""
        import asyncio

        import anyio

        return self._locks.setdefault(asyncio.get_running_loop(), anyio.Lock())

    async def _fetch_ids(self) -> Iterable[object]:
        import anyio

        assert callable(self.source)
        problem: str | None = None
        with anyio.move_on_after(self.template.timeout) as scope:
            try:
                return await call_function(self.source)  # type: ignore[return-value]  # read() checks
            except Exception as error:
                problem = describe_error(error)
        if scope.cancelled_caught:
            problem = f"it did not end within {self.template.timeout:g} s"
        raise self._list_error(
            f"the function {self.source_name} that gives the tenants failed: {problem}"
        )

    def _list_error(self, message: str) -> ConnectError:
        return ConnectError(
            message,
            database=self.pattern.name,
            next_step=f"Correct {self.source_name}, which tenant_databases names as tenants, or "
            "what it asks. A single database can be named with -d meanwhile.",
        )

    def _store_ids(self, given: Iterable[object]) -> None:
        try:
            ids = self.pattern.read(given)
            if taken := [each for each in ids if each in self.taken]:
                raise ValueError(
                    f"{taken[0]!r}: its database is that of {self.taken[taken[0]]!r} already"
                )
        except ValueError as error:
            raise ConfigurationError(
                f"the list of tenants cannot be used: {error}", database=self.pattern.name
            ) from None
        old = self._configs or {}
        self._configs = {tenant_id: old.get(tenant_id) for tenant_id in ids}
        self._failure, self._loaded_at = None, time.monotonic()
