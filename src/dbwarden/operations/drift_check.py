"""Compare a database with what its own history says, before migrations run."""

from collections.abc import Sequence

from dbwarden import telemetry
from dbwarden.authoring.collect.current import files_source
from dbwarden.authoring.labels import shorten
from dbwarden.authoring.scratch_session import ScratchSession, open_scratch_session
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.diff import diff
from dbwarden.errors import DriftFound
from dbwarden.files.migration import Migration
from dbwarden.operations.diff import Difference, compare_live, differences_of
from dbwarden.planning.comparing import HistoryComparison
from dbwarden.schema import Ref

SHOWN = 5


async def find_drift(config: DatabaseConfig, history: HistoryComparison) -> tuple[Difference, ...]:
    """Return the differences between a live database and the files that are applied to it.

    A migration that stopped between two steps, and what a repeatable file makes whose text has
    changed since, are not compared.
    """
    if history.partial:
        return ()
    telemetry.doing("comparing the database with its files")
    applied = [item.migration for item in history.applied]
    async with open_scratch_session(config) as session:
        comparison = await compare_live(session, applied)
        skipped = await _made_by(session, applied, [it.migration for it in history.superseded])
        return differences_of(comparison, skipped)


async def _made_by(
    session: ScratchSession, applied: Sequence[Migration], superseded: Sequence[Migration]
) -> frozenset[Ref]:
    """Return the objects that the *superseded* repeatable files make."""
    if not superseded:
        return frozenset()
    before = await session.schema(files_source(applied))
    after = await session.schema(files_source([*applied, *superseded]))
    return frozenset(change.ref for change in diff(before, after))


async def refuse_drift(config: DatabaseConfig, history: HistoryComparison) -> None:
    """Raise if the database is not as its files say.

    Raises:
        DriftFound: Names the differences.
    """
    if found := await find_drift(config, history):
        names = [item.what for item in found]
        raise DriftFound(
            f"the database is not as its files say, so that nothing ran: {shorten(names, SHOWN)} "
            f"{'differs' if len(names) == 1 else 'differ'}",
            database=config.database_name,
            next_step=f"See the difference: dbwarden diff -d {config.database_name}. Undo it, or "
            f"adopt it: dbwarden diff --adopt -d {config.database_name} -m 'hot fix'. To migrate "
            "anyway, leave out --check-drift.",
        )
