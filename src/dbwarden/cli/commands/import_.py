"""``import``: the files that were written from another tool's history."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, assert_never

from cyclopts import Group, Parameter

from dbwarden.cli import output
from dbwarden.cli.options import FleetOptions
from dbwarden.cli.run import AT_ONCE_IN_SCRATCH, Texts, bad_cell, ok_cell, report, run, warn_cell
from dbwarden.cli.selection import Which, select
from dbwarden.cli.style import Cell, pluralize
from dbwarden.errors import UsageError
from dbwarden.fleet import Operation
from dbwarden.operations.foreign import Tool
from dbwarden.operations.import_alembic import AlembicOptions, import_alembic
from dbwarden.operations.import_drafts import ImportedRevision, ImportResult
from dbwarden.operations.import_files import DjangoOptions, import_django, import_files

ALEMBIC = Group("Alembic", sort_key=0)
DJANGO = Group("Django", sort_key=0)


@Parameter(name="*", group=ALEMBIC)
@dataclass(frozen=True, kw_only=True)
class AlembicFlags:
    """Where the Alembic project is, and how its ``env.py`` is run."""

    ini: Path | None = None
    "The configuration of Alembic, as in alembic -c; default: alembic.ini."
    section: str = "alembic"
    "Its section, as in alembic -n."
    x: Annotated[tuple[str, ...], Parameter(name="-x")] = ()
    "An argument for env.py, as in alembic -x; may be repeated."
    script_location: str | None = None
    "The folder of the revisions, without a configuration: app/migrations or package:migrations."
    share_connection: bool = False
    "Pass a connection in config.attributes, for an env.py that expects one from its caller."
    engine: str | None = None
    "The name of this database in an env.py with several; by default its own name."
    base: str | None = None
    "What existed before the first revision: module:Base.metadata, or a file of SQL."
    since: str | None = None
    "Write one baseline for this revision and all before it, and import the later ones."

    def options(self, python: str | None) -> AlembicOptions:
        """Return the options of the operation."""
        return AlembicOptions(python=python, **vars(self))


@Parameter(name="*", group=DJANGO)
@dataclass(frozen=True, kw_only=True)
class DjangoFlags:
    """Where the Django project is."""

    manage: Path = Path("manage.py")
    "The manage.py of the project."
    settings: str | None = None
    "The module of the settings, if manage.py does not name it."
    alias: str = "default"
    "The name of the database in the settings."

    def options(self, python: str | None) -> DjangoOptions:
        """Return the options of the operation."""
        return DjangoOptions(python=python, **vars(self))


async def import_(
    tool: Tool,
    folder: Path | None = None,
    /,
    *,
    python: str | None = None,
    alembic: AlembicFlags = AlembicFlags(),
    django: DjangoFlags = DjangoFlags(),
    options: FleetOptions = FleetOptions(),
) -> int:
    """Write migrations from another tool's history.

    Runs each migration of the other tool in a scratch database, with the
    project's own code and Python, and records the SQL. Each gets a file, which
    is proven to lead to the same schema. What depends on rows or on the moment
    is marked with -- dbwarden: review. No configured database is changed. Exit
    3 if a file leads elsewhere.

    For example:
        dbwarden import alembic
        dbwarden import alembic --ini db/alembic.ini --python venv/bin/python
        dbwarden import alembic --since 4f2a9c1b
        dbwarden import flyway sql
        dbwarden import django --python venv/bin/python

    Parameters
    ----------
    tool
        The other tool.
    folder
        The folder of its SQL files, for Flyway, dbmate and Prisma.
    python
        The Python in which the project runs, if it is not that of dbwarden.
    """
    operation: Operation[ImportResult]
    match tool:
        case "alembic":
            operation = partial(import_alembic, options=alembic.options(python))
        case "django":
            operation = partial(import_django, options=django.options(python))
        case "flyway" | "dbmate" | "prisma":
            operation = partial(import_files, tool=tool, folder=_required(tool, folder))
        case _:
            assert_never(tool)
    if options.timeout is None:
        options = replace(options, timeout=0)
    selection = (await select(options, Which.FILES)).for_writing()
    outcomes = await run(operation, selection, at_once=AT_ONCE_IN_SCRATCH)
    return await report("import", outcomes, selection, Texts(_print_imported))


def _required(tool: Tool, folder: Path | None) -> Path:
    if folder is None:
        raise UsageError(
            f"{tool} needs the folder of its SQL files",
            next_step=f"Name it: dbwarden import {tool} FOLDER",
        )
    return folder


def _print_imported(result: ImportResult) -> None:
    known = f"; {result.known} were imported before" if result.known else ""
    count = pluralize(len(result.files), "file")
    output.say(f"{result.database}: {count} from {result.tool}{known}, tried on {result.server}")
    rows = [(file.key, file.revision, *_file_cells(file)) for file in result.files]
    output.say_table(("version", result.tool, "", "review"), rows)


def _file_cells(file: ImportedRevision) -> tuple[Cell, ...]:
    shown = "; ".join(file.reviews)
    if file.problems:
        return (bad_cell("differs"), shown)
    return (warn_cell("review"), shown) if file.reviews else (ok_cell("equal"), "")
