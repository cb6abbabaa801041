"""``init``: the files of a new project, after questions at a terminal."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import anyio
from cyclopts import Parameter

from dbwarden.cli import output
from dbwarden.cli.options import CommandOptions
from dbwarden.cli.prompting import ask, can_ask, confirm
from dbwarden.cli.selection import load_project
from dbwarden.cli.style import relative
from dbwarden.config.urls import EMBEDDED_KIND, KINDS
from dbwarden.errors import DBWardenError
from dbwarden.fleet.documents import plain
from dbwarden.operations.dev_server import dev_server_start
from dbwarden.operations.init import InitResult
from dbwarden.operations.init import init as init_project
from dbwarden.types import DialectName


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Contents:
    """The contents of a new project."""

    kind: DialectName | None = None
    "Its kind. PostgreSQL without --url is the project's development server."
    url: str | None = None
    "Its URL, without a password; default: a SQLite file."
    models: str | None = None
    "The module with your SQLAlchemy models; written with one table if it does not exist."
    fastapi: bool = False
    "Also write a FastAPI application, next to the models."


async def init(
    *,
    name: Annotated[str, Parameter(show_default=True)] = "primary",
    contents: Contents = Contents(),
    folder: Path = Path("."),
    dev_server: bool = False,
    options: CommandOptions = CommandOptions(),
) -> int:
    """Start a project: write a dbwarden.py.

    At a terminal, without --kind, --url, --models and --fastapi, the command
    asks for them. DATABASE_URL in the environment overrides the URL. Existing
    files are not overwritten.

    For example:
        dbwarden init
        dbwarden init --url postgresql://app@localhost/shop

    Parameters
    ----------
    name
        The name of the first database.
    folder
        The project's root; default: the working folder.
    dev_server
        With --kind postgresql, also start the development server.
    """
    asks = can_ask() and not options.json
    if asks and contents == Contents() and not await anyio.Path(folder / "dbwarden.py").exists():
        contents = await _ask()
    result = await init_project(folder, name=name, **vars(contents))
    if options.json:
        output.say_json(plain(result))
    else:
        output.say(*_written_lines(result))
    start = dev_server
    if result.embedded and asks and not start:
        start = await confirm("Start the development server now?", default=True)
    running = result.embedded and start and await _start_server(result)
    if not options.json:
        output.say(*_next_lines(result, running=running))
    return 0


async def _ask() -> Contents:
    """Ask for everything that flags can give."""
    kind = await _ask_kind()
    url = None
    if kind == EMBEDDED_KIND:
        question = (
            "The URL of the server, without a password? "
            "Empty: a development server, which dbwarden runs for this project."
        )
        url = await ask(question, "\n> ") or None
    models = await ask(
        "The module with your SQLAlchemy models, such as app.models? Empty: you write SQL.", "\n> "
    )
    fastapi = await confirm("Write a FastAPI application?")
    return Contents(kind=kind, url=url, models=models or None, fastapi=fastapi)


async def _ask_kind() -> DialectName:
    question = f"The kind of database: {' or '.join(KINDS)}?"
    text = question
    while True:
        answer = (await ask(text, f" [{KINDS[-1]}] ")).lower() or KINDS[-1]
        found = [kind for kind in KINDS if kind.startswith(answer)]
        if len(found) == 1:
            return found[0]
        text = f"Please answer {' or '.join(KINDS)}. {question}"


async def _start_server(result: InitResult) -> bool:
    """Start the development server; report why if it cannot run."""
    output.note("Starting the development server ...")
    project = await load_project(CommandOptions(config=result.path))
    try:
        await dev_server_start(project.root, project.databases)
    except DBWardenError as error:
        output.note_errors([error])
        return False
    return True


def _written_lines(result: InitResult) -> Iterator[str]:
    files = ", ".join(relative(file) for file in result.written if file.name != "__init__.py")
    yield f"Wrote {files} and {relative(result.migrations)}/."
    for file in result.existing:
        yield f"Left {relative(file)} as it is."


def _next_lines(result: InitResult, *, running: bool) -> Iterator[str]:
    folder = relative(result.path.parent)
    yield from ("", "Next:")
    if folder != ".":
        yield f"  cd {shlex.quote(folder)}"
    if result.embedded and not running:
        yield "  dbwarden dev-server start"
    if result.models is None:
        yield '  dbwarden new -m "create users"                # then write its SQL, or'
        yield (
            '  dbwarden make-migrations -m "create users"    '
            "# from the models that model_paths names"
        )
    else:
        yield '  dbwarden make-migrations -m "create tables"'
    yield "  dbwarden migrate"
    if result.application is not None:
        package = result.models.rpartition(".")[0] if result.models else ""
        yield f"  uvicorn {f'{package}.' if package else ''}main:app"
    yield from ("", "Does the database already have tables? Start with: dbwarden baseline")
