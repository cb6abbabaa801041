"""Try the effect of an existing migration on a few generated rows."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from dbwarden.authoring.scratch_session import ScratchSession
from dbwarden.dialects.authoring import AuthoringDialect, ScratchDatabase
from dbwarden.diff.changes import Alter
from dbwarden.errors import ScratchRefused, UnsupportedChange
from dbwarden.files.migration import Migration
from dbwarden.schema import (
    Column,
    CompositeType,
    Domain,
    Enum,
    QualifiedName,
    Routine,
    Schema,
    Table,
    View,
)
from dbwarden.schema.closure import reachable

_WORD = re.compile(r"\w+")
_INTO = re.compile(r"\s*insert\s+(?:or\s+\w+\s+)?into\s+([^\s(]+)", re.IGNORECASE)
_ADDS_NOT_NULL = re.compile(r"\badd\b(?!\s+(?:constraint|primary)\b).*\bnot\s+null\b", re.I | re.S)
_SETS_NOT_NULL = re.compile(r"\bset\s+not\s+null\b", re.IGNORECASE)
_UNIQUE = re.compile(r"\b(?:unique|primary\s+key)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowTrial:
    """The effects on rows: columns that a rollback did not restore, and the error of a direction.

    ``collides`` is the error for duplicate rows where distinct rows are accepted. ``untried`` are
    columns and tables for which no values could be generated. ``refuses`` pairs columns with the
    values that the upgrade refuses.
    """

    loses: tuple[str, ...] = ()
    fails: ScratchRefused | None = None
    back_fails: ScratchRefused | None = None
    collides: ScratchRefused | None = None
    untried: tuple[str, ...] = ()
    refuses: tuple[tuple[str, str], ...] = ()


NOTHING = RowTrial()


async def try_rows(
    session: ScratchSession,
    database: ScratchDatabase,
    before: Schema,
    migration: Migration,
    *,
    back: bool,
) -> RowTrial:
    """Run *migration* with a few rows in the tables it affects; leave *database* unchanged.

    Args:
        session: Makes copies.
        database: A database in the state before the migration.
        before: The schema of *database*.
        migration: A file that was already tried in empty tables.
        back: Whether to run its rollback too.
    """
    touched = with_touched_tables(before, migration)

    async def attempt(*, back: bool, duplicate: bool) -> RowTrial:
        schema = touched
        sections = [migration.upgrade]
        if back and migration.rollback is not None:
            sections.append(migration.rollback)
        while schema.tables:
            prints = await database.rehearse(schema, migration, sections, duplicate=duplicate)
            if prints is not None:
                empty = untried(schema, prints[0], migration)
                return RowTrial(loses=_lost(*prints) if len(sections) > 1 else (), untried=empty)
            # It cannot be rehearsed in a transaction, or something failed: try it in a copy.
            server = await session.scratch_server()
            copy = await server.create(copy_of=database)
            (trial,) = await try_filled(
                copy, schema, [migration], back=len(sections) > 1, duplicate=duplicate
            )
            await server.discard(copy)
            less = without_collision(schema, trial)
            if less is None:
                return trial
            schema = less
        return NOTHING

    trial = await attempt(back=back, duplicate=False)
    if trial.fails is None and touched.tables and _UNIQUE.search(migration.upgrade.text):
        again = await attempt(back=False, duplicate=True)
        if again.fails is not None and again.fails.cause == "duplicate row":
            return replace(trial, collides=again.fails)
    return trial


async def try_filled(
    database: ScratchDatabase,
    schema: Schema,
    migrations: Sequence[Migration],
    *,
    back: bool = True,
    duplicate: bool = False,
) -> tuple[RowTrial, ...]:
    """Run *migrations* in *database* with a few rows in the tables of *schema*.

    Args:
        database: A copy in the state before the migrations, which this changes.
        schema: The tables to fill.
        migrations: Files that were already tried in empty tables.
        back: Whether to run their rollbacks too, as far as they have some.
        duplicate: Whether to add rows that equal others where they may.

    Returns:
        The effect of each file on the rows that were there before the first one.
    """
    filled = await database.add_rows(schema, duplicate=duplicate)
    prints: list[Mapping[str, str]] = []
    tried: list[RowTrial] = []
    for migration in migrations:
        prints.append(await _fingerprint(database, schema))
        tried.append(RowTrial(untried=untried(schema, prints[0], migration)))
        try:
            if filled:
                await database.replay(migration, migration.upgrade)
        except ScratchRefused as error:
            tried[-1] = replace(tried[-1], fails=error)
            return (*tried, *(NOTHING for _ in migrations[len(tried) :]))
    known: set[str] = set()
    for place, migration in reversed([*enumerate(migrations)] if filled and back else []):
        if not migration.is_reversible:
            break
        try:
            if migration.rollback is not None:
                await database.replay(migration, migration.rollback)
        except ScratchRefused as error:
            tried[place] = replace(tried[place], back_fails=error)
            break
        lost = _lost(prints[place], await _fingerprint(database, schema))
        tried[place] = replace(tried[place], loses=tuple(it for it in lost if it not in known))
        known.update(lost)
    return tuple(tried)


async def _fingerprint(database: ScratchDatabase, schema: Schema) -> Mapping[str, str]:
    """Return a digest of each column; empty while some columns do not exist, or are renamed."""
    try:
        return await database.fingerprint(schema)
    except ScratchRefused:
        return {}


def _lost(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(name for name in before if name in after and before[name] != after[name])


# -- selection, without I/O ----------------------------------------------------------------------


def with_touched_tables(schema: Schema, migration: Migration) -> Schema:
    """Return *schema* with only the tables that *migration* may affect, and their parents. Pure.

    A table is affected if the text mentions its name, a type of its columns, or a function or view
    that mentions the table.
    """
    if not schema.tables:
        return schema
    words = _words_of(migration)
    code = [(view.name, view.definition) for view in schema.of(View)]
    code += [(routine.name, routine.definition) for routine in schema.of(Routine)]
    words = words.union(*(_words(text) for name, text in code if _words(name.name) <= words))
    types = [it.name for it in (*schema.of(Enum), *schema.of(Domain), *schema.of(CompositeType))]
    parts = {part for name in types if (part := name.name.casefold()) in words}
    names = {
        table.name
        for table in schema.tables
        if _words(table.name.name) <= words
        or any(not parts.isdisjoint(_words(column.type)) for column in table.columns if parts)
    }
    return replace(schema, tables=_with_parents(schema, names))


def _words_of(migration: Migration) -> set[str]:
    back = migration.rollback.text if migration.rollback is not None else ""
    table = migration.backfill.table if migration.backfill is not None else ""
    return _words(f"{migration.upgrade.text}\n{back}\n{table}")


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))


def _with_parents(schema: Schema, names: set[QualifiedName]) -> tuple[Table, ...]:
    """Return the tables of *names*, their partitions and children, and all referenced tables."""
    children: defaultdict[QualifiedName, set[QualifiedName]] = defaultdict(set)
    referenced: dict[QualifiedName, set[QualifiedName]] = {}
    for table in schema.tables:
        referenced[table.name] = {key.references for key in table.foreign_keys}
        for parent in table.parents:
            children[parent].add(table.name)
    heirs = reachable(names, lambda name: children.get(name, ()))
    needed = reachable(heirs, lambda name: referenced.get(name, ()))
    return tuple(table for table in schema.tables if table.name in needed)


def without_collision(schema: Schema, trial: RowTrial) -> Schema | None:
    """Return *schema* without the table in which a migration's row collided with a generated one.

    Such a collision is no fault of the migration. Return ``None`` for any other error.
    """
    error = trial.fails or trial.back_fails
    if error is None or error.cause != "duplicate row":
        return None
    into = _INTO.match(error.statement or "")
    target = _words(into[1].rpartition(".")[2]) if into else set()
    removed = {table.name for table in schema.tables if _words(table.name.name) == target}
    return replace(schema, tables=_without(schema.tables, removed)) if removed else None


def _without(tables: Sequence[Table], removed: AbstractSet[QualifiedName]) -> tuple[Table, ...]:
    """Return *tables* without those in *removed* and the tables that reference them."""
    users: defaultdict[QualifiedName, set[QualifiedName]] = defaultdict(set)
    for table in tables:
        for key in table.foreign_keys:
            users[key.references].add(table.name)
    gone = reachable(removed, lambda name: users.get(name, ()))
    return tuple(table for table in tables if table.name not in gone)


def fails_on_any_row(error: ScratchRefused) -> bool:
    """Return whether any single row, regardless of its values, causes this error."""
    statement = error.statement or ""
    adds = _ADDS_NOT_NULL.search(statement) and not _SETS_NOT_NULL.search(statement)
    return bool(adds) and error.cause == "missing value"


EMPTY = "0:"
"""Prefix of the fingerprint of a column without values."""


def untried(
    schema: Schema, fingerprint: Mapping[str, str], migration: Migration
) -> tuple[str, ...]:
    """Return the columns without values, and tables without rows, that *migration* mentions.

    Args:
        schema: The tables that should have rows.
        fingerprint: The fingerprint of their columns.
        migration: The migration to search.
    """
    words = _words_of(migration)
    names: list[str] = []
    for table in schema.tables:
        if not _words(table.name.name) <= words:
            continue
        whole = table.name.label(schema.default_namespace)
        empty = [
            column
            for column in table.columns
            if fingerprint.get(f"{whole}.{column.name}", "").startswith(EMPTY)
        ]
        if len(empty) == len(table.columns):
            names += [whole] if empty else []
        else:
            named = (column.name for column in empty if column.generated is None)
            names += [f"{whole}.{name}" for name in named if _words(name) <= words]
    return tuple(names)


def by_table(schema: Schema, names: Collection[str]) -> tuple[str, ...]:
    """Return *names*, with a table's name instead of those of all its columns."""
    shortened: list[str] = []
    known: set[str] = set()
    for table in schema.tables:
        whole = table.name.label(schema.default_namespace)
        columns = [f"{whole}.{column.name}" for column in table.columns]
        known.update(columns)
        columns = [name for name in columns if name in names]
        shortened += [whole] if len(columns) == len(table.columns) > 1 else columns
    return (*(name for name in names if name not in known), *shortened)


