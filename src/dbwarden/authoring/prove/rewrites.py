"""Find and refuse changes that read or write a whole table while others wait."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dbwarden.authoring.compare.user_choices import Answers
from dbwarden.authoring.generate.plan import PlanRequest
from dbwarden.authoring.scratch_session import ScratchSession, Source
from dbwarden.dialects.authoring import as_migration
from dbwarden.diff.changes import Alter, Change, Create
from dbwarden.errors import ScratchRefused, UnsupportedChange
from dbwarden.files.migration import Migration
from dbwarden.linting.changes import Added, IndexRewritten
from dbwarden.linting.facts import FileFacts, StatementFacts
from dbwarden.linting.rule import RawFinding
from dbwarden.linting.rules import RULES
from dbwarden.linting.tables import IndexFacts
from dbwarden.schema import Column

REFUSED = (
    *("rewrite", "scan-under-lock", "blocking-index", "constraint-not-valid", "not-null-scan"),
    *("volatile-default", "backfill-in-transaction"),
)
"""The rules of ``lint`` whose errors ``--online`` refuses to write."""

EXPECTED = {
    "rename": "each name that the running application uses still exists afterwards",
    "type-change": "the second column was filled before",
    "drop-column": "no release uses it in phase post",
    "drop-table": "no release uses it in phase post",
    "undeclared-loss": "the rollback fills the second column again",
    "blocking-index": "the indexes of the first column are dropped while the names are exchanged",
    "lock-then-wait": "columns that refer to each other change together",
}
"""The rules of ``lint`` that files of a set may break, and why."""

SHOWN = 100


async def find_rewritten(session: ScratchSession, task: PlanRequest) -> frozenset[str]:
    """Return the columns whose plain change rewrites or scans their table, measured in scratch."""
    changes, between = task.changes, task.comparison
    default = between.desired.default_namespace
    if not any(_label(change, default) for change in changes):
        return frozenset()
    statements = session.authoring_dialect.render(
        changes,
        current=between.current,
        desired=between.desired,
        options=replace(task.options, online=False, renames_in_use=()),
    )
    text = ";\n".join(item.text for item in statements)
    plain = as_migration(Path("plain.sql"), text, session.config.database_name)
    try:
        async with session.borrow_copy(between.source) as database:
            observed = await database.observe(plain, plain.upgrade)
    except ScratchRefused:
        return frozenset()  # the proof reports it
    heavy = {facts.text for facts in observed.statements if _is_heavy(facts)}
    found = (_label(item.change, default) for item in statements if item.text in heavy)
    return frozenset(name for name in found if name is not None)


def _is_heavy(facts: StatementFacts) -> bool:
    """Return whether a statement reads or writes all rows of a table that existed before."""
    builds = any(
        isinstance(it, IndexRewritten)
        or (isinstance(it, Added) and isinstance(it.part, IndexFacts))
        for it in facts.changes
    )
    return builds or any(use.rewritten or use.scanned for use in facts.uses)


def _label(change: Change, default_namespace: str | None) -> str | None:
    """Return the column that *change* adds, or whose type it changes."""
    match change:
        case Create(obj=Column(name=name)):
            return change.table.label(default_namespace, name)
        case Alter(before=Column() as before, after=Column() as after):
            moved = (before.type, before.collation) != (after.type, after.collation)
            return change.table.label(default_namespace, after.name) if moved else None
        case _:
            return None


async def refuse_rewrites(
    session: ScratchSession,
    source: Source,
    migrations: Sequence[Migration],
    answers: Answers,
) -> list[tuple[str, ...]]:
    """Raise if a file reads or writes a whole table under a strong lock, without permission.

    Returns:
        The rules of ``lint`` that fire for each file, with a reason in ``EXPECTED``.

    Raises:
        UnsupportedChange: Names the table, the statement and the flag.
    """
    tables = {name.rpartition(".")[0] or name for name in answers.allow_rewrite}
    # A column that fails on any row is for tables without rows.
    excused = {"not-null-scan"} if answers.allow_failing_on_rows else set()
    rules = [RULES[name] for name in REFUSED if name not in excused]
    expected: list[tuple[str, ...]] = []
    async with session.borrow_copy(source) as database:
        for migration in migrations:
            if migration.backfill is not None:
                await database.replay(migration, migration.upgrade)
                expected.append(())
                continue
            observed = await database.observe(migration, migration.upgrade)
            facts = FileFacts(migration=migration, observed=observed)
            for rule in rules:
                for draft in rule.find(facts):
                    severity = draft.severity or rule.severity
                    if severity == "error" and draft.table not in tables:
                        raise _refusal(draft)
            expected.append(tuple(name for name in EXPECTED if any(RULES[name].find(facts))))
    return expected


def _refusal(draft: RawFinding) -> UnsupportedChange:
    text = " ".join(draft.statement.text.split()) if draft.statement is not None else ""
    shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
    return UnsupportedChange(
        f"--online has no form of a change of {draft.table} that does not block. Its statement "
        f"{draft.message}: {shown}",
        next_step=f"Write it anyway with --allow-rewrite {draft.table}, or leave this change "
        "to a migration of its own.",
    )
