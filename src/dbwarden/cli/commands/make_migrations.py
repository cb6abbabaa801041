"""``make-migrations``: what was written from the models."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated

from cyclopts import Parameter

from dbwarden.cli import output
from dbwarden.cli.left_out import left_out_lines
from dbwarden.cli.options import Choices, FleetOptions
from dbwarden.cli.prompting import Terminal, can_ask
from dbwarden.cli.run import AT_ONCE_IN_SCRATCH, Texts, report, run
from dbwarden.cli.selection import Which, select
from dbwarden.cli.style import relative
from dbwarden.config.model import DatabaseConfig
from dbwarden.errors import UsageError
from dbwarden.fleet import Outcome
from dbwarden.operations.make_migrations import MakeMigrationsResult
from dbwarden.operations.make_migrations import make_migrations as make_one


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
    asks = can_ask() and not options.json and options.workers is None
    if asks and options.timeout is None:
        options = replace(options, timeout=0)  # a person is asked
    make: Callable[..., Awaitable[MakeMigrationsResult]] = partial(
        make_one,
        message=message,
        name=name,
        empty=empty,
        sql=sql,
        unproven=unproven,
        from_live=from_live,
        keep_going=options.fail_fast is False,
        **choices.arguments(),
    )
    which = Which.LIVE if from_live else Which.FILES
    selection = (await select(options, which, live_flag="--from-live")).for_writing()
    selection = selection if empty else selection.described()
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