def type_change_effects(
    authoring_dialect: AuthoringDialect, before: Schema, after: Schema, migration: Migration
) -> RowTrial:
    """Return the effect of narrower column types on existing values.

    A value that does not fit is refused. If the file converts it, the value counts as lost.
    """
    loses: list[str] = []
    refuses: list[tuple[str, str]] = []
    for table, column, retyped in _retyped(with_touched_tables(before, migration), after):
        change = Alter(before=column, after=retyped, on=table)
        try:
            planned = authoring_dialect.render((change,), current=before, desired=after)
        except UnsupportedChange:
            continue  # needs USING: its effect is measured on rows
        name = table.label(before.default_namespace, column.name)
        refusals = [text for statement in planned for text in statement.refuses]
        if any(item.converts for item in planned) or (refusals and _converts(column, migration)):
            loses.append(name)
        else:
            refuses += [(name, text) for text in refusals]
    return RowTrial(loses=tuple(loses), refuses=tuple(refuses))


def _converts(column: Column, migration: Migration) -> bool:
    """Return whether the upgrade converts the values with USING."""
    way = rf'\bcolumn\s+"?{re.escape(column.name)}"?\s[^;]*?\btype\b[^;]*?\busing\b'
    return re.search(way, migration.upgrade.text, re.IGNORECASE) is not None


def _retyped(before: Schema, after: Schema) -> Iterable[tuple[QualifiedName, Column, Column]]:
    """Yield the columns that change their type: the table, the column before and afterwards."""
    for old in before.tables:
        new = after.table(old.name)
        if new is None:
            continue
        for column in old.columns:
            now = new.column(column.name)
            if now is not None and now.type != column.type:
                # only the type: other effects are measured on rows
                yield old.name, column, replace(column, type=now.type)
