"""Find the rows that writes lead to when no migration runs meanwhile.

The old release writes before the set of files, and the new one after it. Writes in between must
lead to the same rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from dbwarden.authoring.prove.row_writes import (
    Kind,
    Release,
    Shape,
    Slot,
    Written,
    anchors,
    keys_after,
    statement,
)
from dbwarden.dialects.scratch_clients import RowKey, RowTexts, ScratchClient, WriteRefused, go_on
from dbwarden.files.migration import Migration
from dbwarden.schema import Schema

RowsByKey = Mapping[RowKey, RowTexts]


@dataclass(slots=True, kw_only=True)
class ExpectedRows:
    """The rows of one table after the writes of a quiet run.

    ``contents`` are the values of each row by its number, as a release writes them. ``usable`` are
    the writes that the server accepts. ``there`` are the rows after the set, and ``back`` those
    after its rollback, by the release that wrote. ``plain`` are the rows after the set without
    writes. ``alike`` is true if the new table stores the values of the old release as the set
    converts them.
    """

    table: Written
    contents: dict[Release, dict[int, RowTexts]] = field(default_factory=dict)
    usable: dict[Release, frozenset[Slot]] = field(
        default_factory=lambda: dict.fromkeys(Release, frozenset())
    )
    there: dict[Release, RowsByKey] = field(default_factory=dict)
    back: dict[Release, RowsByKey] = field(default_factory=dict)
    plain: RowsByKey = field(default_factory=dict)
    alike: bool = True

    def statement(self, client: ScratchClient, release: Release, slot: Slot) -> str | None:
        """Return the SQL of a write of *release*."""
        return statement(client, self.table.shape(release), slot, self.contents[release])


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationSet:
    """The files of a set, and the schemas before and after it."""

    before: Schema
    after: Schema
    migrations: tuple[Migration, ...]

    @property
    def reversible(self) -> bool:
        """Whether every file has a way back; that of a backfill is to leave the values."""
        return all(migration.is_reversible for migration in self.migrations)


async def add_rows(
    client: ScratchClient, before: Schema, tables: Sequence[Written]
) -> list[ExpectedRows]:
    """Insert all rows of *tables*, and return the tables that took them."""
    for table in tables:
        for other in anchors(before, table.old.table):
            await client.add_samples(before, other, table.numbers, unchecked=True)
    found = []
    for table in tables:
        rows = await client.add_samples(before, table.old.table, table.numbers)
        if rows:
            contents = dict(zip(table.numbers, rows, strict=True))
            found.append(ExpectedRows(table=table, contents={Release.OLD: contents}))
    return found


async def first_run(
    client: ScratchClient, run: MigrationSet, tables: Sequence[Written]
) -> list[ExpectedRows]:
    """Run the set on all rows, and let the new release write after it; then go back.

    Raises:
        ScratchRefused: A file failed on rows.
    """
    found = await add_rows(client, run.before, tables)
    await _up(client, run)
    found = [table for table in found if await _learn_new(client, run, table)]
    for table in found:
        table.alike = await _stores_alike(client, table)
    await remove_rows(client, found, Release.NEW)
    able = [table for table in found if await _start_new(client, table)]
    for table in able:
        await _write(client, table, Release.NEW)
        table.there[Release.NEW] = await _read(client, table.table.new)
    if run.reversible:
        await _down(client, run)
        for table in able:
            table.back[Release.NEW] = await _read(client, table.table.old)
    return found


async def second_run(
    client: ScratchClient, run: MigrationSet, found: Sequence[ExpectedRows]
) -> list[ExpectedRows]:
    """Let the old release write, and run the set after it. Return the tables that took its rows.

    Raises:
        ScratchRefused: A file failed on rows.
    """
    await add_rows(client, run.before, [item.table for item in found])
    await remove_rows(client, found, Release.OLD)
    able = [table for table in found if await start(client, table, Release.OLD) is None]
    for table in able:
        await _write(client, table, Release.OLD)
        table.back[Release.OLD] = await _read(client, table.table.old)
    await _up(client, run)
    for table in able:
        table.there[Release.OLD] = await _read(client, table.table.new)
    return able


async def start(
    client: ScratchClient, table: ExpectedRows, release: Release
) -> WriteRefused | None:
    """Insert the rows that exist before the writes, as *release*; return why that failed."""
    slots = [Slot(kind=Kind.ADD, row=number, image=number) for number in table.table.base]
    texts = [table.statement(client, release, slot) for slot in slots]
    whole = ";\n".join(text for text in texts if text)
    return (await client.write([whole]))[0]


async def remove_rows(
    client: ScratchClient, found: Sequence[ExpectedRows], release: Release
) -> None:
    """Delete the rows of the written tables as *release*, those that reference others first."""
    for item in reversed(found):
        shape, contents = item.table.shape(release), item.contents[Release.OLD]
        names = item.table.old.key
        keys = {tuple(row[name] for name in names) for row in contents.values()}
        for slot in item.table.slots:
            keys.update(keys_after(item.table.old, slot, contents))
        texts = [
            client.delete(shape.table, dict(zip(shape.key, key, strict=True)))
            for key in sorted(keys, key=str)
        ]
        await client.write(texts)


async def _start_new(client: ScratchClient, table: ExpectedRows) -> bool:
    """Insert rows with values of the new release, with those of the set where they are refused."""
    if await start(client, table, Release.NEW) is None:
        return True
    table.contents[Release.NEW] = _numbered(table, table.plain) or {}
    return await start(client, table, Release.NEW) is None


async def _write(client: ScratchClient, table: ExpectedRows, release: Release) -> None:
    """Do all writes, and note those that the server accepts."""
    pairs = [(slot, table.statement(client, release, slot)) for slot in table.table.slots]
    writes = [(slot, text) for slot, text in pairs if text is not None]
    refused = await client.write([text for _, text in writes])
    accepted = {slot for (slot, _), why in zip(writes, refused, strict=True) if why is None}
    table.usable[release] = frozenset(accepted)


async def _learn_new(client: ScratchClient, run: MigrationSet, table: ExpectedRows) -> bool:
    """Note the values of the rows in the new table; return whether they have the same keys."""
    table.plain = await _read(client, table.table.new)
    contents = _numbered(table, table.plain)
    if contents is None:
        return False
    same = {
        name for name in table.table.only_new if len({row[name] for row in contents.values()}) == 1
    }
    if same:  # values that the set does not write show whether it leaves them alone
        shape = table.table.new
        own = await client.sample_texts(run.after, shape.table, table.table.numbers)
        contents = {
            number: {**row, **{k: v for k, v in own.get(number, {}).items() if k in same}}
            for number, row in contents.items()
        }
    table.contents[Release.NEW] = contents
    return True


def _numbered(table: ExpectedRows, rows: RowsByKey) -> dict[int, RowTexts] | None:
    """Return *rows* by number; ``None`` if a key has changed its text."""
    old = table.contents[Release.OLD]
    keys = {n: tuple(row[name] for name in table.table.old.key) for n, row in old.items()}
    if not all(key in rows for key in keys.values()):
        return None
    return {number: rows[key] for number, key in keys.items()}


async def _stores_alike(client: ScratchClient, table: ExpectedRows) -> bool:
    """Return whether writes of the old release into the new table lead to the converted values."""
    shape, moved = table.table.new, table.table.moved
    old, new = table.contents[Release.OLD], table.contents[Release.NEW]
    texts = []
    for number in table.table.numbers[:6] if moved else ():
        key = {name: new[number][name] for name in shape.key}
        values = {name: old[number][name] for name in moved}
        texts.append(client.update(shape.table, key, values))
    if any(await client.write(texts)):
        return False
    rows = await _read(client, shape)
    return all(
        rows.get(key, {}).get(name) == row[name]
        for key, row in table.plain.items()
        for name in moved
    )


async def _read(client: ScratchClient, shape: Shape) -> RowsByKey:
    return await client.read(shape.table, shape.key)


async def _up(client: ScratchClient, run: MigrationSet) -> None:
    for migration in run.migrations:
        await client.replay(migration, migration.upgrade, go_on)


async def _down(client: ScratchClient, run: MigrationSet) -> None:
    for migration in reversed(run.migrations):
        if migration.rollback is not None and migration.backfill is None:
            await client.replay(migration, migration.rollback, go_on)


def without_null(tables: Sequence[Written]) -> tuple[Written, ...]:
    """Return *tables* without writes of NULL, which a new NOT NULL refuses."""
    return tuple(
        replace(it, slots=tuple(slot for slot in it.slots if slot.kind is not Kind.CLEAR))
        for it in tables
    )
