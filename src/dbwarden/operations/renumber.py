"""Two branches that both made 0007: one of them moves to the next free number."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread

from dbwarden.config.model import DatabaseConfig
from dbwarden.errors import ConnectError, DBWardenError, MigrationFileError, UsageError
from dbwarden.files.naming import FileName, parse_name
from dbwarden.operations.operation import look, operation
from dbwarden.operations.verify import VerifyResult, verify
from dbwarden.types import DatabaseName, Version, format_version


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One file and its new name."""

    old: Path
    new: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class RenumberResult:
    """Which files moved, and what came of proving the new order (``None``: nothing moved)."""

    database: DatabaseName
    moves: tuple[Move, ...]
    verified: VerifyResult | None = None

    @property
    def clean(self) -> bool:
        """Whether the new order is proven."""
        return self.verified is None or self.verified.clean


@operation("renumber")
async def renumber(config: DatabaseConfig, *, move: Sequence[str] = ()) -> RenumberResult:
    """Give every file whose number is taken twice a number of its own, and prove the new order.

    The file that the live database has applied stays. Where that tells nothing, *move* does.

    Args:
        config: The database, its name, or ``None`` for the default one.
        move: Names of files that move, as in ``0007_add_orders``.

    Raises:
        UsageError: Which of two files moves is not known.
        MigrationFileError: A file has a name of another form.
    """
    names = await anyio.to_thread.run_sync(_names, config)
    clashes = clashing(names)
    if not clashes:
        return RenumberResult(database=config.database_name, moves=())
    applied = await _applied(config)
    moving = [path for pair in clashes for path in _moving(config, pair, applied, move)]
    moves = planned(config, names, moving)
    await anyio.to_thread.run_sync(_rename, moves)
    return RenumberResult(database=config.database_name, moves=moves, verified=await verify(config))


Names = dict[Path, FileName]


def _names(config: DatabaseConfig) -> Names:
    folder = config.migrations_dir
    if not folder.is_dir():
        return {}
    paths = sorted(path for path in folder.iterdir() if path.suffix == ".sql")
    return {path: parse_name(path, config.files_of) for path in paths}


def clashing(names: Names) -> list[list[Path]]:
    """Files that have the same version, in groups. Pure."""
    by_version: dict[Version, list[Path]] = {}
    for path, name in names.items():
        if name.version is not None:
            by_version.setdefault(name.version, []).append(path)
    return [paths for _, paths in sorted(by_version.items()) if len(paths) > 1]


async def _applied(config: DatabaseConfig) -> dict[str, str]:
    """What the live database has applied: key and description; nothing when it is out of reach."""
    try:
        reading = await look(config)
    except (ConnectError, MigrationFileError):
        return {}
    return {row.key: row.description for row in reading.rows or () if row.live}


def _moving(
    config: DatabaseConfig, clash: Sequence[Path], applied: dict[str, str], move: Sequence[str]
) -> list[Path]:
    """All of *clash* but the one that stays."""
    asked = [path for path in clash if _is_named(path, move)]
    stays = [path for path in clash if _is_applied(config, path, applied)]
    if len(stays) == 1 and stays[0] in asked:
        raise _applied_moves(config, stays[0], [path for path in clash if path not in stays])
    if len(asked) == len(clash) - 1:
        return asked
    if len(stays) == 1 and not asked:
        return [path for path in clash if path not in stays]
    listed = " and ".join(path.name for path in clash)
    raise _unknown(config, listed, clash[-1])


def _unknown(config: DatabaseConfig, listed: str, last: Path) -> DBWardenError:
    return UsageError(
        f"{listed} have the same number, and the live database has applied none of them",
        database=config.database_name,
        next_step=f"Name the one that is not applied anywhere: {_command(config, [last])}",
    )


def _applied_moves(config: DatabaseConfig, file: Path, others: Sequence[Path]) -> DBWardenError:
    return UsageError(
        f"{file.name} keeps its number: the live database has applied it",
        database=config.database_name,
        next_step=f"Move what is not applied: {_command(config, others)}",
    )


def _command(config: DatabaseConfig, moving: Sequence[Path]) -> str:
    names = [path.stem.removeprefix(f"{config.files_of}__") for path in moving]
    flags = " ".join(f"--move {name}" for name in names)
    return f"dbwarden renumber -d {config.database_name} {flags}"


def _is_named(path: Path, move: Sequence[str]) -> bool:
    return any(
        path.stem == name or path.name == name or path.stem.endswith(f"__{name}") for name in move
    )


def _is_applied(config: DatabaseConfig, path: Path, applied: dict[str, str]) -> bool:
    name = parse_name(path, config.files_of)
    assert name.version is not None
    return applied.get(format_version(name.version)) == name.name.replace("_", " ")


def planned(config: DatabaseConfig, names: Names, moving: Sequence[Path]) -> tuple[Move, ...]:
    """The new names: the next free numbers, in the order of the old ones. Pure."""
    highest = max((name.version or 0 for name in names.values()), default=0)
    moves = []
    for number, path in enumerate(moving, start=highest + 1):
        new = f"{config.files_of}__{format_version(Version(number))}_{names[path].name}.sql"
        moves.append(Move(old=path, new=path.with_name(new)))
    return tuple(moves)


def _rename(moves: Sequence[Move]) -> None:
    for move in moves:
        if move.new.exists():
            raise MigrationFileError(f"{move.new.name} exists already")
        os.rename(move.old, move.new)
