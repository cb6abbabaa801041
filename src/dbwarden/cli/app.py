"""Declare the commands, and handle their signals, errors and exit codes."""

import re
import signal
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from cyclopts import App, Group, Parameter

from dbwarden import __version__

if TYPE_CHECKING:  # imported when a command runs, so that help and errors of use are fast
    from anyio import CancelScope

    from dbwarden.cli.options import CommandOptions
    from dbwarden.cli.run import Interrupt
    from dbwarden.errors import DBWardenError

START, AUTHOR, CHANGE, INSPECT, CONFIGURATION = (
    Group(name, sort_key=place)
    for place, name in enumerate(
        (
            "Start a project",
            "Write migrations",
            "Change databases",
            "Inspect databases",
            "Configuration",
        )
    )
)

COMMANDS = (
    # name, summary, heading
    ("init", "Start a project: write a dbwarden.py.", START),
    ("new", "Write an empty migration file.", START),
    ("make-migrations", "Write a migration from the models.", AUTHOR),
    ("verify", "Prove all migration files again.", AUTHOR),
    ("lint", "Judge migrations by what they lock and rewrite. Exit 3.", AUTHOR),
    ("diff", "Show how live databases differ from their files.", AUTHOR),
    ("schema", "Print the schema of the migration files as SQL.", AUTHOR),
    ("generate-models", "Write models from a database.", AUTHOR),
    ("renumber", "Resolve two files with the same number.", AUTHOR),
    ("import", "Write migrations from another tool's history.", AUTHOR),
    ("dev-server", "Run a PostgreSQL for development.", AUTHOR),
    ("migrate", "Apply pending migrations.", CHANGE),
    ("backfill", "Run, show, pause, resume or cancel backfills.", CHANGE),
    ("rollback", "Roll back the last migration.", CHANGE),
    ("baseline", "Mark migrations as applied without running them.", CHANGE),
    ("repair", "Correct the migration history.", CHANGE),
    ("create-database", "Create a missing database and migrate it.", CHANGE),
    ("unlock", "End the process that holds a migration lock.", CHANGE),
    ("status", "Show the state of each database.", INSPECT),
    ("history", "Show who applied what, and when.", INSPECT),
    ("check", "Compare databases with their files. Exit 3 on findings.", INSPECT),
    ("health", "Print the health of the databases as JSON.", INSPECT),
    ("lock-status", "Show who is migrating now.", INSPECT),
    ("wait", "Wait until the databases answer.", INSPECT),
    ("databases", "List the configured databases.", CONFIGURATION),
    ("settings", "Show every setting of a database.", CONFIGURATION),
    ("version", "Show the installed versions.", CONFIGURATION),
)


class HelpFormatter:
    """A printer of help that joins the lines of docstrings, so that the terminal wraps them."""

    def __call__(self, console: Any, options: Any, panel: Any) -> None:
        """Print a panel of options or commands."""
        for entry in panel.entries:
            text = entry.description.primary_renderable
            text.plain = " ".join(text.plain.split())
        self._default(console, options, panel)

    def render_usage(self, console: Any, options: Any, usage: Any) -> None:
        """Print the first line."""
        self._default.render_usage(console, options, usage)

    def render_description(self, console: Any, options: Any, description: Any) -> None:
        """Print the text above the options; indented lines, which are commands, are not joined."""
        if description:
            text = description.primary_renderable
            text.plain = re.sub(r"(?<=\S)\n(?=\S)", " ", text.plain)
            console.print(description)

    @property
    def _default(self) -> Any:
        from cyclopts.help import DefaultFormatter  # takes 7 ms, and only help needs it

        return DefaultFormatter()


def function_of(command: str) -> str:
    """Return the name of the function of *command*, which is that of its module too."""
    return "import_" if command == "import" else command.replace("-", "_")


