"""Choose the migrations of one phase of a deployment. Pure.

``pre`` runs before the new version of the application serves, ``post`` after the old one is gone.
A migration without a phase counts as ``pre``.
"""

from collections.abc import Iterator, Sequence

from dbwarden.errors import PhaseOrder
from dbwarden.files.migration import Migration, Phase
from dbwarden.planning.comparing import HistoryComparison
from dbwarden.planning.history_errors import command_line


def is_post(migration: Migration) -> bool:
    """Return whether *migration* runs after the deployment."""
    return migration.phase == "post"


def choose_phase(
    history: HistoryComparison, chosen: Sequence[Migration], phase: Phase | None
) -> tuple[Migration, ...]:
    """Return the *chosen* pending migrations that run in *phase*; all of them without a phase.

    A ``pre`` overtakes an earlier ``post``, which a deployment that skips a release needs, unless
    it depends on it. A ``post`` never overtakes an earlier ``pre``.

    Raises:
        PhaseOrder: A migration of this phase has to wait for one of the other phase.
    """
    match phase:
        case None:
            return tuple(chosen)
        case "pre":
            return _before(history, chosen)
        case "post":
            return _after(history, chosen)


def _before(history: HistoryComparison, chosen: Sequence[Migration]) -> tuple[Migration, ...]:
    later = {item.version: item for item in history.pending if is_post(item)}
    kept: list[Migration] = []
    for item in chosen:
        if is_post(item):
            continue
        if item.version is None:
            if item.phase == "pre" or not later:
                kept.append(item)
            continue
        needed = next((later[need] for need in item.depends_on if need in later), None)
        if needed is not None:
            raise PhaseOrder(
                f"{item.key} runs before the deployment, but depends on {needed.key}, which runs "
                "after the deployment of an earlier release and has not run yet",
                location=item.at(),
                next_step="Deploy that release first, then run: "
                + command_line(history, "migrate", "--phase", "post"),
            )
        kept.append(item)
    return tuple(kept)


def _after(history: HistoryComparison, chosen: Sequence[Migration]) -> tuple[Migration, ...]:
    kept = [item for item in chosen if is_post(item) or item.version is None]
    waiting = [item for item in history.pending if item.version is not None and not is_post(item)]
    for item in kept:
        if item.version is None:
            continue
        for other in waiting:
            if other.version is not None and other.version < item.version:
                raise PhaseOrder(
                    f"{item.key} runs after the deployment, but {other.key}, which runs before it, "
                    "has not run yet",
                    location=item.at(),
                    next_step="Run first: " + command_line(history, "migrate", "--phase", "pre"),
                )
    posts = [item for item in history.pending if is_post(item) and item.version is not None]
    ends = not waiting and len([item for item in kept if item.version]) == len(posts)
    return tuple(item for item in kept if item.version is not None or ends)


def deployment_order(files: Sequence[Migration]) -> tuple[Migration, ...]:
    """Return *files* in the order of a deployment that skips releases: each ``post`` is last.

    A ``pre`` that depends on a ``post`` stays after it.
    """
    return tuple(_ordered([item for item in files if item.version is not None]))


def _ordered(files: Sequence[Migration]) -> Iterator[Migration]:
    held: list[Migration] = []
    for item in files:
        if is_post(item):
            held.append(item)
            continue
        place = max(
            (n for n, post in enumerate(held, start=1) if post.version in item.depends_on),
            default=0,
        )
        yield from held[:place]
        del held[:place]
        yield item
    yield from held


def online_sets(files: Sequence[Migration]) -> tuple[tuple[Migration, ...], ...]:
    """Return the files that change tables in use together, with a backfill among them.

    They follow each other: some of phase ``pre``, of which the last ones wait for the backfills,
    and those of phase ``post``.
    """
    found: list[list[Migration]] = [[]]
    for item in files:
        last = found[-1][-1] if found[-1] else None
        begins = (
            item.phase == "pre"
            and last is not None
            and bool(is_post(last) or (last.requires_backfill and not item.requires_backfill))
        )
        if item.version is None or item.phase is None or begins:
            found.append([])
        if item.version is not None and item.phase is not None:
            found[-1].append(item)
    return tuple(tuple(items) for items in found if any(item.backfill for item in items))
