"""Resolve two files with the same number: move one of them to the next free number."""

import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import anyio.to_thread

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import (
    ConnectError,
    MigrationFileError,
    PoolerDetected,
    UsageError,
)
from dbwarden.files.folder import migration_paths
from dbwarden.files.naming import FileName, parse_name, versioned_name
from dbwarden.operations.migrations_folder import lock_folder
from dbwarden.operations.operation import dialect_of, operation
from dbwarden.operations.verify import VerifyResult, verify
from dbwarden.types import DatabaseName, Version, format_version


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMove:
    """One file and its new name."""

    old: Path
    new: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class RenumberResult:
    """The files that moved, and the proof of the new order (``None`` if nothing moved)."""

    database: DatabaseName
    moves: tuple[FileMove, ...]
    verified: VerifyResult | None = None

    @property
    def clean(self) -> bool:
        """True if the new order is proven."""
        return self.verified is None or self.verified.clean


@operation("renumber")
async def renumber(config: DatabaseConfig, *, move: Sequence[str] = ()) -> RenumberResult:
    """Give migrations with the same number unique numbers, and prove the new order.

    The file that the live database has applied stays. If it has applied neither, *move* decides.

    Args:
        config: The database, its name, or ``None`` for the default one.
        move: Names of files to move, as in ``0007_add_orders``.

    Raises:
        UsageError: It is not decided which of two files moves.
        MigrationFileError: A file name is invalid.
    """
    if not group_by_number(await anyio.to_thread.run_sync(_read_names, config)):
        return RenumberResult(database=config.database_name, moves=())
    # A running migrate must finish before, because it decides which file stays.
    async with _lock_applied(config) as applied, lock_folder(config):
        names = await anyio.to_thread.run_sync(_read_names, config)
        clashes = group_by_number(names)
        moving = [path for pair in clashes for path in _choose_moving(config, pair, applied, move)]
        moves = plan_moves(config, names, moving)
        await anyio.to_thread.run_sync(_rename, moves)
    return RenumberResult(database=config.database_name, moves=moves, verified=await verify(config))


Names = dict[Path, FileName]


def _read_names(config: DatabaseConfig) -> Names:
    paths = migration_paths(config.migrations_dir, config.files_of)
    return {path: parse_name(path, config.files_of) for path in paths}


def group_by_number(names: Names) -> list[list[Path]]:
    """Return groups of files that have the same version. Pure."""
    by_version: dict[Version, list[Path]] = {}
    for path, name in names.items():
        if name.version is not None:
            by_version.setdefault(name.version, []).append(path)
    return [paths for _, paths in sorted(by_version.items()) if len(paths) > 1]


@asynccontextmanager
async def _lock_applied(config: DatabaseConfig) -> AsyncGenerator[dict[str, str]]:
    """Hold the migration lock and yield the applied keys and descriptions.

    Yields none, without a lock, if the live database is unreachable.
    """
    # A read-only connection creates no SQLite file.
    config = replace(config, database_url=config.migration_url or config.database_url)
    async with AsyncExitStack() as stack:
        applied: dict[str, str] = {}
        with suppress(ConnectError):
            connection = await stack.enter_async_context(
                dialect_of(config).connect(config, read_only=True)
            )
            with suppress(PoolerDetected):  # a pooler has no locks, and migrate refuses to run
                await stack.enter_async_context(connection.lock())
            rows = (await connection.read()).rows or ()
            applied = {row.key: row.description for row in rows if row.live}
        yield applied


def _choose_moving(
    config: DatabaseConfig, clash: Sequence[Path], applied: dict[str, str], move: Sequence[str]
) -> list[Path]:
    """Return all files of *clash* except the one that stays."""
    named = [
        path
        for path in clash
        if any(
            path.stem == name or path.name == name or path.stem.endswith(f"__{name}")
            for name in move
        )
    ]
    stays = [path for path in clash if _is_applied(config, path, applied)]
    if len(stays) == 1 and stays[0] in named:
        others = [path for path in clash if path not in stays]
        raise UsageError(
            f"{stays[0].name} cannot move because the live database has applied it",
            database=config.database_name,
            next_step=f"Move a file that is not applied: {_command(config, others)}",
        )
    if len(named) == len(clash) - 1:
        return named
    if len(stays) == 1 and not named:
        return [path for path in clash if path not in stays]
    listed = " and ".join(path.name for path in clash)
    raise UsageError(
        f"{listed} have the same number, and the live database has applied none of them",
        database=config.database_name,
        next_step=f"Move the one that is not applied anywhere: {_command(config, clash[-1:])}",
    )


def _command(config: DatabaseConfig, moving: Sequence[Path]) -> str:
    names = [path.stem.removeprefix(f"{config.files_of}__") for path in moving]
    flags = " ".join(f"--move {name}" for name in names)
    return f"dbwarden renumber -d {config.database_name} {flags}"


def _is_applied(config: DatabaseConfig, path: Path, applied: dict[str, str]) -> bool:
    name = parse_name(path, config.files_of)
    assert name.version is not None
    return applied.get(format_version(name.version)) == name.name.replace("_", " ")


def plan_moves(
    config: DatabaseConfig, names: Names, moving: Sequence[Path]
) -> tuple[FileMove, ...]:
    """Assign the next free numbers, in the order of the old ones. Pure."""
    highest = max((name.version or 0 for name in names.values()), default=0)
    moves = []
    for number, path in enumerate(moving, start=highest + 1):
        new = versioned_name(config.files_of, Version(number), names[path].name)
        moves.append(FileMove(old=path, new=path.with_name(new).with_suffix(path.suffix)))
    return tuple(moves)


def _rename(moves: Sequence[FileMove]) -> None:
    for move in moves:
        if move.new.exists():
            raise MigrationFileError(f"{move.new.name} exists already")
        os.rename(move.old, move.new)
