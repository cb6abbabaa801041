"""The two sides of a comparison: what the files (or a live database) make, what is wanted."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import anyio.to_thread

from dbwarden import telemetry
from dbwarden.authoring.adopting import with_ledgers, without_ledgers
from dbwarden.authoring.bench import EMPTY, Bench, Source
from dbwarden.authoring.current import files_source, schema_source
from dbwarden.authoring.desired import Wanted, wanted
from dbwarden.authoring.handmade import KINDS, is_generated, kept, with_virtual_tables
from dbwarden.authoring.hints import NO_HINTS, Hints
from dbwarden.authoring.neighbours import read_live
from dbwarden.authoring.settling import settled
from dbwarden.authoring.together import is_shared, together
from dbwarden.config.model import DatabaseConfig
from dbwarden.dialects.scratch import ScratchDatabase
from dbwarden.errors import StatementFailed
from dbwarden.files.migration import Migration
from dbwarden.schema import Kind, Ref, Schema

_SOMETHING_MISSING = ("42704", "42883", "3F000", "42P01")
"""A type, role or extension; a function; a namespace; a table that is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """What is there, how to build it anew, and what is wanted, in the same spelling.

    ``kept`` is what hand-written migrations made and models don't know.
    """

    source: Source
    current: Schema
    desired: Schema
    kept: frozenset[Ref] = frozenset()
    hints: Hints = field(default_factory=lambda: NO_HINTS)


async def live_source(bench: Bench) -> Source:
    """The source that builds what the configured database has, read now."""
    empty = await bench.schema(EMPTY)
    telemetry.doing("reading the live database")
    live = await read_live(bench)
    return await schema_source(bench, live, empty)


async def adopted_source(bench: Bench) -> Source:
    """``live_source`` without what other migration tools keep there for themselves."""
    empty = await bench.schema(EMPTY)
    live = await read_live(bench)
    return await schema_source(bench, without_ledgers(live, bench.config.ledger_schema), empty)


async def compared(
    bench: Bench,
    files: Sequence[Migration],
    *,
    from_live: bool = False,
) -> Sides:
    """Both sides of ``make-migrations``: the files, or the live database, and the models.

    Raises:
        ConfigurationError: The models cannot be read.
        StatementFailed: Files or models do not run in an empty database.
    """

    async def models() -> tuple[Wanted, Schema | StatementFailed]:
        telemetry.doing("reading the models")
        asked = await wanted(bench.config, bench.workshop)
        return asked, await _tried(bench, asked.source)

    async def there() -> tuple[Source, Schema]:
        source = await live_source(bench) if from_live else files_source(files)
        return source, await bench.schema(source)

    if not from_live:
        await bench.prepare(files_source(files))
    apart = is_shared(migration.upgrade.text for migration in files)
    (asked, found), (source, current) = await together(models, there, apart=apart)
    telemetry.doing("comparing")
    desired = found if isinstance(found, Schema) else await _on_top(bench, asked, current, found)
    stays: frozenset[Ref] = frozenset()
    if not bench.config.schema_paths:
        handmade = await anyio.to_thread.run_sync(_handmade, tuple(files))
        desired, stays = await kept(bench, files, handmade, desired)
    desired = await settled(bench, current, left_alone(bench.config, current, desired))
    return Sides(source=source, current=current, desired=desired, kept=stays, hints=asked.hints)


def left_alone(config: DatabaseConfig, current: Schema, desired: Schema) -> Schema:
    """*desired* and what *current* has that neither models nor files have to know."""
    virtual = with_virtual_tables(current, desired)
    return with_ledgers(current, virtual, config.ledger_schema)


def _handmade(files: Sequence[Migration]) -> tuple[Migration, ...]:
    return tuple(
        migration
        for migration in files
        if not is_generated(migration.path.read_text("utf-8", errors="replace"))
    )


async def _tried(bench: Bench, source: Source) -> Schema | StatementFailed:
    """What *source* makes in an empty database, or what it lacks there."""
    try:
        return await bench.schema(source)
    except StatementFailed as error:
        if error.sqlstate not in _SOMETHING_MISSING:
            raise
        return error


async def _on_top(bench: Bench, asked: Wanted, current: Schema, error: StatementFailed) -> Schema:
    """What models and schema files make on top of what migrations prepared."""
    support = await _support(bench, current)
    if not support.parts:
        raise error
    return await bench.schema(_after(support, asked.source))


def _after(first: Source, second: Source) -> Source:
    async def build(database: ScratchDatabase) -> None:
        await first.build(database)
        await second.build(database)

    return Source(parts=(*first.parts, "then", *second.parts), build=build)


async def _support(bench: Bench, current: Schema) -> Source:
    """The source of what tables may need and models cannot say: extensions, domains, functions."""
    empty = await bench.schema(EMPTY)
    kept_refs = independent(current)
    changed: dict[str, Any] = {
        kind: tuple(thing for thing in getattr(current, kind) if thing.ref in kept_refs)
        for kind in KINDS
    }
    subset = replace(empty, **changed, dependencies=current.dependencies)
    return await schema_source(bench, subset, empty)


_ON_TABLES = (Kind.TABLE, Kind.COLUMN, Kind.DEFAULT, Kind.CONSTRAINT, Kind.INDEX, Kind.ENUM)


def independent(schema: Schema) -> frozenset[Ref]:
    """The things of the kinds that models cannot say which need no table, also not indirectly."""
    needs = schema.needs()
    refs = {thing.ref for kind in KINDS for thing in getattr(schema, kind)}
    on_tables = (Kind.TRIGGER, Kind.RULE, Kind.POLICY, Kind.GRANT)
    refs -= {ref for ref in refs if ref.kind in on_tables}
    left = {ref for ref in refs if any(n.kind in _ON_TABLES for n in needs.get(ref, ()))}
    while more := {
        ref for ref in refs - left if any(needed in left for needed in needs.get(ref, ()))
    }:
        left |= more
    return frozenset(refs - left)
