"""Commands that write and prove migrations."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import anyio.to_thread
from cyclopts import Parameter

from dbwarden.authoring.compare.user_choices import pairs_of
from dbwarden.cli import output
from dbwarden.cli.choosing import (
    refuse_shared_files,
    select_described,
    select_live,
    select_to_write,
    select_with_files,
)
from dbwarden.cli.documents import failure_document, plain
from dbwarden.cli.each import Results, report_each, run_each
from dbwarden.cli.exits import Exit
from dbwarden.cli.left_out import left_out_lines, note_left_out
from dbwarden.cli.options import AuthoringOptions, LiveOptions, Project, Target
from dbwarden.cli.progress import show_activity
from dbwarden.cli.prompting import Terminal, can_ask
from dbwarden.cli.run import (
    bad_cell,
    load_project,
    ok_cell,
    on_fleet,
    report,
    select_migrated,
    warn_cell,
)
from dbwarden.cli.style import Cell, pluralize, relative
from dbwarden.config.model import DatabaseConfig
from dbwarden.errors import DBWardenError, UsageError
from dbwarden.fleet import Outcome
from dbwarden.operations.dev_server import (
    dev_server_start,
    dev_server_status,
    dev_server_stop,
    require_embedded,
)
from dbwarden.operations.generate_models import generate_models as generate_one
from dbwarden.operations.make_migrations import MakeMigrationsResult
from dbwarden.operations.make_migrations import make_migrations as make_one
from dbwarden.operations.renumber import renumber as renumber_one
from dbwarden.operations.schema import AdoptResult, adopt, schema_sql
from dbwarden.operations.verify import Verified
from dbwarden.operations.verify import verify as verify_one


def _flag(name: str) -> Parameter:
    return Parameter(name=name, negative="", show_default=False)


def _many(*names: str) -> Parameter:
    return Parameter(name=names, negative="", show_default=False)


async def make_migrations(
    *,
    message: Annotated[str, Parameter(name=("--message", "-m"))],
    name: Annotated[str | None, Parameter(name="--name", show_default=False)] = None,
    empty: Annotated[bool, _flag("--empty")] = False,
    sql: Annotated[bool, _flag("--sql")] = False,
    rename: Annotated[tuple[str, ...], _many("--rename")] = (),
    allow_drop: Annotated[tuple[str, ...], _many("--allow-drop", "--allow-loss")] = (),
    fill: Annotated[tuple[str, ...], _many("--fill")] = (),
    using: Annotated[tuple[str, ...], _many("--using")] = (),
    rollback_using: Annotated[tuple[str, ...], _many("--rollback-using")] = (),
    online: Annotated[bool, _flag("--online")] = False,
    unproven: Annotated[bool, _flag("--unproven")] = False,
    allow_failing_on_rows: Annotated[bool, _flag("--allow-failing-on-rows")] = False,
    from_live: Annotated[bool, _flag("--from-live")] = False,
    keep_going: Annotated[bool, _flag("--keep-going")] = False,
    options: LiveOptions = LiveOptions(),  # frozen, and what cyclopts reads options from  # noqa: B008
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
    rename
        Treat as a rename: users.nick:nickname, users:people.
    allow_drop
        Allow data loss in exactly these objects: users.email.
    fill
        A value for existing rows of a new column: users.email="''".
    using
        An expression that converts old values: users.age='age::int'.
    rollback_using
        An expression that converts new values back in the rollback: users.age='age::text'.
    online
        Use statements that do not block reads and writes.
    unproven
        Write the file even if it could not be proven.
    allow_failing_on_rows
        Write the file even if existing rows have no value for a required column.
    from_live
        Compare with the live database instead of the files.
    keep_going
        Leave out models that the server refuses, list them, write the rest and exit 3.
    """
    options.refuse_idle_dev(live=from_live, flag="--from-live")
    make = partial(make_one, message=message, name=name, empty=empty, sql=sql, online=online)
    make = partial(make, renames=rename, allow_drop=allow_drop, keep_going=keep_going)
    make = partial(make, fills=pairs_of(fill, "--fill"), using=pairs_of(using, "--using"))
    make = partial(make, rollback_using=pairs_of(rollback_using, "--rollback-using"))
    make = partial(make, allow_failing_on_rows=allow_failing_on_rows, unproven=unproven)
    configs = await select_to_write(options, from_live=from_live, patient=_is_patient(options))
    chosen = select_described(configs) if options.all and not empty else configs
    return await _make_each(partial(make, from_live=from_live), chosen, options)


def _is_patient(options: AuthoringOptions) -> bool:
    """Return whether the user can be asked."""
    return can_ask() and not options.json


async def _make_each(
    make: Callable[..., Awaitable[MakeMigrationsResult]],
    databases: Sequence[DatabaseConfig],
    options: AuthoringOptions,
) -> int:
    results: list[MakeMigrationsResult] = []
    patient = _is_patient(options)
    for config in databases:
        about = config.database_name if len(databases) > 1 else None
        try:
            with show_activity(enabled=not options.json):
                result = await make(config, asker=Terminal(about) if patient else None)
        except DBWardenError as error:
            if about is not None and isinstance(error, UsageError) and error.option:
                error.next_step = (
                    f"Pass {error.option} with -d DATABASE; it does not apply to {about}."
                )
            if options.json and results:
                return _report_stopped(error, results)
            raise
        if not options.json:  # report each file at once, because the next one may fail
            output.say(*_result_lines(result))
            output.note_errors(result.refused)
        results.append(result)
    code = Exit.FOUND if any(result.refused for result in results) else Exit.DONE
    if options.json:
        report_each("make-migrations", Results(tuple(results)), code)
    return code


