"""Judge migration files by what their statements do on a real server."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import anyio.to_thread

from dbwarden import telemetry
from dbwarden.authoring.collect.current import files_source
from dbwarden.authoring.prove.row_trials import type_change_effects
from dbwarden.authoring.scratch_session import ScratchSession, open_scratch_session
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import DBWardenError, UsageError
from dbwarden.files.disk import read_regular
from dbwarden.files.folder import read_names
from dbwarden.files.migration import Migration
from dbwarden.kinds import authoring_dialect_for
from dbwarden.linting.changes import Retyped
from dbwarden.linting.facts import FileFacts
from dbwarden.linting.findings import LintFinding, LintSeverity
from dbwarden.linting.running_rules import Choice, check_allowances, choose, judge
from dbwarden.linting.sizes import LiveStats, parse_stats
from dbwarden.operations.changed_files import changed_since as files_changed_since
from dbwarden.operations.lint_fixes import Fix, fix_files
from dbwarden.operations.operation import forget_files, migration_files, operation, read_status
from dbwarden.planning.comparing import compare
from dbwarden.types import DatabaseName, Location, Version, format_version


@dataclass(frozen=True, slots=True, kw_only=True)
class LintResult:
    """The findings in the files of one database; ``clean`` without any.

    ``checked`` are the judged files. ``allowed`` are findings that a file allows with a reason.
    ``fixed`` are the edits that were written, ``unfixed`` those that could not be proven. Findings
    are those of the edited files.
    """

    database: DatabaseName
    server: str
    checked: tuple[Path, ...]
    findings: tuple[LintFinding, ...]
    allowed: tuple[LintFinding, ...] = ()
    fixed: tuple[Fix, ...] = ()
    unfixed: tuple[Fix, ...] = ()

    @property
    def clean(self) -> bool:
        """True if there are no findings."""
        return not self.findings


@operation("lint")
async def lint(
    config: DatabaseConfig,
    *,
    files: Sequence[str | Path] = (),
    pending: bool = False,
    changed_since: str | None = None,
    live: bool = False,
    stats: str | Path | None = None,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    severity: LintSeverity | None = None,
    fix: bool = False,
) -> LintResult:
    """Run migration files in scratch databases, and judge what their statements do.

    Args:
        config: The database, its name, or ``None`` for the default one.
        files: The files to judge; all by default. Earlier files run too, but are not judged.
        pending: Judge only the files that the live database has not applied.
        changed_since: Judge only the files that differ from this branch, tag or commit of git.
        live: Read the sizes of the live database, which scale the severity.
        stats: Read them from a file of ``dbwarden lint --save-stats`` instead.
        select: Judge by these rules only, and report every severity.
        ignore: Do not judge by these rules.
        severity: Report this severity and higher ones; ``"warning"`` by default.
        fix: Edit the files, as far as the edited ones are proven to do the same.

    Raises:
        UsageError: An unknown rule, file or commit; *fix* of all files, applied ones included; or
            there is no place for a scratch database.
        MigrationFileError: A file cannot be read, or allows an unknown rule.
        ScratchRefused: The server refused a statement.
    """
    choice = choose(select, ignore, severity)
    if fix and not (files or pending or changed_since is not None):
        raise UsageError(
            "files that a database has applied must not change, so not all files can be fixed",
            database=config.database_name,
            next_step="Name the files to fix, or add --pending or --changed-since REF.",
        )
    migrations = await migration_files(config)
    check_allowances(migrations)
    chosen = await _chosen(config, migrations, files, pending=pending, changed_since=changed_since)
    sizes = await _sizes(config, live=live, stats=stats)
    async with open_scratch_session(config) as session:
        linter = Linter(session, chosen, choice, sizes)
        facts = await linter.observe(migrations)
        facts, fixes = await linter.fix(migrations, facts) if fix else (facts, ())
        server = await session.server_version()
    findings = [finding for file in facts for finding in judge(file, choice)]
    return LintResult(
        database=config.database_name,
        server=server,
        checked=tuple(file.migration.path for file in facts),
        findings=tuple(finding for finding in findings if finding.reason is None),
        allowed=tuple(finding for finding in findings if finding.reason is not None),
        fixed=tuple(one for one in fixes if one.proven),
        unfixed=tuple(one for one in fixes if not one.proven),
    )


# -- which files ---------------------------------------------------------------------------------


async def _chosen(
    config: DatabaseConfig,
    migrations: Sequence[Migration],
    files: Sequence[str | Path],
    *,
    pending: bool,
    changed_since: str | None,
) -> frozenset[Path]:
    chosen = frozenset(migration.path for migration in migrations)
    if files:
        chosen &= await anyio.to_thread.run_sync(_named, config, migrations, files)
    if pending:
        history = compare(migrations, (await read_status(config)).rows)
        chosen &= {migration.path for migration in history.pending}
    if changed_since is not None:
        chosen &= await files_changed_since(config, changed_since)
    return chosen


def _named(
    config: DatabaseConfig, migrations: Sequence[Migration], files: Sequence[str | Path]
) -> frozenset[Path]:
    paths = {migration.path.resolve(): migration.path for migration in migrations}
    for file in files:
        if Path(file).resolve() not in paths:
            raise UsageError(
                f"{file} is not one of its migration files, which are in {config.migrations_dir}",
                database=config.database_name,
                next_step="Name files of that folder, or the database of the file with -d.",
            )
    return frozenset(paths[Path(file).resolve()] for file in files)


# -- sizes ---------------------------------------------------------------------------------------


async def live_sizes(config: DatabaseConfig) -> LiveStats:
    """Read the sizes of the tables of the configured database."""
    telemetry.doing("reading the sizes of the live database")
    return await authoring_dialect_for(config.database_type).read_sizes(config)


async def _sizes(
    config: DatabaseConfig, *, live: bool, stats: str | Path | None
) -> LiveStats | None:
    if stats is not None:
        if live:
            raise UsageError("--live and --stats exclude each other", next_step="Give one of them.")
        return await anyio.to_thread.run_sync(_read_stats, config, Path(stats))
    return await live_sizes(config) if live else None


def _read_stats(config: DatabaseConfig, path: Path) -> LiveStats:
    try:
        known = parse_stats(read_regular(path).decode("utf-8"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(
            f"the file of sizes cannot be read: {why}",
            database=config.database_name,
            location=Location(path=path),
            next_step="Write it with: dbwarden lint --save-stats FILE.",
        ) from error
    for name in (config.database_name, config.files_of):
        if name in known:
            return known[name]
    raise UsageError(
        f"the file of sizes has no {config.database_name}, only {', '.join(known) or 'nothing'}",
        database=config.database_name,
        location=Location(path=path),
        next_step=f"Write it with: dbwarden lint --save-stats {path} -d {config.database_name}.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsResult:
    """The sizes of one live database."""

    database: DatabaseName
    stats: LiveStats


@operation("save_stats")
async def read_stats(config: DatabaseConfig) -> StatsResult:
    """Read the sizes and the traffic of the tables of a live database, and no rows."""
    return StatsResult(database=config.database_name, stats=await live_sizes(config))


# -- facts ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Linter:
    """Runs migration files in scratch databases to find the facts of the *chosen* ones."""

    session: ScratchSession
    chosen: Collection[Path]
    choice: Choice
    sizes: LiveStats | None = None

    async def observe(self, migrations: Sequence[Migration]) -> list[FileFacts]:
        """Run the files up to the last chosen one, and return the facts of the chosen ones."""
        places = [place for place, item in enumerate(migrations) if item.path in self.chosen]
        if not places:
            return []
        config = self.session.config
        versions = await _required_versions(config, [migrations[place] for place in places])
        server = await self.session.scratch_server()
        database = await server.create()
        found = []
        for place, migration in enumerate(migrations[: places[-1] + 1]):
            telemetry.doing(f"running {migration.key} ({place + 1} of {places[-1] + 1})")
            if migration.path not in self.chosen:
                await database.replay(migration, migration.upgrade)
                continue
            file = FileFacts(
                migration=migration,
                observed=await database.observe(migration, migration.upgrade),
                unmet=_unmet(migration, versions),
                naming=config.naming,
                stats=self.sizes,
            )
            retyped = (it for _, it in file.changes if isinstance(it, Retyped))
            if "undeclared-loss" in self.choice.rules and any(file.old(it.table) for it in retyped):
                before = await self.session.schema(files_source(migrations[:place]))
                dialect, after = self.session.authoring_dialect, await database.read()
                effects = type_change_effects(dialect, before, after, migration)
                file = replace(file, loses=effects.loses)
            found.append(file)
        await server.discard(database)
        return found

    async def fix(
        self, migrations: Sequence[Migration], facts: list[FileFacts]
    ) -> tuple[list[FileFacts], Sequence[Fix]]:
        """Edit the files of *facts*, and return the facts afterwards and the edits."""
        fixes = await fix_files(self.session, migrations, facts, self.choice)
        if any(one.proven for one in fixes):
            await forget_files(self.session.config)
            facts = await self.observe(await migration_files(self.session.config))
        return facts, fixes


async def _required_versions(
    config: DatabaseConfig, migrations: Sequence[Migration]
) -> Mapping[str, frozenset[Version] | None] | None:
    """Return the versions of the databases that *migrations* require; ``None`` if unknown."""
    if config.project is None:
        return None
    needed = {need.database for migration in migrations for need in migration.requires}
    return {
        other.database_name: await anyio.to_thread.run_sync(_versions, other)
        for other in (config.project.databases if needed else ())
        if other.database_name in needed
    }


def _versions(config: DatabaseConfig) -> frozenset[Version] | None:
    """Return the versions of a database's files, ``None`` if its folder cannot be read."""
    try:
        names = read_names(config.migrations_dir, config.files_of)
    except DBWardenError:  # reported by commands on that database
        return None
    return frozenset(name.version for name in names if name.version is not None)


def _unmet(
    migration: Migration, versions: Mapping[str, frozenset[Version] | None] | None
) -> tuple[str, ...]:
    """Return sentences about the requirements of a file that *versions* do not meet."""
    if versions is None:
        return ()
    found = []
    for need in migration.requires:
        name = f"{need.database}@{format_version(need.version)}"
        if need.database not in versions:
            found.append(f"it requires {name}, but no database {need.database} is configured")
        elif need.version not in (versions[need.database] or {need.version}):
            found.append(f"it requires {name}, but {need.database} has no such migration")
    return tuple(found)
