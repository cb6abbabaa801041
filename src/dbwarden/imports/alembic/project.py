"""Run single revisions of an Alembic project in scratch databases."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import anyio

from dbwarden import telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.authoring import ScratchDatabase, ScratchServer
from dbwarden.errors import ImportFailed, UsageError
from dbwarden.imports.process import Child, last_lines, start_child
from dbwarden.imports.rendering import Recorded
from dbwarden.kinds import authoring_dialect_for
from dbwarden.types import DialectName

_PROGRAM = Path(__file__).parents[1] / "children" / "alembic_child.py"
DEFAULT_TABLE = "alembic_version"
DEFAULT_INI = "alembic.ini"
AlembicDirection = Literal["upgrade", "downgrade"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlembicOptions:
    """Where the project is and how its ``env.py`` is run.

    ``ini`` and ``section`` are those of ``alembic -c`` and ``-n``, ``x`` those of ``-x``.
    ``script_location`` overrides that of the configuration. ``share_connection`` passes
    a connection in ``config.attributes``. ``python`` runs it. ``engine`` is the
    name of this database in an ``env.py`` with several. ``base`` creates what existed before the
    first revision: ``module:Base.metadata`` or a file of SQL. ``since`` is the revision whose
    schema becomes one baseline.
    """

    ini: Path | None = None
    section: str = "alembic"
    x: tuple[str, ...] = ()
    script_location: str | None = None
    share_connection: bool = False
    python: str | None = None
    engine: str | None = None
    base: str | None = None
    since: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One revision; ``after`` are those that it follows or depends on."""

    id: str
    after: tuple[str, ...]
    message: str
    path: str | None


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """The statements that one run sent to our database, and whether the revision failed."""

    statements: tuple[Recorded, ...]
    problem: str | None = None
    output: str = ""

    @property
    def inside(self) -> tuple[Recorded, ...]:
        """The statements of the revision itself."""
        return tuple(item for item in self.statements if item.inside)


ServedDatabase = tuple[ScratchServer, ScratchDatabase]
"""A database with its server."""


