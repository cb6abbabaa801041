"""``lint``: the findings about migration files, in the formats of `dbwarden.linting`."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import anyio.to_thread
from cyclopts import Group, Parameter

from dbwarden import __version__
from dbwarden.cli import output
from dbwarden.cli.options import FleetOptions
from dbwarden.cli.run import AT_ONCE_IN_SCRATCH, Outcomes, Texts, report, results_of, run
from dbwarden.cli.selection import Selection, Which, load_project, select
from dbwarden.cli.style import pluralize, relative
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import UsageError
from dbwarden.linting.findings import SEVERITIES, LintFinding, LintSeverity
from dbwarden.linting.formats import FORMATS, Format, Report
from dbwarden.linting.sizes import dump_stats
from dbwarden.operations.lint import LintResult, StatsResult, read_stats
from dbwarden.operations.lint import lint as lint_one

FILES = Group("Files", sort_key=0)
RULES = Group("Rules", sort_key=0)
_OF_FILES, _OF_RULES = Parameter(group=FILES), Parameter(group=RULES)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class LintChoices:
    """The files to judge, the rules, and the source of sizes."""

    pending: Annotated[bool, _OF_FILES] = False
    "Only files that the live database has not applied."
    changed_since: Annotated[str | None, _OF_FILES] = None
    "Only files that differ from this branch, tag or commit of git."
    live: Annotated[bool, _OF_RULES] = False
    "Scale the severity by the size and traffic of the live database's tables."
    stats: Annotated[Path | None, _OF_RULES] = None
    "The same, with the sizes in this file of --save-stats."
    select: Annotated[tuple[str, ...], _OF_RULES] = ()
    "Only this rule, at every severity; may be repeated, or be a list with commas."
    ignore: Annotated[tuple[str, ...], _OF_RULES] = ()
    "Not this rule; may be repeated, or be a list with commas."
    severity: Annotated[LintSeverity | None, _OF_RULES] = None
    "Report this severity and higher ones; default: warning."
    fix: Annotated[bool, _OF_RULES] = False
    "Edit the files, as far as the edited files are proven to do the same."


async def lint(
    *files: Path,
    choices: LintChoices = LintChoices(),
    save_stats: Annotated[Path | None, _OF_RULES] = None,
    format: Annotated[Format, Parameter(show_default=True)] = "text",
    options: FleetOptions = FleetOptions(),
) -> int:
    """Judge migrations by what they lock and rewrite. Exit 3.

    Runs each statement in a scratch database, and judges the locks, rewrites
    and scans that the server reports. A file allows a finding with -- dbwarden:
    allow RULE: REASON.

    For example:
        dbwarden lint
        dbwarden lint --pending --live
        dbwarden lint --changed-since origin/main --format github
        dbwarden lint --save-stats sizes.json && dbwarden lint --stats sizes.json

    Parameters
    ----------
    files
        The files to judge, of one or more databases; default: all files of the databases.
    save_stats
        Write the sizes of the live databases to this file, and judge nothing.
    format
        The form of the findings: a terminal's, JSON, or that of a code scanner.
    """
    options = replace(options, json=options.json or format == "json")
    if save_stats is not None:
        return await _save_stats(save_stats, options)
    needs_live = choices.live or choices.pending
    which = Which.LIVE if needs_live else Which.FILES
    selection = await _selected(files, options, which)
    names = {"select": _names(choices.select), "ignore": _names(choices.ignore)}
    judge: Callable[..., Awaitable[LintResult]] = partial(lint_one, **{**vars(choices), **names})
    own = await anyio.to_thread.run_sync(_by_folder, files, selection.databases)

    async def judge_own(config: DatabaseConfig) -> LintResult:
        return await judge(config, files=own[config.migrations_dir] or files)

    # Workers can import only the plain operation, and edit no files.
    operation = judge_own if files or choices.fix else judge
    outcomes = await run(operation, selection, at_once=AT_ONCE_IN_SCRATCH)
    return await report("lint", outcomes, selection, _Findings(format))


def _names(given: Sequence[str]) -> tuple[str, ...]:
    """Return the names of rules, which may be lists with commas."""
    return tuple(name.strip() for text in given for name in text.split(",") if name.strip())


def _by_folder(
    files: Sequence[Path], databases: Sequence[DatabaseConfig]
) -> dict[Path, tuple[Path, ...]]:
    """Return which of *files* are in the folder of each database. Blocking."""
    folders = {file: file.resolve().parent for file in files}
    return {
        config.migrations_dir: tuple(
            file for file in files if folders[file] == config.migrations_dir.resolve()
        )
        for config in databases
    }


async def _selected(files: Sequence[Path], options: FleetOptions, which: Which) -> Selection:
    """Return the databases of the options or, without any, those of the files."""
    if not files or options.database or options.all:
        return await select(options, which, live_flag="--live")
    authors = (await load_project(options)).authors
    own = await anyio.to_thread.run_sync(_by_folder, files, authors)
    known = {file for found in own.values() for file in found}
    if unknown := [file for file in files if file not in known]:
        raise UsageError(
            f"{unknown[0]} is in no folder of migrations",
            next_step="Name files of these folders: "
            f"{', '.join(relative(config.migrations_dir) for config in authors)}.",
        )
    names = tuple(config.files_of for config in authors if own[config.migrations_dir])
    return await select(replace(options, database=names), which, live_flag="--live")


async def _save_stats(path: Path, options: FleetOptions) -> int:
    selection = await select(options, Which.LIVE)
    outcomes = await run(read_stats, selection)
    if results := results_of(outcomes):
        text = dump_stats({result.database: result.stats for result in results})
        advice = "Name another file with --save-stats."
        await anyio.to_thread.run_sync(output.write_file, path, text, "w", advice)

    def show(result: StatsResult) -> None:
        count = pluralize(len(result.stats.tables), "table")
        output.say(f"{result.database}: wrote the sizes of {count} to {relative(path)}")

    return await report("lint", outcomes, selection, Texts(show))


@dataclass(frozen=True, slots=True)
class _Findings:
    """The findings of all databases in one of the formats."""

    format: Format

    def show(self, outcomes: Outcomes) -> None:
        """Print them to stdout."""
        results: Sequence[LintResult] = results_of(outcomes)
        findings = [_shown(one) for result in results for one in result.findings]
        allowed = [_shown(one) for result in results for one in result.allowed]
        write = FORMATS[self.format]
        text = write(
            Report(
                version=__version__,
                findings=findings,
                allowed=allowed,
                lines=[_summary(result) for result in results],
            )
        )
        if text:
            output.say(*text.split("\n"))
        for fix in (one for result in results for one in (*result.fixed, *result.unfixed)):
            place = f"{relative(fix.path)}:{fix.line}"
            output.note(
                f"fixed {fix.rule} at {place}, and the file is proven to do the same"
                if fix.proven
                else f"did not fix {fix.rule} at {place}: {fix.why}"
            )


def _shown(finding: LintFinding) -> tuple[str, LintFinding]:
    return relative(finding.path), finding


def _summary(result: LintResult) -> str:
    counts = [
        pluralize(sum(one.severity == level for one in result.findings), level)
        for level in reversed(SEVERITIES)
        if any(one.severity == level for one in result.findings)
    ]
    found = ", ".join(counts) or "no findings"
    allowed = f", {len(result.allowed)} allowed" if result.allowed else ""
    files = pluralize(len(result.checked), "file")
    return f"{result.database}: {files}, tried on {result.server}: {found}{allowed}"
