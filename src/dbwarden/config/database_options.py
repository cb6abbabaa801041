"""The options of one database, as a value: what ``database_config(...)`` becomes."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from dbwarden.config import checks
from dbwarden.config.embedded import embedded_url
from dbwarden.config.option import EMBEDDED, Option
from dbwarden.config.urls import DatabaseURL, read_url, read_url_once
from dbwarden.errors import ConfigurationError, ConnectError
from dbwarden.migration_history import DEFAULT_TABLE
from dbwarden.secrets import Secret, as_secret, clean_cause, describe_error
from dbwarden.types import DatabaseName, DialectName

if TYPE_CHECKING:
    from dbwarden.config.project import Project

UrlSource = str | Secret[Any] | Callable[[], str | Awaitable[str]] | Any
"""A URL, a ``sqlalchemy.URL``, or a plain or async function that returns one at connect time."""

_NONE: Mapping[str, Any] = MappingProxyType({})  # one for all configurations

_COROUTINE = 0x80  # inspect.CO_COROUTINE, without importing inspect


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseConfig:
    """One configured database.

    Times are seconds; ``None`` means no limit. Paths are absolute. URLs are stored as ``Secret``,
    which shows no password; ``database_url.reveal()`` returns the URL itself, and
    :attr:`display_url` is safe to show. ``migrations_name`` is set on a database that shares its
    migrations with others; see :attr:`files_of`. ``primary`` is the database that ``replica_of``
    names. ``project`` is the project that declares the database, and ``None`` for a configuration
    built by a program.
    """

    database_name: Annotated[DatabaseName, Option(checks.name, required=True, tenants=False)]
    database_url: Annotated[
        UrlSource,
        Option(checks.source, required=True, kind="database_type", keywords=(EMBEDDED,)),
    ] = field(repr=False)
    database_type: Annotated[DialectName, Option(checks.kind, optional=True)]
    root: Path
    default: Annotated[bool, Option(checks.flag, tenants=False)] = False
    dev: bool = False
    model_paths: Annotated[tuple[str, ...], Option(checks.model_paths)] = ()
    schema_paths: Annotated[tuple[Path, ...], Option(checks.paths)] = ()
    migrations_dir: Annotated[Path, Option(checks.path, optional=True, inherited=True)]
    migrations_name: DatabaseName | None = None
    migration_url: Annotated[
        UrlSource | None, Option(checks.source, optional=True, kind="database_type")
    ] = field(default=None, repr=False)
    dev_database_type: Annotated[
        DialectName | None, Option(checks.kind, optional=True, inherited=True)
    ] = None
    dev_database_url: Annotated[
        UrlSource | None,
        Option(
            checks.source,
            optional=True,
            kind="dev_database_type",
            keywords=(EMBEDDED,),
            inherited=True,
        ),
    ] = field(default=None, repr=False)
    overlap_models: Annotated[bool, Option(checks.flag)] = False
    compare_privileges: Annotated[bool, Option(checks.flag)] = False
    partitions: Annotated[
        Literal["declared", "all"], Option(checks.choice(("declared", "all")))
    ] = "declared"
    ignore_drift: Annotated[tuple[str, ...], Option(checks.patterns)] = ()
    naming: Annotated[Mapping[str, str], Option(checks.naming, inherited=True)] = field(
        default_factory=lambda: _NONE, hash=False
    )
    replica_of: Annotated[
        DatabaseName | None, Option(checks.reference, optional=True, tenants=False)
    ] = None
    primary: "DatabaseConfig | None" = field(default=None, repr=False)
    project: "Project | None" = field(default=None, repr=False, compare=False)
    timeout: Annotated[float | None, Option(checks.seconds(optional=True))] = 60.0
    connect_timeout: Annotated[float, Option(checks.seconds())] = 5.0
    lock_timeout: Annotated[float | None, Option(checks.seconds(optional=True))] = 1.0
    lock_retries: Annotated[int, Option(checks.count(0))] = 10
    statement_timeout: Annotated[float | None, Option(checks.seconds(optional=True))] = None
    migration_lock_timeout: Annotated[float, Option(checks.seconds())] = 60.0
    pool_size: Annotated[int, Option(checks.count(1))] = 5
    max_overflow: Annotated[int, Option(checks.count(0))] = 10
    pool_timeout: Annotated[float, Option(checks.seconds())] = 30.0
    pool_recycle: Annotated[float, Option(checks.seconds(also=-1))] = 1800.0
    pool_pre_ping: Annotated[bool, Option(checks.flag)] = True
    engine_options: Annotated[Mapping[str, Any], Option(checks.engine_options)] = field(
        default_factory=lambda: _NONE, repr=False, hash=False
    )
    ledger_table: Annotated[str, Option(checks.identifier, inherited=True)] = DEFAULT_TABLE
    ledger_schema: Annotated[
        str | None, Option(checks.identifier, optional=True, inherited=True)
    ] = None
    scratch: Annotated[
        str | Secret[str],
        Option(checks.text, kind="database_type", keywords=("auto", EMBEDDED)),
    ] = field(default="auto", repr=False)
    scratch_setup: Annotated[Path | None, Option(checks.path, optional=True)] = None

    def __post_init__(self) -> None:
        for name in URL_KINDS:
            value = getattr(self, name)
            if value is not None and not callable(value):
                object.__setattr__(self, name, as_secret(value))

    def url_setting(self, *, migrating: bool = False) -> str:
        """Return the name of the option that :meth:`resolve_url` reads."""
        return "migration_url" if migrating and self.migration_url is not None else "database_url"

    async def resolve_url(self, *, migrating: bool = False) -> DatabaseURL:
        """Return the current URL of the database; call the URL function each time.

        A synchronous function is called in a worker thread, because it may block on a network.

        Args:
            migrating: Prefer ``migration_url``, which bypasses a pooler.

        Raises:
            ConnectError: The function failed.
            ConfigurationError: The URL cannot be read or is of another database kind.
        """
        name = self.url_setting(migrating=migrating)
        source = self._located(getattr(self, name))
        parsed = self._read(await self._ask(name, source) if callable(source) else source)
        del source
        if isinstance(parsed, DatabaseURL):
            return parsed
        raise ConfigurationError(f"{name}: {parsed}", database=self.database_name)

    async def _ask(self, name: str, function: Callable[[], object]) -> object:
        try:
            return await call_function(function)
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
        # A fleet reads the URL of each database more than once.
        cached = isinstance(source, Secret) and source is self.database_url
        parsed = read_url_once(source, self.root) if cached else read_url(source, self.root)
        if not isinstance(parsed, DatabaseURL):
            return parsed
        if parsed.dialect != self.database_type:
            return f"the URL is of kind {parsed.dialect}, but the database is {self.database_type}"
        return contradicting_time(parsed, self.connect_timeout) or parsed

    @property
    def url(self) -> DatabaseURL | None:
        """The URL; ``None`` if a function returns it or it cannot be read."""
        parsed = None if callable(self.database_url) else self._read(self.database_url)
        return parsed if isinstance(parsed, DatabaseURL) else None

    @property
    def display_url(self) -> str:
        """The URL to show to people, without a password."""
        return self.display("database_url") or ""

    def display(self, option: str) -> str | None:
        """Return *option*, a URL or a keyword, as text without its password."""
        source = getattr(self, option)
        if source is None or source in OPTIONS[option].keywords:
            return None if source is None else str(source.reveal())
        if callable(source):
            return f"<given by {name_of(source)}>"
        url = read_url(source, self.root)
        return url.display if isinstance(url, DatabaseURL) else "<not a usable URL>"

    @property
    def files_of(self) -> DatabaseName:
        """The database or family whose migrations this database uses: the prefix of the files."""
        return self.migrations_name or self.replica_of or self.database_name

    @property
    def siblings(self) -> "tuple[DatabaseConfig, ...]":
        """The project's other databases that have their own migrations.

        The tenants of one declaration count as one.
        """
        authors = self.project.authors if self.project is not None else ()
        return tuple(other for other in authors if other.files_of != self.files_of)

    @property
    def server(self) -> str:
        """The server whose connection limit this database shares: ``host:port`` or SQLite's file.

        A database whose URL comes from a function counts as a separate server.
        """
        url = self.url
        return url.server if url else f"server of {self.database_name}"

    def for_dev(self) -> Self:
        """Return the configuration of the development database at ``dev_database_url``.

        Raises:
            ConfigurationError: ``dev_database_url`` is missing or is of another database kind.
        """
        if self.dev:
            return self
        source, kind = self.dev_database_url, self.dev_database_type or self.database_type
        if source is None:
            raise ConfigurationError(
                "no development database is configured",
                database=self.database_name,
                next_step="Give dev_database_url in its database_config, or leave out --dev.",
            )
        if kind != self.database_type:
            raise ConfigurationError(
                f"its development database is of kind {kind}, which cannot run the SQL of a "
                f"{self.database_type} database",
                database=self.database_name,
                next_step=f"Give a {self.database_type} URL as dev_database_url. {EMBEDDED_SERVER}",
            )
        return replace(self, dev=True, database_url=self._located(source), migration_url=None)

    def _located(self, source: UrlSource) -> UrlSource:
        """Return *source*, or the URL of this database on the development server."""
        embedded = source == EMBEDDED
        return embedded_url(self.root, self.database_name) if embedded else source

    @property
    def is_embedded(self) -> bool:
        """Whether it, or its development database, is on the project's development server."""
        return EMBEDDED in (self.database_url, self.dev_database_url)


