"""``make-migrations``: what was written from the models."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any

from cyclopts import Parameter

from dbwarden.authoring.compare.user_choices import pairs_of
from dbwarden.cli import output
from dbwarden.cli.left_out import left_out_lines
from dbwarden.cli.options import FleetOptions
from dbwarden.cli.prompting import Terminal, can_ask
from dbwarden.cli.run import AT_ONCE_IN_SCRATCH, Texts, report, run
from dbwarden.cli.selection import Which, select
from dbwarden.cli.style import relative
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import UsageError
from dbwarden.fleet import Outcome
from dbwarden.operations.make_migrations import MakeMigrationsResult
from dbwarden.operations.make_migrations import make_migrations as make_one


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Choices:
    """The file to write, and answers to the questions about it."""

    name: str | None = None
    "Another name for the file."
    empty: bool = False
    "Write a file without SQL."
    sql: bool = False
    "Print the file instead of writing it."
    renames: Annotated[tuple[str, ...], Parameter(name="--rename")] = ()
    "Treat as a rename: users.nick:nickname, users:people."
    allow_drop: Annotated[tuple[str, ...], Parameter(name=("--allow-drop", "--allow-loss"))] = ()
    "Allow data loss in exactly these objects: users.email."
    fills: Annotated[tuple[str, ...], Parameter(name="--fill")] = ()
    "A value for existing rows of a new column: users.email=\"''\"."
    using: tuple[str, ...] = ()
    "An expression that converts old values: users.age='age::int'."
    rollback_using: tuple[str, ...] = ()
    "An expression that converts new values back in the rollback: users.age='age::text'."
    allow_failing_on_rows: bool = False
    "Write the file even if existing rows have no value for a required column."
    online: bool = False
    "Use forms that do not block reads and writes; that may be several files."
    allow_rewrite: tuple[str, ...] = ()
    "With --online: a column whose change may rewrite its table anyway: users.age."
    allow_rename: tuple[str, ...] = ()
    "With --online: a table or column to rename in place, while nothing uses it: users.nick."
    unproven: bool = False
    "Write the file even if it could not be proven."
    from_live: bool = False
    "Compare with the live database instead of the files."

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of :func:`dbwarden.make_migrations`.

        Raises:
            UsageError: An option has another form.
        """
        return {
            **vars(self),
            "fills": pairs_of(self.fills, "--fill"),
            "using": pairs_of(self.using, "--using"),
            "rollback_using": pairs_of(self.rollback_using, "--rollback-using"),
        }


async def make_migrations(
    *,
    message: Annotated[str, Parameter(name=("--message", "-m"))],
    choices: Choices = Choices(),
    options: FleetOptions = FleetOptions(),
) -> int:
    """Write a migration from the models.

    Builds models and migration files in scratch databases and compares them.
    Every file is tested in both directions before it is written. At a terminal,
    the command asks about renames, drops and fills. With --keep-going, models
    that the server refuses are left out and listed, the rest is written, and
    the exit code is 3.

    For example:
        dbwarden make-migrations -m "add users"
        dbwarden make-migrations -m "rename nick" --rename users.nick:nickname
        dbwarden make-migrations -m "drop email" --allow-drop users.email
        dbwarden make-migrations -m "preview" --sql

    Parameters
    ----------
    message
        What the migration does, in a few words.
    """
    asks = can_ask() and not options.json and options.workers is None
    if asks and options.timeout is None:
        options = replace(options, timeout=0)  # a person is asked
    make: Callable[..., Awaitable[MakeMigrationsResult]] = partial(
        make_one,
        message=message,
        keep_going=options.fail_fast is False,
        **choices.arguments(),
    )
    which = Which.LIVE if choices.from_live else Which.FILES
    selection = (await select(options, which, live_flag="--from-live")).for_writing()
    selection = selection if choices.empty else selection.described()
    several = len(selection.databases) > 1

    async def make_and_ask(config: DatabaseConfig) -> MakeMigrationsResult:
        return await make(config, asker=Terminal(config.database_name if several else None))

    operation = make_and_ask if asks else make
    outcomes = await run(operation, selection, at_once=AT_ONCE_IN_SCRATCH, asks=asks)
    if several:
        _advise_single(outcomes)
    return await report("make-migrations", outcomes, selection, Texts(_print_made, flat=True))


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
