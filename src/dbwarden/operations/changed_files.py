"""Ask git which files of a folder have changed."""

import subprocess
from pathlib import Path

import anyio

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import UsageError


async def changed_since(config: DatabaseConfig, reference: str) -> frozenset[Path]:
    """Return the migration files that git's *reference* does not have, or has otherwise.

    A branch counts from the commit where it and the present one parted. Files that are not
    committed yet are included.

    Raises:
        UsageError: git is missing, the folder is in no repository, or *reference* names no commit.
    """
    folder = config.migrations_dir
    if not await anyio.Path(folder).is_dir():
        return frozenset()
    commit = f"{reference}^{{commit}}"
    start = (await _git(config, "rev-parse", "--verify", "--quiet", "--end-of-options", commit))[0]
    base = await _git(config, "merge-base", start, "HEAD", allow=1)
    listed = [
        *await _git(
            config,
            *("diff", "--name-only", "--relative", "-z", "--diff-filter=d"),
            *(base[0] if base else start, "--", "."),
        ),
        *await _git(config, "ls-files", "--others", "--exclude-standard", "-z", "--", "."),
    ]
    return frozenset(folder / name for name in listed)


async def _git(config: DatabaseConfig, *arguments: str, allow: int = 0) -> list[str]:
    """Return the lines that git prints; none if it exits with *allow*."""
    folder = config.migrations_dir
    try:
        done = await anyio.run_process(
            ["git", "-C", str(folder), *arguments], check=False, stdin=subprocess.DEVNULL
        )
    except OSError as error:
        raise UsageError(
            f"--changed-since needs git, which cannot be started: {error.strerror}",
            database=config.database_name,
            next_step="Install git, or name the files.",
        ) from error
    if done.returncode and done.returncode == allow:
        return []
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        why = lines[0] if lines else "it names no commit"
        raise UsageError(
            f"git cannot tell what has changed in {folder}: {why}",
            database=config.database_name,
            next_step="Name a branch, tag or commit that this clone has, as in "
            "--changed-since origin/main (a shallow clone may have to fetch it).",
        )
    text = done.stdout.decode(errors="surrogateescape")
    return [part for part in text.replace("\0", "\n").split("\n") if part]