def _report_stopped(error: DBWardenError, results: Sequence[MakeMigrationsResult]) -> int:
    """Print the document of a run that stopped at *error*, with the files written before."""
    code = Exit.USAGE if isinstance(error, UsageError) else Exit.FAILED
    documents = [plain(result) for result in results]
    output.say_json({**failure_document("make-migrations", error, code), "databases": documents})
    output.note_errors([error])
    return code


def _result_lines(result: MakeMigrationsResult) -> list[str]:
    out = left_out_lines(result.left_out)
    if result.agree:
        return [f"{result.database}: models and migrations agree.", *out]
    if result.path is None:
        return [(result.sql or "").rstrip("\n")]
    lines = [f"Wrote {relative(result.path)}"]
    if result.verdict is not None:
        on = f" (tried on {result.server})" if result.server else ""
        lines.append(f"  verdict: {result.verdict}{on}")
    return [*lines, *(f"  {line}" for line in (*result.notes, *result.locks)), *out]


async def verify(*, options: AuthoringOptions = AuthoringOptions()) -> int:  # noqa: B008
    """Prove all migration files again: up, down, up; for CI. Exit 3 if one fails."""
    databases = await select_with_files(options, options)
    done = await run_each(verify_one, databases, json=options.json)
    if options.json:
        report_each("verify", done)
        return done.code
    for result in done.results:
        rows = [(item.key, *_verdict_cells(item)) for item in result.migrations]
        output.say(
            f"{result.database}: {pluralize(len(rows), 'migration')}, tried on {result.server}"
        )
        output.say_table(("version", "", "found"), rows)
    output.note_errors(done.errors)
    return done.code


def _verdict_cells(item: Verified) -> tuple[Cell, Cell]:
    if item.problem:
        return bad_cell(item.verdict), item.problem
    shown = warn_cell if item.findings else ok_cell
    return shown(item.verdict), "; ".join(item.findings)


async def schema(
    *,
    live: Annotated[bool, _flag("--live")] = False,
    options: LiveOptions = LiveOptions(),  # noqa: B008
) -> int:
    """Print the schema of the migration files as SQL.

    Parameters
    ----------
    live
        Print the schema of the live database instead.
    """
    options.refuse_idle_dev(live=live, flag="--live")
    databases = await (select_live if live else select_with_files)(options, options)
    done = await run_each(partial(schema_sql, live=live), databases, json=options.json)
    if options.json:
        report_each("schema", done)
        return done.code
    for result in done.results:
        output.say(*([f"-- {result.database}", ""] if len(databases) > 1 else []), result.sql)
        note_left_out(result.left_out, result.database if len(databases) > 1 else None)
    output.note_errors(done.errors)
    return done.code


async def renumber(
    *,
    move: Annotated[tuple[str, ...], _many("--move")] = (),
    options: AuthoringOptions = AuthoringOptions(),  # noqa: B008
) -> int:
    """Give migrations with the same number unique numbers, and prove the new order.

    Parameters
    ----------
    move
        The file to move if the live database has applied neither: 0007_add_orders.
    """
    databases = await select_with_files(options, options)
    done = await run_each(partial(renumber_one, move=move), databases, json=options.json)
    if options.json:
        report_each("renumber", done)
        return done.code
    for result in done.results:
        if not result.moves:
            output.say(f"{result.database}: every migration has a unique number.")
        output.say(*(f"Moved {relative(item.old)} to {item.new.name}" for item in result.moves))
        if result.moves and result.verified and result.clean:
            count = pluralize(len(result.verified.migrations), "migration")
            output.say(f"  the new order is proven: {count}, tried on {result.verified.server}")
        for item in result.verified.migrations if result.verified else ():
            if item.problem:
                output.say(f"  {item.key} fails in the new order: {item.problem}")
    output.note_errors(done.errors)
    return done.code


def _note_each(outcomes: Sequence[Outcome[AdoptResult]]) -> None:
    for outcome in outcomes:
        if outcome.result is not None:
            note_left_out(outcome.result.left_out, outcome.database)


async def adopt_live(target: Target) -> int:
    """Write 0001 from live databases and mark it as applied: ``baseline`` without ``--to``."""
    outcomes = await on_fleet(adopt, refuse_shared_files(await select_migrated(target)), target)
    code = await report(
        "baseline", outcomes, target, headers=("", "version", "wrote"), row=_adopt_cells
    )
    if not target.json:
        _note_each(outcomes)
    return code


def _adopt_cells(result: AdoptResult) -> tuple[Cell, ...]:
    return (ok_cell("baselined"), result.version, relative(result.path))


async def generate_models(
    *,
    output_file: Annotated[Path | None, Parameter(name=("--output", "-o"), show_default=False)] = (
        None
    ),
    options: LiveOptions = LiveOptions(),  # noqa: B008
) -> int:
    """Write SQLAlchemy models from a live database, proven to build it again.

    Parameters
    ----------
    output_file
        The file to write; default: stdout. Never overwrites.
    """
    configs = await select_live(options, options)
    if len(configs) != 1:
        raise UsageError("models are generated from one database at a time")
    with show_activity(enabled=not options.json):
        result = await generate_one(configs[0])
    if output_file is not None:
        await anyio.to_thread.run_sync(_write_new, output_file, result.code)
    if options.json:
        report_each("generate-models", Results((result,)))
    elif output_file is None:
        output.say(result.code.rstrip("\n"))
    else:
        output.say(f"Wrote {result.tables} tables to {relative(output_file)}")
    if not options.json:
        note_left_out(result.left_out, None)
    return Exit.DONE


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
    remove: Annotated[bool, _flag("--remove")] = False,
    options: Project = Project(),  # noqa: B008
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
