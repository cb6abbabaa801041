"""The commands, and what happens around each of them: signals, errors, exit codes."""

import signal
from collections.abc import Coroutine, Sequence
from typing import Any

from cyclopts import App, Group

from dbwarden import __version__
from dbwarden.cli.command_help import manual

START, AUTHOR, CHANGE, LOOK, CONFIGURATION = (
    Group(name, sort_key=place)
    for place, name in enumerate(
        ("Begin", "Write migrations", "Change databases", "Look", "Configuration")
    )
)

COMMANDS = (
    # name, where, what it says in the list, under which heading
    ("init", "start:init", "Begin a project: write a dbwarden.py.", START),
    ("new", "start:new", "Write an empty migration file.", START),
    ("make-migrations", "author:make_migrations", "Write a migration from the models.", AUTHOR),
    ("verify", "author:verify", "Prove all migration files again.", AUTHOR),
    ("diff", "compare:diff", "Where live databases differ from their files.", AUTHOR),
    ("schema", "author:schema", "The schema that the files make, as SQL.", AUTHOR),
    ("generate-models", "author:generate_models", "SQLAlchemy models from a database.", AUTHOR),
    ("renumber", "author:renumber", "Tell apart migrations of the same number.", AUTHOR),
    ("dev-server", "author:dev_server", "The project's PostgreSQL for development.", AUTHOR),
    ("migrate", "change:migrate", "Apply what is pending.", CHANGE),
    ("rollback", "change:rollback", "Take back what was applied last.", CHANGE),
    ("baseline", "change:baseline", "Mark migrations as applied without running them.", CHANGE),
    ("repair", "change:repair", "Make the ledger agree with the files again.", CHANGE),
    (
        "create-database",
        "tenants:create_database",
        "Make a database that does not exist yet, and migrate it.",
        CHANGE,
    ),
    ("unlock", "locks:unlock", "End the migrator that holds a database.", CHANGE),
    ("status", "look:status", "Where each database stands.", LOOK),
    ("history", "look:history", "Who applied what, and when.", LOOK),
    ("check", "look:check", "Is everything as the files say? Exit 3 if not.", LOOK),
    ("health", "look:health", "The health of the databases, as JSON.", LOOK),
    ("lock-status", "locks:lock_status", "Who is migrating right now.", LOOK),
    ("wait", "look:wait", "Wait until the databases answer.", LOOK),
    ("databases", "settings:databases", "The configured databases.", CONFIGURATION),
    ("settings", "settings:settings", "Every setting of a database.", CONFIGURATION),
    ("version", "settings:version", "The versions of dbwarden and its drivers.", CONFIGURATION),
)


def build() -> App:
    """The command line; a command's module is imported when that command runs."""
    app = App(
        name="dbwarden",
        help="Migrations for many databases: plain SQL, one ledger each, all at once.",
        version=__version__,
        help_format="plaintext",
    )
    for place, (name, where, help_, group) in enumerate(COMMANDS):
        app.command(
            f"dbwarden.cli.commands.{where}",
            name=name,
            help=manual(name, help_),
            group=group,
            sort_key=place,
        )
    app.register_install_completion_command(name="install-completion", group=CONFIGURATION)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    from dbwarden.cli.parsing import parse
    from dbwarden.errors import UsageError

    name = next((word for word in arguments if not word.startswith("-")), "")
    try:
        command, bound = parse(build(), arguments)
    except UsageError as error:
        return _say_failure(name, error, json="--json" in arguments)
    result = command(*bound.args, **bound.kwargs)
    if not isinstance(result, Coroutine):
        return int(result or 0)
    import anyio

    from dbwarden.cli.options import Project
    from dbwarden.cli.streams import kept_apart
    from dbwarden.cli.style import remember_folder

    remember_folder()
    options = next((v for v in bound.arguments.values() if isinstance(v, Project)), None)
    with kept_apart():
        return anyio.run(_around, name, result, options or Project())


async def _around(name: str, command: Coroutine[Any, Any, int], options: Any) -> int:
    """Await *command*; an interrupt stops it, an error is shown, and each has its exit code."""
    import anyio

    from dbwarden.cli.run import Halt, halt
    from dbwarden.errors import Interrupted

    code = None
    stopping = Halt(anyio.Event())
    halt.set(stopping)
    async with anyio.create_task_group() as group:
        group.start_soon(_watch_signals, stopping, group.cancel_scope)
        code = await _shown(name, command, options)
        group.cancel_scope.cancel()
    if stopping.signal is None:
        return 1 if code is None else code
    if code is None:
        error = Interrupted("interrupted")
        _say_failure(name, error, json=options.json, code=128 + stopping.signal)
    return 128 + stopping.signal


async def _watch_signals(stopping: Any, scope: Any) -> None:
    """The first signal stops what runs, and a fleet reports; the second does not wait for that."""
    import anyio

    try:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for received in signals:
                if stopping.signal is not None or not stopping.heeding:
                    stopping.signal = stopping.signal or received
                    scope.cancel()
                    return
                stopping.signal = received
                stopping.event.set()
    except NotImplementedError:  # Windows: Ctrl-C arrives as KeyboardInterrupt instead
        await anyio.sleep_forever()


async def _shown(name: str, command: Coroutine[Any, Any, int], options: Any) -> int:
    from dbwarden import telemetry
    from dbwarden.errors import DBWardenError

    try:
        telemetry.configure(*options.logging())
        with telemetry.run():
            return await command
    except DBWardenError as error:
        return _say_failure(name, error, json=options.json)
    except Exception as error:
        return _say_failure(name, _mistake(error), json=options.json)
    finally:
        command.close()  # it may not have begun


def _mistake(error: Exception) -> Any:
    """What nobody has foreseen, as an error with all that helps to find it, but no secrets."""
    import traceback

    from dbwarden.errors import DBWardenError
    from dbwarden.secrets import describe_error, redact

    return DBWardenError(
        describe_error(error),
        detail=redact("".join(traceback.format_exception(error))).rstrip(),
        next_step="That is a mistake in dbwarden: please report it with the lines above.",
    )


def _say_failure(name: str, error: Any, *, json: bool, code: int | None = None) -> int:
    """Show why the command *name* came to nothing; the exit code."""
    from dbwarden.cli import output
    from dbwarden.cli.documents import failure_document
    from dbwarden.cli.exits import Exit
    from dbwarden.errors import UsageError

    if code is None:
        code = Exit.USAGE if isinstance(error, UsageError) else Exit.FAILED
    if json:
        output.say_json(failure_document(name, error, code))
    output.note_errors([error])
    return code
