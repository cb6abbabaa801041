"""Read the migrations of a Django project one by one, in a scratch database."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbwarden import telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.authoring import ScratchDatabase, ScratchServer
from dbwarden.errors import ImportFailed
from dbwarden.imports.process import Child, last_lines, start_child

_PROGRAM = Path(__file__).parents[1] / "children" / "django_child.py"
_CONTROL = ("BEGIN;", "COMMIT;")
_NO_SQL = ("CANNOT BE WRITTEN AS SQL", "Raw Python operation")
TABLE = "django_migrations"


@dataclass(frozen=True, slots=True, kw_only=True)
class DjangoOptions:
    """Where the project is: its ``manage.py``, or the module of its ``settings``.

    ``python`` runs it. ``alias`` is the name of the database in the settings.
    """

    manage: Path = Path("manage.py")
    settings: str | None = None
    python: str | None = None
    alias: str = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class DjangoMigration:
    """One migration; ``after`` are those that it depends on. ``atomic`` as Django calls it."""

    app: str
    name: str
    atomic: bool
    after: tuple[str, ...]

    @property
    def id(self) -> str:
        """The app and the name."""
        return f"{self.app}.{self.name}"


@dataclass(slots=True)
class DjangoProject:
    """A Django project that runs in a process of its own, on *database*."""

    config: DatabaseConfig
    child: Child
    server: ScratchServer
    database: ScratchDatabase
    options: DjangoOptions
    migrations: tuple[DjangoMigration, ...]

    async def apply(self, migration: DjangoMigration) -> tuple[str, str | None]:
        """Apply *migration*, and return the SQL of both directions.

        Raises:
            ImportFailed: It fails on the empty database.
        """
        telemetry.doing(f"running {migration.id}")
        answer = await self.child.ask_with(
            [(self.server, self.database)],
            do="run",
            alias=self.options.alias,
            app=migration.app,
            name=migration.name,
        )
        if "error" in answer:
            raise _failed(f"{migration.id} of Django failed", answer)
        return answer["upgrade"], answer["rollback"]


@asynccontextmanager
async def open_django(
    config: DatabaseConfig, server: ScratchServer, options: DjangoOptions
) -> AsyncGenerator[DjangoProject]:
    """Start the project's process and list its migrations.

    Raises:
        ImportFailed: The project cannot be loaded.
    """
    database = await server.create()
    async with start_child(_PROGRAM, options.python) as child:
        answer = await child.ask_with(
            [(server, database)],
            do="start",
            manage=str(options.manage),
            settings=options.settings,
            alias=options.alias,
        )
        if "error" in answer:
            raise _failed("the Django project cannot be loaded", answer)
        migrations = tuple(
            DjangoMigration(
                app=item["app"],
                name=item["name"],
                atomic=item["atomic"],
                after=tuple(item["after"]),
            )
            for item in answer["migrations"]
        )
        yield DjangoProject(config, child, server, database, options, migrations)


def _failed(message: str, answer: Mapping[str, Any]) -> ImportFailed:
    return ImportFailed(
        f"{message}: {answer['error']}",
        detail=last_lines(answer) or None,
        next_step="Run the command beside manage.py, or name it with --manage, the settings with "
        "--settings, and the Python in which Django is installed with --python.",
    )


def clean_sql(sql: str) -> str:
    """Return what ``sqlmigrate`` printed without BEGIN and COMMIT."""
    lines = (line for line in sql.splitlines() if line.strip() not in _CONTROL)
    return "\n".join(lines).strip()


def runs_python(sql: str) -> bool:
    """Return whether ``sqlmigrate`` left out an operation that is Python."""
    return any(words in sql for words in _NO_SQL)