@dataclass(slots=True)
class AlembicProject:
    """A project whose ``env.py`` runs in a process of its own.

    ``databases`` are those that ``env.py`` opens, in the order in which it opens them, each with
    its server; ``own`` is the number of the one that is imported.
    """

    config: DatabaseConfig
    child: Child
    servers: dict[DialectName, ScratchServer]
    stack: AsyncExitStack
    revisions: tuple[Revision, ...] = ()
    kinds: list[DialectName] = field(default_factory=list)
    databases: list[ServedDatabase] = field(default_factory=list)
    own: int = 0
    table: str = DEFAULT_TABLE

    @property
    def database(self) -> ScratchDatabase:
        """The scratch database that Alembic migrates."""
        return self.databases[self.own][1]

    async def copies(self) -> list[ServedDatabase]:
        """Return copies of all databases, as Alembic has left them."""
        return [(server, await server.create(copy_of=it)) for server, it in self.databases]

    async def run(
        self,
        revision: Revision,
        direction: AlembicDirection,
        databases: Sequence[ServedDatabase],
        **more: int,
    ) -> RecordedRun:
        """Run one revision on *databases*; *more* is for the process (``Recorder.begin``).

        Raises:
            ImportFailed: Its connections cannot be redirected.
        """
        start = datetime.now(UTC)
        answer = await self.child.ask_with(
            databases, do="run", revision=revision.id, direction=direction, **more
        )
        return self._answer(answer, start)

    async def build_base(self, name: str) -> RecordedRun:
        """Let the project create what existed before the first revision."""
        start = datetime.now(UTC)
        answer = await self.child.ask_with(self.databases, do="base", object=name, only=self.own)
        if "error" in answer:
            raise self._failed(f"{name} cannot be built: {answer['error']}", answer)
        return self._answer(answer, start)

    async def find_databases(self, engine: str | None) -> RecordedRun:
        """Run ``env.py`` without a revision, and give each database that it opens one of ours."""
        start = datetime.now(UTC)
        while True:
            answer = await self.child.ask_with(
                self.databases, do="run", revision=None, direction="upgrade"
            )
            missing = answer.get("refused", {}).get("need")
            if missing is None:
                break
            await self._add(missing)
        if "refused" in answer or "error" in answer:
            raise self._failed(f"env.py failed: {self._problem(answer)}", answer)
        self._choose(answer["targets"], engine or self.config.files_of)
        await self._list_revisions()
        return self._answer(answer, start)

    async def _list_revisions(self) -> None:
        answer = await self.child.ask(do="describe")
        if "error" in answer:
            raise self._failed(f"the revisions cannot be read: {self._problem(answer)}", answer)
        self.revisions = tuple(
            Revision(
                id=item["id"],
                after=tuple(item["after"]),
                message="".join(item["message"]),
                path=item["path"],
            )
            for item in answer["revisions"]
        )

    def _choose(self, targets: Sequence[Mapping[str, Any]], name: str) -> None:
        migrated = {n: target for n, target in enumerate(targets) if target["contexts"]}
        if not migrated:
            raise ImportFailed(
                "env.py configures no database through SQLAlchemy",
                next_step="It must call context.configure(connection=...) and run_migrations().",
            )
        named = [n for n, target in migrated.items() if target["name"] == name]
        if len(migrated) > 1 and not named:
            names = ", ".join(str(target["name"] or "unnamed") for target in migrated.values())
            raise UsageError(
                f"env.py migrates several databases, and none is called {name}: {names}",
                database=self.config.database_name,
                next_step="Name the one that belongs to this database with --engine NAME.",
            )
        self.own = named[0] if named else next(iter(migrated))
        if self.kinds[self.own] != self.config.database_type:
            raise UsageError(
                f"env.py migrates a database of kind {self.kinds[self.own]} here, but "
                f"{self.config.database_name} is of kind {self.config.database_type}",
                database=self.config.database_name,
                next_step="Set the variables or options that env.py reads its URL from to one of "
                f"kind {self.config.database_type}. Nothing connects to it.",
            )
        schema, table = migrated[self.own]["version_table"]
        self.table = f"{schema}.{table}" if schema else table

    async def _add(self, kind: DialectName) -> None:
        """Add an empty scratch database of *kind*."""
        if kind not in self.servers:
            configs = (self.config, *self.config.siblings)
            config = next((each for each in configs if each.database_type == kind), None)
            if config is None:
                raise UsageError(
                    f"env.py connects to a database of kind {kind}, and no database of this "
                    "project is of that kind",
                    database=self.config.database_name,
                    next_step="Set the variables or options that env.py reads its URL from to one "
                    f"of kind {self.config.database_type}. Nothing connects to it.",
                )
            opened = authoring_dialect_for(kind).open(config)
            self.servers[kind] = await self.stack.enter_async_context(opened)
        self.kinds.append(kind)
        server = self.servers[kind]
        self.databases.append((server, await server.create()))

    def _answer(self, answer: Mapping[str, Any], start: datetime) -> RecordedRun:
        if "refused" in answer:
            raise self._failed(self._problem(answer), answer)
        if "error" in answer:
            return RecordedRun((), self._problem(answer), last_lines(answer))
        clock = (start, datetime.now(UTC))
        statements = (Recorded.parse(each, clock) for each in answer["statements"])
        return RecordedRun(tuple(item for item in statements if item.target == self.own))

    def _problem(self, answer: Mapping[str, Any]) -> str:
        return str(answer["refused"]["problem"] if "refused" in answer else answer["error"])

    def _failed(self, message: str, answer: Mapping[str, Any]) -> ImportFailed:
        return ImportFailed(
            message,
            detail=last_lines(answer),
            next_step="Check that `alembic upgrade head` works in this folder, with this Python "
            "and these variables, on an empty database.",
        )


@asynccontextmanager
async def open_project(
    config: DatabaseConfig, server: ScratchServer, options: AlembicOptions
) -> AsyncGenerator[AlembicProject]:
    """Start the project's process and read its revisions.

    Raises:
        ImportFailed: The project cannot be read.
        UsageError: It has no configuration.
    """
    telemetry.doing("reading the revisions of Alembic")
    alone = options.ini is None and options.script_location
    ini = None if alone else str(options.ini or DEFAULT_INI)
    # Instead of the default one, Alembic reads a pyproject.toml.
    names = (ini, "pyproject.toml") if ini == DEFAULT_INI else (ini,)
    if not any([name is None or await anyio.Path(name).exists() for name in names]):
        raise UsageError(
            f"there is no {ini} in {await anyio.Path.cwd()}",
            database=config.database_name,
            next_step="Call this command in the folder in which you call alembic, or name the "
            "configuration with --ini, or the folder of the revisions with --script-location: "
            "--script-location app:migrations is that of an installed package.",
        )
    async with AsyncExitStack() as stack, start_child(_PROGRAM, options.python) as child:
        answer = await child.ask(
            do="start",
            ini=ini,
            section=options.section,
            x=options.x,
            kind=config.database_type,
            share_connection=options.share_connection,
            options={"script_location": options.script_location} if options.script_location else {},
        )
        if "error" in answer:
            raise ImportFailed(
                f"the Alembic project cannot be read: {answer['error']}",
                detail=last_lines(answer, 6),
                next_step="Name its configuration with --ini alembic.ini, or its folder with "
                "--script-location, and the Python in which Alembic is installed with --python.",
            )
        yield AlembicProject(config, child, {config.database_type: server}, stack)