def build(only: str | None = None) -> App:
    """Build the command line; a command's module is imported when the command runs.

    Its docstring is its help. With *only*, a command or ``""``, the help of the others is their
    summary: a list of all commands shows it without importing their modules.
    """
    app = App(
        name="dbwarden",
        help="Plain SQL migrations for many databases, each with its own history, run "
        "concurrently.",
        version=__version__,
        help_format="plaintext",
        help_formatter=HelpFormatter(),
        default_parameter=Parameter(negative="", show_default=False),
    )
    for place, (name, summary, group) in enumerate(COMMANDS):
        function = function_of(name)
        app.command(
            f"dbwarden.cli.commands.{function}:{function}",
            name=name,
            help=None if only in (None, name) else summary,
            group=group,
            sort_key=place,
        )
    app.register_install_completion_command(name="install-completion", group=CONFIGURATION)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    from dbwarden.cli.parsing import parse
    from dbwarden.errors import UsageError

    words = [word for word in arguments if not word.startswith("-")]
    name = words[0] if words else ""
    helped = words[1] if words[1:] and name == "help" else name
    try:
        command, bound = parse(build(helped), arguments)
    except UsageError as error:
        return _report_failure(name, error, json="--json" in arguments)
    result = command(*bound.args, **bound.kwargs)
    if not isinstance(result, Coroutine):
        return int(result or 0)
    import anyio

    from dbwarden.cli.options import CommandOptions
    from dbwarden.cli.streams import redirect_user_output
    from dbwarden.cli.style import remember_folder

    remember_folder()
    options = next((v for v in bound.arguments.values() if isinstance(v, CommandOptions)), None)
    with redirect_user_output():
        return anyio.run(_run_until_signal, name, result, options or CommandOptions())


async def _run_until_signal(
    name: str, command: Coroutine[Any, Any, int], options: "CommandOptions"
) -> int:
    """Return the exit code of *command*, which an interrupt stops."""
    import anyio

    from dbwarden.cli.run import Interrupt, current_interrupt
    from dbwarden.errors import Interrupted

    code = None
    stopping = Interrupt(anyio.Event())
    current_interrupt.set(stopping)
    async with anyio.create_task_group() as group:
        group.start_soon(_watch_signals, stopping, group.cancel_scope)
        code = await _run_and_report(name, command, options)
        group.cancel_scope.cancel()
    if stopping.signal is None:
        return 1 if code is None else code
    if code is None:
        error = Interrupted("interrupted")
        _report_failure(name, error, json=options.json, code=128 + stopping.signal)
    return 128 + stopping.signal


async def _watch_signals(stopping: "Interrupt", scope: "CancelScope") -> None:
    """Stop the run at the first signal, so that it can report; cancel it at the second."""
    import anyio

    try:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for received in signals:
                if stopping.signal is not None or not stopping.listeners:
                    stopping.signal = stopping.signal or received
                    scope.cancel()
                    return
                stopping.signal = received
                stopping.event.set()
    except NotImplementedError:  # Windows: Ctrl-C arrives as KeyboardInterrupt instead
        await anyio.sleep_forever()


async def _run_and_report(
    name: str, command: Coroutine[Any, Any, int], options: "CommandOptions"
) -> int:
    from dbwarden import telemetry
    from dbwarden.errors import DBWardenError
    from dbwarden.secrets import describe_error, redact

    try:
        telemetry.configure(*options.logging())
        with telemetry.run():
            return await command
    except DBWardenError as error:
        return _report_failure(name, error, json=options.json)
    except Exception as error:
        import traceback

        fault = DBWardenError(
            describe_error(error),
            detail=redact("".join(traceback.format_exception(error))).rstrip(),
            next_step="This is a bug in dbwarden. Please report it with the lines above.",
        )
        return _report_failure(name, fault, json=options.json)
    finally:
        command.close()  # it may not have started


def _report_failure(
    name: str, error: "DBWardenError", *, json: bool, code: int | None = None
) -> int:
    """Print the error of the command *name* and return the exit code."""
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
