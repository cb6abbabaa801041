"""Databases declared by a pattern: one for each tenant, of whom somebody else keeps the list."""

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

from dbwarden.config.checks import is_record, shown
from dbwarden.config.model import DatabaseConfig, called, name_of
from dbwarden.config.names import LONGEST, RESERVED
from dbwarden.config.registry import TenantSource
from dbwarden.errors import ConfigurationError, ConnectError
from dbwarden.secrets import Secret, describe_error
from dbwarden.types import DatabaseName

FIELD = "{tenant_id}"
"""What stands for the tenant's id in a name or URL."""

SAMPLE = "tenant0id"
"""The id of the sample tenant that a declaration is checked with."""

DEFAULT_IDS = "[a-z0-9]+(?:[_-][a-z0-9]+)*"
"""What an id looks like unless ``id_pattern`` says otherwise."""

# Whatever id_pattern allows, these characters mean nothing in a URL, a path, a shell or a pattern.
_HARMLESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

ASK_AGAIN = 1.0
"""Seconds between two questions for the list because of a tenant that is not on it."""

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """How ids become names and URLs; ``urls`` has the pattern of each option that is a URL.

    A name of more than 63 characters PostgreSQL cuts, and two tenants would have one database: so
    an id has no more than ``longest`` characters.
    """

    name: str
    ids: re.Pattern[str]
    urls: Mapping[str, str] = field(repr=False)
    longest: int = LONGEST

    @property
    def glob(self) -> str:
        """What to give to ``-d`` for all of them."""
        return self.name.replace(FIELD, "*")

    def name_of(self, tenant_id: str) -> DatabaseName:
        """The name of this tenant's database."""
        return DatabaseName(self.name.replace(FIELD, tenant_id))

    def id_of(self, name: str) -> str | None:
        """The tenant whose database is called *name*; ``None`` when no tenant's can be."""
        part = self.part_of(name)
        return None if part is None or self.problem_of(part) else part

    def part_of(self, name: str) -> str | None:
        """What stands in *name* where the id should, whatever it is."""
        before, _, after = self.name.partition(FIELD)
        if not (name.startswith(before) and name.endswith(after)):
            return None
        return name[len(before) : len(name) - len(after)]

    def may_match(self, glob: str) -> bool:
        """Whether a tenant's name may fit *glob*; ``False`` only where none can."""
        literal = re.split(r"[*?\[]", glob, maxsplit=1)[0]
        if literal == glob:
            return self.id_of(glob) is not None
        before = self.name.partition(FIELD)[0]
        return literal.startswith(before) or before.startswith(literal)

    def problem_of(self, tenant_id: str) -> str | None:
        """What is wrong with *tenant_id* as an id; ``None`` when nothing is."""
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
        """The ids that *given* lists, in order.

        Raises:
            ValueError: Some cannot be used, or stand for the same tenant; says which.
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
            elif (twin := ids.get(text.lower())) is not None:
                problems.append(_twins(twin, text))
            else:
                ids[text.lower()] = text
        if problems:
            raise ValueError(_together(problems))
        return tuple(ids.values())


def _twins(first: str, second: str) -> str:
    if first == second:
        return f"{first!r} is there twice"
    return f"{first!r} and {second!r} differ in case only, which is one file on many disks"


def _together(problems: list[str]) -> str:
    more = len(problems) - _SHOWN
    return "; ".join(problems[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


@dataclass(slots=True, kw_only=True, eq=False)
class TenantFamily:
    """The databases of one ``tenant_databases``; the list of them is asked for when it is needed.

    Args:
        pattern: How ids become names and URLs.
        template: What they share; its ``database_name`` is the family's: the prefix of the files.
        source: The ids, or a function that returns them.
        refresh_after: Seconds after which a list is old; ``None`` is never.
        taken: Ids whose database is that of a database declared by hand, and which one.
    """

    pattern: Pattern
    template: DatabaseConfig
    source: TenantSource
    refresh_after: float | None
    taken: Mapping[str, str] = field(default_factory=dict)
    _configs: dict[str, DatabaseConfig | None] | None = None
    _tried_at: float = float("-inf")
    _failed: str | None = None
    _turns: "WeakKeyDictionary[Any, Any]" = field(default_factory=WeakKeyDictionary)

    def __post_init__(self) -> None:
        if not callable(self.source):
            self._take(self.source)

    @property
    def name(self) -> DatabaseName:
        """What the names of its migration files begin with."""
        return self.template.database_name

    @property
    def asks(self) -> str | None:
        """The function that gives the list, as its author knows it; ``None`` for a fixed list."""
        return name_of(self.source) if callable(self.source) else None

    @property
    def count(self) -> int | None:
        """How many tenants there are; ``None`` while nobody has asked."""
        return None if self._configs is None else len(self._configs)

    @property
    def display_url(self) -> str:
        """The pattern of the URL to show to people, without a password."""
        return self.template.display_url.replace(SAMPLE, FIELD)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the known tenants, in the list's order."""
        return tuple(self._configs or ())

    def __contains__(self, tenant_id: str) -> bool:
        """Return whether *tenant_id* is on the list, as far as it is known."""
        return tenant_id in (self._configs or ())

    @property
    def databases(self) -> tuple[DatabaseConfig, ...]:
        """The tenants' databases as far as they are known, in the list's order."""
        return tuple(self.database_of(tenant_id) for tenant_id in self._configs or ())

    def database(self, name: str) -> DatabaseConfig | None:
        """The database called *name*, if it is a known tenant's."""
        tenant_id = self.pattern.id_of(name)
        known = tenant_id is not None and tenant_id in (self._configs or ())
        return self.database_of(tenant_id) if known and tenant_id is not None else None

    def unlisted(self, name: str) -> DatabaseConfig | None:
        """The database called *name* if it is a tenant's or can become one's."""
        tenant_id = self.pattern.id_of(name)
        if tenant_id is None or tenant_id in self.taken:
            return None
        return self.database(name) or self._made(tenant_id)

    def database_of(self, tenant_id: str) -> DatabaseConfig:
        """Return the database of a known tenant."""
        assert self._configs is not None
        config = self._configs[tenant_id]
        if config is None:
            # Made when first needed: ten thousand tenants of whom ten are served cost little.
            config = self._configs[tenant_id] = self._made(tenant_id)
        return config

    def _made(self, tenant_id: str) -> DatabaseConfig:
        urls: Mapping[str, Any] = {
            option: Secret(url.replace(FIELD, tenant_id))
            for option, url in self.pattern.urls.items()
        }
        return replace(self.template, database_name=self.pattern.name_of(tenant_id), **urls)

    async def ask(self, *, max_age: float | None = None, keep_old: bool = True) -> None:
        """Have a list that is not older than *max_age* seconds; ``None`` takes any.

        Args:
            max_age: Seconds.
            keep_old: If the answer is no list, go on with the one before, and say so in the log.

        Raises:
            ConnectError: The function that gives the list failed.
            ConfigurationError: What it gave is no list of ids.
        """
        if self._recent(max_age):
            return
        async with self._turn():
            if self._recent(max_age):
                return
            if self._configs is None and self._failed and self._age < ASK_AGAIN:
                raise self._no_list(f"{self._failed} (a moment ago)")
            try:
                self._take(await self._answer())
            except (ConnectError, ConfigurationError) as error:
                self._failed, self._tried_at = error.message, time.monotonic()
                if self._configs is None or not keep_old:
                    raise
                from dbwarden import telemetry

                told = {"tenants": self.pattern.name, "error": error.message}
                telemetry.emit("tenants_not_refreshed", level="warning", **told)

    def _recent(self, max_age: float | None) -> bool:
        if not callable(self.source):
            return True
        return self._configs is not None and (max_age is None or self._age < max_age)

    @property
    def _age(self) -> float:
        return time.monotonic() - self._tried_at

    def _turn(self) -> Any:
        """Who asks at the same time in one event loop gets one answer."""
        import asyncio

        import anyio

        return self._turns.setdefault(asyncio.get_running_loop(), anyio.Lock())

    async def _answer(self) -> Iterable[object]:
        import anyio

        assert callable(self.source)
        problem: str | None = None
        with anyio.move_on_after(self.template.timeout) as scope:
            try:
                return await called(self.source)  # type: ignore[return-value]  # read() looks
            except Exception as error:
                problem = describe_error(error)
        if scope.cancelled_caught:
            problem = f"it did not end within {self.template.timeout:g} s"
        raise self._no_list(f"the function {self.asks} that gives the tenants failed: {problem}")

    def _no_list(self, message: str) -> ConnectError:
        return ConnectError(
            message,
            database=self.pattern.name,
            next_step=f"Correct {self.asks}, which tenant_databases names as tenants, or what it "
            "asks. A single database can be named with -d meanwhile.",
        )

    def _take(self, given: Iterable[object]) -> None:
        try:
            ids = self.pattern.read(given)
            if lost := [each for each in ids if each in self.taken]:
                raise ValueError(
                    f"{lost[0]!r}: its database is that of {self.taken[lost[0]]!r} already"
                )
        except ValueError as error:
            raise ConfigurationError(
                f"the list of tenants cannot be used: {error}", database=self.pattern.name
            ) from None
        known = self._configs or {}
        self._configs = {tenant_id: known.get(tenant_id) for tenant_id in ids}
        self._failed, self._tried_at = None, time.monotonic()