OPTIONS: Mapping[str, Option] = {
    name: annotation.__metadata__[0]
    for name, annotation in DatabaseConfig.__annotations__.items()
    if hasattr(annotation, "__metadata__")
}
"""The options of ``database_config``, by name."""

URL_KINDS = {name: option.kind for name, option in OPTIONS.items() if option.kind is not None}
"""The options that take a URL, and the option that names the kind of each."""


def contradicting_time(url: DatabaseURL, connect_timeout: float) -> str | None:
    """Return the problem if ``connect_timeout`` differs between *url* and the option."""
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


async def call_function(function: Callable[[], object]) -> object:
    """Call *function*, a synchronous one in a worker thread because it may block."""
    code = getattr(function, "__code__", None)
    if code is not None and code.co_flags & _COROUTINE:
        value = function()
    else:
        from anyio.to_thread import run_sync

        # A thread cannot be stopped, so it is abandoned when the time limit has passed.
        value = await run_sync(function, abandon_on_cancel=True)
    return await value if isinstance(value, Awaitable) else value


def name_of(function: object) -> str:
    """Return the qualified name of *function*, such as ``app.settings.get_url()``."""
    module = getattr(function, "__module__", None) or ""
    name = getattr(function, "__qualname__", None) or type(function).__name__
    return f"{module}.{name}()" if module.replace(".", "").isidentifier() else f"{name}()"
