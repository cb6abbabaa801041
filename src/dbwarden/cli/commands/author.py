"""Commands that write migrations, and that prove them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from cyclopts import Parameter

from dbwarden.authoring.answers import pairs_of
from dbwarden.cli import output
from dbwarden.cli.documents import plain
from dbwarden.cli.exits import Exit
from dbwarden.cli.options import HOW, WHICH, Project
from dbwarden.cli.run import project
from dbwarden.cli.style import short
from dbwarden.config.model import DatabaseConfig
from dbwarden.errors import UsageError
from dbwarden.operations.make_migrations import MakeMigrationsResult
from dbwarden.operations.make_migrations import make_migrations as make_one


def _flag(name: str) -> Parameter:
    return Parameter(name=name, negative="", show_default=False)


def _many(name: str) -> Parameter:
    return Parameter(name=name, negative="", show_default=False)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Authored(Project):
    """Which database to author for; these commands work on one after the other."""

    database: Annotated[
        tuple[str, ...],
        Parameter(name=("--database", "-d"), group=WHICH, negative="", show_default=False),
    ] = ()
    "A database by name or pattern; the default one when left out. May be repeated."
    all: Annotated[bool, Parameter(name="--all", group=WHICH, negative="", show_default=False)] = (
        False
    )
    "Every configured database that is no replica."
    timeout: Annotated[float | None, Parameter(name="--timeout", group=HOW, show_default=False)] = (
        None
    )
    "Seconds for each database, 0 for no limit; its own timeout when left out."


async def chosen(options: Authored, *, patient: bool = False) -> tuple[DatabaseConfig, ...]:
    """The databases that the options name; *patient* waits for a person without a limit."""
    if options.all and options.database:
        raise UsageError("--all and -d exclude each other", next_step="Give one of them.")
    if options.timeout is not None and options.timeout < 0:
        raise UsageError("--timeout takes seconds, 0 or more")
    found = await project(options)
    if options.all:
        configs = [config for config in found.databases if config.replica_of is None]
    else:
        configs = list(found.select(options.database))
    timeout = options.timeout
    if timeout is None and patient:
        timeout = 0.0
    if timeout is None:
        return tuple(configs)
    return tuple(replace(config, timeout=timeout or None) for config in configs)


class Terminal:
    """Asks the person at the terminal."""

    def yes(self, question: str) -> bool:
        """Whether the answer is yes."""
        return output.ask(question)

    def text(self, question: str) -> str:
        """What is answered; empty for nothing."""
        return input(f"{question}\n> ")


async def make_migrations(
    *,
    message: Annotated[str, Parameter(name=("--message", "-m"))],
    name: Annotated[str | None, Parameter(name="--name", show_default=False)] = None,
    empty: Annotated[bool, _flag("--empty")] = False,
    sql: Annotated[bool, _flag("--sql")] = False,
    rename: Annotated[tuple[str, ...], _many("--rename")] = (),
    allow_drop: Annotated[tuple[str, ...], _many("--allow-drop")] = (),
    fill: Annotated[tuple[str, ...], _many("--fill")] = (),
    using: Annotated[tuple[str, ...], _many("--using")] = (),
    online: Annotated[bool, _flag("--online")] = False,
    unproven: Annotated[bool, _flag("--unproven")] = False,
    from_live: Annotated[bool, _flag("--from-live")] = False,
    options: Authored = Authored(),  # frozen, and what cyclopts reads options from
) -> int:
    """Write the next migration from the models, proven in a scratch database.

    Parameters
    ----------
    message
        What the migration does, in a few words.
    name
        Another name for the file.
    empty
        A file without SQL, whatever the models say.
    sql
        Print the file instead of writing it.
    rename
        What is the same under another name: users.nick:nickname, users:people.
    allow_drop
        What may be destroyed, by exact name: users.email.
    fill
        A value for existing rows of a new column: users.email="''".
    using
        How old values become new ones: users.age='age::int'.
    online
        The forms that do not block reading and writing.
    unproven
        Write it even if it could not be proven.
    from_live
        Compare with the live database instead of the files.
    """
    asker = Terminal() if output.can_ask() and not options.json else None
    results = [
        await make_one(
            config,
            message=message,
            name=name,
            empty=empty,
            sql=sql,
            renames=rename,
            allow_drop=allow_drop,
            fills=pairs_of(fill, "--fill"),
            using=pairs_of(using, "--using"),
            online=online,
            unproven=unproven,
            from_live=from_live,
            asker=asker,
        )
        for config in await chosen(options, patient=asker is not None)
    ]
    _say_made(results, options)
    return Exit.DONE


def _say_made(results: Sequence[MakeMigrationsResult], options: Authored) -> None:
    if options.json:
        documents = [plain(result) for result in results]
        output.say_json({"command": "make-migrations", "exit_code": 0, "databases": documents})
        return
    for result in results:
        output.say(*_made_lines(result))


def _made_lines(result: MakeMigrationsResult) -> list[str]:
    if result.agree:
        return [f"{result.database}: models and migrations agree."]
    if result.path is None:
        return [(result.sql or "").rstrip("\n")]
    lines = [f"Wrote {short(result.path)}"]
    if result.verdict is not None:
        on = f" (tried on {result.server})" if result.server else ""
        lines.append(f"  verdict: {result.verdict}{on}")
    return [*lines, *(f"  {line}" for line in (*result.notes, *result.locks))]
