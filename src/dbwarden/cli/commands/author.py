"""Commands that write and prove migrations."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import anyio.to_thread
from cyclopts import Parameter

from dbwarden.cli import output
from dbwarden.cli.exits import Exit
from dbwarden.cli.left_out import left_out_lines, note_left_out
from dbwarden.cli.options import Choices, CommandOptions, FleetOptions
from dbwarden.cli.prompting import Terminal, can_ask
from dbwarden.cli.run import (
    AT_ONCE_IN_SCRATCH,
    Table,
    Texts,
    bad_cell,
    ok_cell,
    report,
    run,
    warn_cell,
)
from dbwarden.cli.selection import Which, load_project, select
from dbwarden.cli.style import Cell, pluralize, relative
from dbwarden.config.model import DatabaseConfig
from dbwarden.errors import UsageError
from dbwarden.fleet import Outcome, OutcomeState
from dbwarden.fleet.documents import plain
from dbwarden.operations.dev_server import (
    dev_server_start,
    dev_server_status,
    dev_server_stop,
    require_embedded,
)
from dbwarden.operations.generate_models import GeneratedModels
from dbwarden.operations.generate_models import generate_models as generate_one
from dbwarden.operations.make_migrations import MakeMigrationsResult
from dbwarden.operations.make_migrations import make_migrations as make_one
from dbwarden.operations.renumber import RenumberResult
from dbwarden.operations.renumber import renumber as renumber_one
from dbwarden.operations.schema import AdoptResult, adopt
from dbwarden.operations.verify import Verified, VerifyResult
from dbwarden.operations.verify import verify as verify_one


async def make_migrations(
    *,
    message: Annotated[str, Parameter(name=("--message", "-m"))],
    name: str | None = None,
    empty: bool = False,
    sql: bool = False,
    choices: Choices = Choices(),  # noqa: B008  # frozen; cyclopts reads its options
    unproven: bool = False,
    from_live: bool = False,
    options: FleetOptions = FleetOptions(),  # noqa: B008
) -> int:
    """Write the next migration from the models, proven in a scratch database.

    Parameters
    ----------
    message
        What the migration does, in a few words.
    name
        Another name for the file.
    empty
        Write a file without SQL.
    sql
        Print the file instead of writing it.
    unproven
        Write the file even if it could not be proven.
    from_live
        Compare with the live database instead of the files.
    """
    options = refuse_idle_dev(options, live=from_live, flag="--from-live")
    refuse_remote_files(options)
    asks = can_ask() and not options.json and options.workers is None
    if asks and options.timeout is None:
        options = replace(options, timeout=0)  # a person is asked
    make = partial(make_one, message=message, name=name, empty=empty, sql=sql, unproven=unproven)
    make = partial(make, from_live=from_live, keep_going=options.fail_fast is False)
    make = partial(make, **choices.arguments())
    selection = await select(options, Which.LIVE if from_live else Which.FILES)
    selection = (selection if empty else selection.described()).with_own_files()
    several = len(selection.databases) > 1

    async def make_and_ask(config: DatabaseConfig) -> MakeMigrationsResult:
        return await make(config, asker=Terminal(config.database_name if several else None))

    operation = make_and_ask if asks else make
    outcomes = await run(operation, selection, at_once=AT_ONCE_IN_SCRATCH, asks=asks)
    if several:
        _advise_single(outcomes)
    return await report("make-migrations", outcomes, selection, Texts(_print_made, flat=True))


def refuse_idle_dev(options: FleetOptions, *, live: bool, flag: str | None = None) -> FleetOptions:
    """Return *options*; refuse ``--dev`` where no live database is read.

    Raises:
        UsageError: ``--dev`` would have no effect.
    """
    if options.dev and not live:
        raise UsageError(
            "--dev selects a live database, but this command reads none",
            next_step=f"Add {flag}, or leave --dev out." if flag else "Leave --dev out.",
        )
    return options


def refuse_remote_files(options: FleetOptions) -> None:
    """Refuse workers on other machines, where the files of this project are not written.

    Raises:
        UsageError: ``--workers`` is the address of an engine.
    """
    if options.workers is not None and not options.workers.isdecimal():
        raise UsageError(
            "this command writes files of this project, so its workers are on this machine",
            next_step="Give a number of processes, as in --workers 4.",
        )


def _advise_single(outcomes: Sequence[Outcome[MakeMigrationsResult]]) -> None:
    """Change the advice of options that name an object of another database."""
    for outcome in outcomes:
        error = outcome.error
        if isinstance(error, UsageError) and error.option:
            error.next_step = (
                f"Pass {error.option} with -d DATABASE; it does not apply to {outcome.database}."
            )


def _print_made(result: MakeMigrationsResult) -> None:
    output.say(*_result_lines(result))
    output.note_errors(result.refused)


def _result_lines(result: MakeMigrationsResult) -> list[str]:
    out = left_out_lines(result.left_out)
    if result.agree:
        return [f"{result.database}: models and migrations agree.", *out]
    if result.path is None:
        return [(result.sql or "").rstrip("\n")]
    paths = [item.path for item in result.files if item.path is not None]
    lines = [f"Wrote {relative(path)}" for path in paths]
    if result.verdict is not None:
        on = f" (tried on {result.server})" if result.server else ""
        lines.append(f"  verdict: {result.verdict}{on}")
    return [*lines, *(f"  {line}" for line in (*result.notes, *result.locks)), *out]


async def verify(*, options: FleetOptions = FleetOptions()) -> int:  # noqa: B008
    """Prove all migration files again: up, down, up; for CI. Exit 3 if one fails."""
    selection = await select(refuse_idle_dev(options, live=False), Which.FILES)
    outcomes = await run(verify_one, selection, at_once=AT_ONCE_IN_SCRATCH)
    return await report("verify", outcomes, selection, Texts(_print_verified, flat=True))


def _print_verified(result: VerifyResult) -> None:
    rows = [(item.key, *_verdict_cells(item)) for item in result.migrations]
    output.say(f"{result.database}: {pluralize(len(rows), 'migration')}, tried on {result.server}")
    output.say_table(("version", "", "found"), rows)


def _verdict_cells(item: Verified) -> tuple[Cell, Cell]:
    if item.problem:
        return bad_cell(item.verdict), item.problem
    shown = warn_cell if item.findings else ok_cell
    return shown(item.verdict), "; ".join(item.findings)


async def renumber(
    *,
    move: tuple[str, ...] = (),
    options: FleetOptions = FleetOptions(),  # noqa: B008
) -> int:
    """Give migrations with the same number unique numbers, and prove the new order.

    Parameters
    ----------
    move
        The file to move if the live database has applied neither: 0007_add_orders.
    """
    refuse_remote_files(options)
    selection = await select(refuse_idle_dev(options, live=False), Which.FILES)
    outcomes = await run(partial(renumber_one, move=move), selection, at_once=AT_ONCE_IN_SCRATCH)
    return await report("renumber", outcomes, selection, Texts(_print_moves, flat=True))


def _print_moves(result: RenumberResult) -> None:
    if not result.moves:
        output.say(f"{result.database}: every migration has a unique number.")
    output.say(*(f"Moved {relative(item.old)} to {item.new.name}" for item in result.moves))
    if result.verified is None:
        return
    if result.clean:
        count = pluralize(len(result.verified.migrations), "migration")
        output.say(f"  the new order is proven: {count}, tried on {result.verified.server}")
    for item in result.verified.migrations:
        if item.problem:
            output.say(f"  {item.key} fails in the new order: {item.problem}")


def _note_each(outcomes: Sequence[Outcome[AdoptResult]]) -> None:
    for outcome in outcomes:
        if outcome.result is not None:
            note_left_out(outcome.result.left_out, outcome.database)


async def adopt_live(options: FleetOptions) -> int:
    """Write 0001 from live databases and mark it as applied: ``baseline`` without ``--to``."""
    refuse_remote_files(options)
    selection = (await select(options, Which.WRITABLE)).with_own_files()
    outcomes = await run(adopt, selection, at_once=AT_ONCE_IN_SCRATCH)
    view = Table(("", "version", "wrote"), _adopt_cells)
    code = await report("baseline", outcomes, selection, view)
    if not options.json:
        _note_each(outcomes)
    return code


def _adopt_cells(result: AdoptResult) -> tuple[Cell, ...]:
    return (ok_cell("baselined"), result.version, relative(result.path))


async def generate_models(
    *,
    output_file: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
    options: FleetOptions = FleetOptions(),  # noqa: B008
) -> int:
    """Write SQLAlchemy models from a live database, proven to build it again.

    Parameters
    ----------
    output_file
        The file to write; default: stdout. Never overwrites.
    """
    selection = await select(options, Which.LIVE)
    if len(selection.databases) != 1:
        raise UsageError("models are generated from one database at a time")

    def show(result: GeneratedModels) -> None:
        if output_file is None:
            output.say(result.code.rstrip("\n"))
        else:
            output.say(f"Wrote {result.tables} tables to {relative(output_file)}")
        note_left_out(result.left_out, None)

    outcomes = await run(generate_one, selection, at_once=AT_ONCE_IN_SCRATCH)
    if output_file is not None:
        outcomes = tuple([await _write_models(each, output_file) for each in outcomes])
    return await report("generate-models", outcomes, selection, Texts(show, flat=True))


async def _write_models(outcome: Outcome[GeneratedModels], path: Path) -> Outcome[GeneratedModels]:
    """Write the generated models, and return the outcome with the error if that fails."""
    if outcome.result is None:
        return outcome
    try:
        await anyio.to_thread.run_sync(_write_new, path, outcome.result.code)
    except UsageError as error:
        return replace(outcome, state=OutcomeState.FAILED, result=None, error=error)
    return outcome


def _write_new(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}",
            next_step="Name another file with -o; existing files are never overwritten.",
        ) from error


async def dev_server(
    action: Literal["start", "stop", "status"],
    /,
    *,
    remove: bool = False,
    options: CommandOptions = CommandOptions(),  # noqa: B008
) -> int:
    """Start, stop or inspect the project's PostgreSQL for development.

    Parameters
    ----------
    action
        start, stop or status.
    remove
        With stop, delete its databases too.
    """
    project = await load_project(options)
    require_embedded(project.databases)
    match action:
        case "start":
            server = await dev_server_start(project.root, project.databases)
        case "stop":
            server = await dev_server_stop(project.root, remove=remove)
        case "status":
            server = await dev_server_status(project.root, project.databases)
    code = Exit.FOUND if action == "status" and not server.running else Exit.DONE
    if options.json:
        output.say_json({"command": "dev-server", "exit_code": int(code), **plain(server)})
    else:
        stopped = "has stopped, and its databases are deleted" if remove else "has stopped"
        idle = stopped if action == "stop" else "is not running"
        output.say(f"The development server {'is running' if server.running else idle}.")
        output.say(*(f"  {url}" for url in server.urls))
    return code
