"""The command that imports the history of another tool."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from dbwarden.cli import output
from dbwarden.cli.commands.author import refuse_idle_dev
from dbwarden.cli.options import FleetOptions
from dbwarden.cli.run import AT_ONCE_IN_SCRATCH, Texts, bad_cell, ok_cell, report, run, warn_cell
from dbwarden.cli.selection import Which, select
from dbwarden.cli.style import Cell, pluralize
from dbwarden.operations.import_alembic import (
    AlembicOptions,
    ImportedRevision,
    ImportResult,
    import_alembic,
)

ALEMBIC = Group("Alembic", sort_key=0)


def _option(*names: str) -> Parameter:
    return Parameter(name=names, group=ALEMBIC, negative="", show_default=False)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class AlembicFlags:
    """Where the Alembic project is, and how its ``env.py`` is run."""

    ini: Annotated[Path | None, _option("--ini")] = None
    "The configuration of Alembic, as in alembic -c; default: alembic.ini."
    section: Annotated[str, _option("--section")] = "alembic"
    "Its section, as in alembic -n."
    x: Annotated[tuple[str, ...], _option("-x")] = ()
    "An argument for env.py, as in alembic -x; may be repeated."
    script_location: Annotated[str | None, _option("--script-location")] = None
    "The folder of the revisions, without a configuration: app/migrations or package:migrations."
    python: Annotated[str | None, _option("--python")] = None
    "The Python in which the project runs, if it is not that of dbwarden."
    engine: Annotated[str | None, _option("--engine")] = None
    "The name of this database in an env.py with several; by default its own name."
    base: Annotated[str | None, _option("--base")] = None
    "What existed before the first revision: module:Base.metadata, or a file of SQL."
    since: Annotated[str | None, _option("--since")] = None
    "Write one baseline for this revision and all before it, and import the later ones."

    def options(self) -> AlembicOptions:
        """Return the options of the operation."""
        return AlembicOptions(
            ini=self.ini,
            section=self.section,
            x=self.x,
            script_location=self.script_location,
            python=self.python,
            engine=self.engine,
            base=self.base,
            since=self.since,
        )


async def import_(
    tool: Literal["alembic"],
    /,
    *,
    alembic: AlembicFlags = AlembicFlags(),  # frozen; cyclopts reads its options
    options: FleetOptions = FleetOptions(),  # noqa: B008
) -> int:
    """Write migration files from the history of another tool, and prove them.

    Parameters
    ----------
    tool
        The other tool.
    """
    options = refuse_idle_dev(options, live=False)
    if options.timeout is None:
        options = replace(options, timeout=0)
    selection = (await select(options, Which.FILES)).with_own_files()
    operation = partial(import_alembic, options=alembic.options())
    outcomes = await run(operation, selection, at_once=AT_ONCE_IN_SCRATCH)
    return await report("import", outcomes, selection, Texts(_print_imported))


def _print_imported(result: ImportResult) -> None:
    known = f"; {result.known} were imported before" if result.known else ""
    count = pluralize(len(result.files), "file")
    output.say(f"{result.database}: {count} from {result.tool}{known}, tried on {result.server}")
    rows = [(file.key, file.revision, *_file_cells(file)) for file in result.files]
    output.say_table(("version", "revision", "", "review"), rows)


def _file_cells(file: ImportedRevision) -> tuple[Cell, ...]:
    shown = "; ".join(file.reviews)
    if file.problems:
        return (bad_cell("differs"), shown)
    return (warn_cell("review"), shown) if file.reviews else (ok_cell("equal"), "")
