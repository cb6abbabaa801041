"""``diff``: how live databases differ from their files or models; ``diff --adopt``."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dbwarden.authoring.compare.left_out import LeftOut
from dbwarden.cli import output
from dbwarden.cli.left_out import left_out_lines
from dbwarden.cli.options import FleetOptions
from dbwarden.cli.run import AT_ONCE_IN_SCRATCH, Outcomes, Texts, report, results_of, run
from dbwarden.cli.selection import Which, select
from dbwarden.cli.style import pluralize, relative, shorten
from dbwarden.errors import UsageError
from dbwarden.operations.diff import DiffResult, drift

if TYPE_CHECKING:
    from dbwarden.operations.adopt_drift import AdoptDriftResult


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class AdoptChoices:
    """The choices of ``diff --adopt``."""

    message: Annotated[str | None, Parameter(name=("--message", "-m"))] = None
    "With --adopt, what the migration does, in a few words."
    allow_drop: tuple[str, ...] = ()
    "With --adopt, an object that other databases may lose: users.email."
    fill: tuple[str, ...] = ()
    "With --adopt, a value for existing rows of a new column: users.email=\"''\"."


async def diff(
    *,
    models: bool = False,
    ignore: tuple[str, ...] = (),
    adopt: bool = False,
    choices: AdoptChoices = AdoptChoices(),
    options: FleetOptions = FleetOptions(),
) -> int:
    """Show how live databases differ from their files.

    List the differences and print the SQL that brings the database in line with
    the migration files. Exit 3 if there is a difference. Reads only.

    For example:
        dbwarden diff
        dbwarden diff --models
        dbwarden diff --all --ignore 'table audit_*'
        dbwarden diff --adopt -d primary -m "hot fix"

    Parameters
    ----------
    models
        Compare them with the models instead. With --keep-going, models that the server refuses are
        left out and listed.
    ignore
        An object that is no difference, as in 'table audit_*'; may be repeated.
    adopt
        Write the difference as the next migration, and mark it in this database.
    """
    if adopt:
        return await _adopt(choices, ignore, options)
    selection = await select(options, Which.LIVE)
    if models:
        selection = selection.described()
    keep_going = models and options.fail_fast is False
    operation = partial(drift, models=models, keep_going=keep_going, ignore=ignore)
    outcomes = await run(operation, selection, at_once=AT_ONCE_IN_SCRATCH)
    return await report("diff", outcomes, selection, _Differences(_print_differences, flat=True))


async def _adopt(choices: AdoptChoices, ignore: tuple[str, ...], options: FleetOptions) -> int:
    if choices.message is None:
        raise UsageError(
            "--adopt needs a message for the migration",
            next_step="Say in a few words what was changed: -m 'hot fix'.",
        )
    from dbwarden.authoring.compare.user_choices import pairs_of
    from dbwarden.operations.adopt_drift import adopt_drift

    selection = await select(options, Which.WRITABLE)
    if len(selection.databases) != 1:
        raise UsageError(
            "the drift of one database is adopted at a time", next_step="Name it with -d."
        )
    operation = partial(
        adopt_drift,
        message=choices.message,
        allow_drop=choices.allow_drop,
        fills=pairs_of(choices.fill, "--fill"),
        ignore=ignore,
    )
    outcomes = await run(operation, selection.for_writing(), at_once=AT_ONCE_IN_SCRATCH)
    return await report("diff", outcomes, selection, Texts(_print_adopted))


def _print_adopted(result: "AdoptDriftResult") -> None:
    output.say(f"Wrote {relative(result.path)}, and marked it in {result.database}")
    output.say(f"  verdict: {result.verdict}", *(f"  {note}" for note in result.notes))


@dataclass(frozen=True, slots=True)
class _Differences(Texts):
    """The differences of each database; of several, those that differ in the same way together."""

    def show(self, outcomes: Outcomes) -> None:
        """Print the results."""
        if len(outcomes) == 1:
            Texts.show(self, outcomes)
        else:
            _print_groups(results_of(outcomes))


def _print_groups(results: Sequence[DiffResult]) -> None:
    """Print databases that differ alike together, then those that do not differ."""
    groups: dict[tuple[tuple[str, ...], tuple[LeftOut, ...]], list[DiffResult]] = {}
    for result in results:
        output.note_errors(result.refused)
        lines = tuple(sorted(f"{item.change} {item.what}" for item in result.differences))
        groups.setdefault((lines, tuple(result.left_out)), []).append(result)
    ways = {lines for lines, _ in groups if lines}
    differ = sum(bool(result.differences) for result in results)
    if ways:
        total = pluralize(len(results), "database")
        in_ways = f", in {len(ways)} ways" if len(ways) > 1 else ""
        output.say(f"{differ} of {total} {'differs' if differ == 1 else 'differ'}{in_ways}.", "")
    for (lines, left_out), members in sorted(
        groups.items(), key=lambda group: (not group[0][0], -len(group[1]))
    ):
        _print_group(members, lines, left_out)


def _print_group(
    members: Sequence[DiffResult], lines: Sequence[str], left_out: Sequence[LeftOut]
) -> None:
    names = shorten([str(result.database) for result in members])
    count = f"{pluralize(len(members), 'database')}: " if len(members) > 1 else ""
    verdict = "" if lines else ": no difference."
    output.say(f"{count}{names} ({members[0].compared}){verdict}")
    output.say(*(f"  {line}" for line in lines), *left_out_lines(left_out))
    if lines:
        output.say(*_sql_lines(members[0]), "")


def _sql_lines(result: DiffResult) -> list[str]:
    way = f"-- from {result.compared.replace(' with ', ' to ')}"
    return ["", *([way, result.sql] if not result.problem else [f"No SQL: {result.problem}"])]


def _print_differences(result: DiffResult) -> None:
    left_out = left_out_lines(result.left_out)
    output.note_errors(result.refused)
    if not result.differences:
        output.say(f"{result.database}: {result.compared}: no difference.", *left_out)
        return
    count = pluralize(len(result.differences), "difference")
    output.say(f"{result.database}: {result.compared}: {count}")
    output.say(*(f"  {item.change} {item.what}" for item in result.differences), *left_out)
    output.say(*_sql_lines(result))
