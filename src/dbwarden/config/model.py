"""One database's configuration, as a value."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Self

from dbwarden.config.embedded import embedded_url
from dbwarden.config.urls import DatabaseURL, read_url, read_url_once
from dbwarden.errors import ConfigurationError, ConnectError
from dbwarden.history import DEFAULT_TABLE
from dbwarden.secrets import Secret, clean_cause, describe_error, hidden
from dbwarden.types import DatabaseName, DialectName

if TYPE_CHECKING:
    from dbwarden.config.project import Project

UrlSource = str | Secret[Any] | Callable[[], str | Awaitable[str]] | Any
"""A URL, a ``sqlalchemy.URL``, or a plain or async function that returns one at connect time."""

URL_OPTIONS = ("database_url", "migration_url", "dev_database_url", "scratch")

EMBEDDED = "embedded"
"""What ``dev_database_url`` says to mean the embedded PostgreSQL server."""
_WORDS = ("auto", EMBEDDED)

_COROUTINE = 0x80  # inspect.CO_COROUTINE, without importing inspect


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseConfig:
    """One configured database.

    Times are seconds; ``None`` means no limit. Paths are absolute. URLs are kept as ``Secret``,
    which shows no password; ``database_url.reveal()`` returns the URL itself, :attr:`display_url`
    the one to show. ``migrations_name``
    is set on a database that shares its migrations with others; see :attr:`files_of`.
    ``primary`` is the database that ``replica_of`` names. ``project`` is the project that declares
    the database; a configuration that a program makes itself belongs to none.
    """

    database_name: DatabaseName
    database_type: DialectName
    database_url: UrlSource = field(repr=False)
    root: Path
    default: bool = False
    dev: bool = False
    model_paths: tuple[str, ...] = ()
    schema_paths: tuple[Path, ...] = ()
    migrations_dir: Path
    migrations_name: DatabaseName | None = None
    migration_url: UrlSource | None = field(default=None, repr=False)
    dev_database_type: DialectName | None = None
    dev_database_url: UrlSource | None = field(default=None, repr=False)
    overlap_models: bool = False
    compare_privileges: bool = False
    partitions: Literal["declared", "all"] = "declared"
    replica_of: DatabaseName | None = None
    primary: "DatabaseConfig | None" = field(default=None, repr=False)
    project: "Project | None" = field(default=None, repr=False, compare=False)
    timeout: float | None = 60.0
    connect_timeout: float = 5.0
    lock_timeout: float | None = 1.0
    lock_retries: int = 10
    statement_timeout: float | None = None
    migration_lock_timeout: float = 60.0
    pool_size: int = 5
    max_overflow: int = 10
    pool_timeout: float = 30.0
    pool_recycle: float = 1800.0
    pool_pre_ping: bool = True
    engine_options: Mapping[str, Any] = field(
        default_factory=lambda: MappingProxyType({}), repr=False, hash=False
    )
    ledger_table: str = DEFAULT_TABLE
    ledger_schema: str | None = None
    scratch: str | Secret[str] = field(default="auto", repr=False)
    scratch_setup: Path | None = None

    def __post_init__(self) -> None:
        for name in URL_OPTIONS:
            value = getattr(self, name)
            if value is not None and not callable(value):
                object.__setattr__(self, name, hidden(value))

    def url_setting(self, *, migrating: bool = False) -> str:
        """Which setting says where the database is, for what *migrating* says in resolve_url."""
        return "migration_url" if migrating and self.migration_url is not None else "database_url"

    async def resolve_url(self, *, migrating: bool = False) -> DatabaseURL:
        """Where the database is now; a callable is asked anew each time.

        A plain function is called in a worker thread, because it may wait for a network.

        Args:
            migrating: Prefer ``migration_url``, the way past a pooler.

        Raises:
            ConnectError: The callable failed.
            ConfigurationError: What it gave is not the URL of such a database.
        """
        name = self.url_setting(migrating=migrating)
        source = getattr(self, name)
        parsed = self._read(await self._ask(name, source) if callable(source) else source)
        del source
        if isinstance(parsed, DatabaseURL):
            return parsed
        raise ConfigurationError(f"{name}: {parsed}", database=self.database_name)

    async def _ask(self, name: str, function: Callable[[], object]) -> object:
        try:
            return await called(function)
        except ConnectError as error:
            error.database = error.database or self.database_name
            raise
        except Exception as error:
            problem, cause = describe_error(error), clean_cause(error)
        raise ConnectError(
            f"{name}: the function {name_of(function)} that gives the URL failed: {problem}",
            database=self.database_name,
            next_step=f"Correct {name_of(function)}, which database_config names as {name}.",
        ) from cause

    def _read(self, source: object) -> DatabaseURL | str:
        # A fleet asks for the URL of each database more than once.
        known = isinstance(source, Secret) and source is self.database_url
        parsed = read_url_once(source, self.root) if known else read_url(source, self.root)
        if not isinstance(parsed, DatabaseURL):
            return parsed
        if parsed.dialect != self.database_type:
            return f"the URL is of kind {parsed.dialect}, but the database is {self.database_type}"
        return contradicting_time(parsed, self.connect_timeout) or parsed

    @property
    def url(self) -> DatabaseURL | None:
        """The URL where it is known without connecting; ``None`` when a function gives it."""
        parsed = None if callable(self.database_url) else self._read(self.database_url)
        return parsed if isinstance(parsed, DatabaseURL) else None

    @property
    def display_url(self) -> str:
        """The URL to show to people, without a password."""
        return self.display("database_url") or ""

    def display(self, option: str) -> str | None:
        """Return what to show of an *option* that is a URL: a word, or the URL without password."""
        source = getattr(self, option)
        if source is None or source in _WORDS:
            return None if source is None else str(source.reveal())
        if callable(source):
            return f"<given by {name_of(source)}>"
        url = read_url(source, self.root)
        return url.display if isinstance(url, DatabaseURL) else "<not a usable URL>"

    @property
    def files_of(self) -> DatabaseName:
        """Whose migrations this database has: what the names of their files begin with."""
        return self.migrations_name or self.replica_of or self.database_name

    @property
    def siblings(self) -> "tuple[DatabaseConfig, ...]":
        """The project's other databases that have migrations of their own.

        The tenants of one declaration count as one.
        """
        authors = self.project.authors if self.project is not None else ()
        return tuple(other for other in authors if other.files_of != self.files_of)

    @property
    def server(self) -> str:
        """What shares its connections with this database: ``host:port``, or SQLite's file.

        A database whose URL a function gives counts as a server of its own.
        """
        url = self.url
        return url.server if url else f"server of {self.database_name}"

    def for_dev(self) -> Self:
        """The same database in development: ``dev_database_url`` instead of the real one.

        Raises:
            ConfigurationError: None is configured, or it is of another kind.
        """
        if self.dev:
            return self
        if problem := self._problem_of_dev():
            message, next_step = problem
            raise ConfigurationError(message, database=self.database_name, next_step=next_step)
        source = self.dev_database_url
        if source == EMBEDDED:
            source = embedded_url(self.root, self.database_name)
        return replace(self, dev=True, database_url=source, migration_url=None)

    def _problem_of_dev(self) -> tuple[str, str] | None:
        kind = self.dev_database_type or self.database_type
        if self.dev_database_url is None:
            return (
                "no development database is configured",
                "Give dev_database_url in its database_config, or leave out --dev.",
            )
        if kind != self.database_type:
            return (
                f"its development database is of kind {kind}, which cannot run the SQL of a "
                f"{self.database_type} database",
                f"Give a {self.database_type} URL as dev_database_url. {EMBEDDED_SERVER}",
            )
        return None


def contradicting_time(url: DatabaseURL, connect_timeout: float) -> str | None:
    """What is wrong when *url* has another ``connect_timeout`` than the option says."""
    if url.connect_timeout in (None, connect_timeout):
        return None
    return (
        f"connect_timeout is {url.connect_timeout:g} in the URL and {connect_timeout:g} for the "
        "database; say it once, as an option of database_config"
    )


EMBEDDED_SERVER = (
    f"dbwarden brings a PostgreSQL for development: say dev_database_url={EMBEDDED!r}, and run "
    "dbwarden dev-server start."
)


async def called(function: Callable[[], object]) -> object:
    """What *function* returns; a plain one is called in a worker thread, because it may wait."""
    code = getattr(function, "__code__", None)
    if code is not None and code.co_flags & _COROUTINE:
        value = function()
    else:
        from anyio.to_thread import run_sync

        # A thread cannot be stopped: it is left alone when the time limit is over.
        value = await run_sync(function, abandon_on_cancel=True)
    return await value if isinstance(value, Awaitable) else value


def name_of(function: object) -> str:
    """A function as its author knows it: ``app.settings.get_url()``."""
    module = getattr(function, "__module__", None) or ""
    name = getattr(function, "__qualname__", None) or type(function).__name__
    return f"{module}.{name}()" if module.replace(".", "").isidentifier() else f"{name}()"
