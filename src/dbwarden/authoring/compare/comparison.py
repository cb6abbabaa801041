"""Prepare a comparison: the schema of files or a live database, and the desired schema."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from dbwarden import telemetry
from dbwarden.authoring.collect.current import files_source, schema_source
from dbwarden.authoring.collect.desired import import_desired
from dbwarden.authoring.collect.desired_state import Compilation, DesiredState
from dbwarden.authoring.collect.foreign_histories import with_ledgers, without_ledgers
from dbwarden.authoring.collect.hints import NO_HINTS, Hints
from dbwarden.authoring.collect.other_databases import read_live
from dbwarden.authoring.collect.refused import KEEP_GOING
from dbwarden.authoring.collect.set_up import set_up_of
from dbwarden.authoring.collect.unmanaged_objects import (
    preserve_unmanaged,
    unmanaged,
    with_virtual_tables,
)
from dbwarden.authoring.compare.left_out import (
    LeftOut,
    buildable,
    comparable,
    names_of,
    unbuildable,
    with_dependents,
    with_others,
    without,
    without_users,
)
from dbwarden.authoring.compare.normalize import normalize_schema
from dbwarden.authoring.compare.partitions import counted, refs_of, undeclared
from dbwarden.authoring.concurrency import is_shared, run_concurrently
from dbwarden.authoring.scratch_session import EMPTY, ScratchSession, Source, chain
from dbwarden.authoring.subsets import belongs
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.diff.changes import Renaming
from dbwarden.diff.renames import apply_renames
from dbwarden.errors import DBWardenError, ScratchRefused, UnsupportedChange
from dbwarden.files.migration import Migration
from dbwarden.schema import ON_TABLES, ObjectKind, Ref, Schema
from dbwarden.schema import Sequence as SchemaSequence
from dbwarden.schema.closure import reachable

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaComparison:
    """The current schema, its source, and the desired schema.

    Both have the same spelling. ``preserved`` is what hand-written migrations made and models don't
    know. ``left`` is what neither of the two schemas has any more, because dbwarden does not write
    it; ``left_out`` lists it for people. ``refused`` tells why parts of the models were left out.
    """

    source: Source
    current: Schema
    desired: Schema
    preserved: frozenset[Ref] = frozenset()
    left: frozenset[Ref] = frozenset()
    left_out: tuple[LeftOut, ...] = ()
    refused: tuple[DBWardenError, ...] = ()
    hints: Hints = field(default_factory=lambda: NO_HINTS)

    def without(self, refs: frozenset[Ref]) -> "SchemaComparison":
        """Return the comparison without the objects that *refs* name."""
        return replace(
            self,
            current=without(self.current, refs),
            desired=without(self.desired, refs),
            preserved=self.preserved - refs,
            left=self.left | refs,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSchema:
    """The schema of a live database, and the source that builds its buildable part.

    ``floor`` is the schema of the database on which that part is built.
    """

    read: Schema
    source: Source
    floor: Schema

    @property
    def unbuilt(self) -> frozenset[Ref]:
        """The objects that the source does not build, except those dbwarden does not write."""
        refs = unbuildable(self.read, self.floor)
        return refs - {other.ref for other in self.read.others}

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """The objects that the source does not build, with names."""
        known = {other.ref: other for other in self.floor.others}
        strange = {it.ref for it in self.read.others if known.get(it.ref) != it}
        return names_of(self.unbuilt | strange, self.read)


async def read_live_schema(session: ScratchSession, files: Sequence[Migration]) -> LiveSchema:
    """Read the configured database now.

    It is built on the objects of *files* that dbwarden does not write.
    """
    source, floor = files_source(files), EMPTY
    files_schema = await session.schema(source) if files else None
    if files_schema is not None and files_schema.others:
        with suppress(ScratchRefused, UnsupportedChange):  # some of them need tables
            support = await _support(session, source, files_schema)
            await session.schema(support)
            floor = support
    telemetry.doing("reading the live database")
    return await _live(session, await read_live(session, files_schema), floor)


async def read_adopted(session: ScratchSession) -> LiveSchema:
    """Read the configured database without the tables in which other tools keep their history."""
    live = without_ledgers(await read_live(session), session.config.ledger_schema)
    return await _live(session, live, EMPTY)


async def _live(session: ScratchSession, live: Schema, floor: Source) -> LiveSchema:
    schema = await session.schema(floor)
    can = buildable(live, schema)
    source = chain(floor, await schema_source(session, can, schema))
    return LiveSchema(read=live, source=source, floor=schema)


async def compare_with_models(
    session: ScratchSession,
    files: Sequence[Migration],
    *,
    from_live: bool = False,
    keep_going: bool = False,
) -> SchemaComparison:
    """Return the two schemas of ``make-migrations``: files or live database, and models.

    Args:
        session: The session that tries SQL.
        files: The migration files.
        from_live: Compare the live database instead of the files.
        keep_going: Leave out the parts of models that the server refuses, and their dependents.

    Raises:
        ConfigurationError: The models cannot be read.
        ScratchRefused: Files or models do not run in an empty database.
    """
    config = session.config
    build_accepted = partial(_build_accepted, keep_going=keep_going)

    async def models() -> tuple[DesiredState, Schema | ScratchRefused]:
        telemetry.doing("reading the models")
        state = await _import(session, keep_going=keep_going)
        return await build_accepted(state, lambda some: _try_source(session, some.source))

    async def base() -> tuple[Source, Schema, frozenset[Ref]]:
        if from_live:
            return await build_live(session, await read_live_schema(session, files))
        source = files_source(files)
        return source, await session.schema(source), frozenset()

    if not from_live:
        await session.prepare(files_source(files))
    apart = is_shared(migration.upgrade.text for migration in files)
    (state, alone), (source, current, unbuilt) = await run_concurrently(models, base, apart=apart)
    telemetry.doing("comparing")
    state, desired = await build_accepted(
        state, lambda it: _build_on_top(session, it, source, current, models_schema=alone)
    )
    desired, preserved = await preserve_unmanaged(session, files, desired)
    both = (current, desired)
    refused, dependents = _without_refused(state, *both)
    current, desired, left = comparable(current, desired, unbuilt | refused)
    desired = keep_unmanaged_tables(config, current, desired)
    desired = await normalize_schema(session, current, desired)
    comparison = SchemaComparison(
        source=source,
        current=current,
        desired=desired,
        preserved=preserved - left,
        left=left,
        left_out=(*dependents, *names_of(left - refused, *both)),
        refused=tuple(item.error for item in state.refused),
        hints=state.hints,
    )
    return without_undeclared(config, comparison, "model")


async def _import(session: ScratchSession, *, keep_going: bool) -> DesiredState:
    """Import the desired state, with generated columns as the scratch server has them."""
    config, dialect, setup = session.config, session.authoring_dialect, await set_up_of(session)
    how = Compilation(config=config, dialect=dialect, setup=setup, keep_going=keep_going)
    state = await import_desired(how)
    if state.storage_undecided and not dialect.has_virtual_columns(await session.server_version()):
        return await import_desired(replace(how, stored=True))
    return state


def without_undeclared(
    config: DatabaseConfig, comparison: SchemaComparison, by: str, renames: Sequence[Renaming] = ()
) -> SchemaComparison:
    """Take out the partitions that only the current schema has, and count them.

    Args:
        config: The database, whose ``partitions`` option applies.
        comparison: The schemas.
        by: The kind of file that declares partitions: migration or model.
        renames: Renames of the current schema's tables.
    """
    if config.partitions == "all":
        return comparison
    current, desired = comparison.current, comparison.desired
    partitions = undeclared(apply_renames(current, renames) if renames else current, desired)
    if not partitions:
        return comparison
    counts = counted(partitions, by, desired.default_namespace)
    return replace(
        comparison.without(refs_of(current, desired, partitions)),
        left_out=(*comparison.left_out, *counts),
    )


def _without_refused(
    state: DesiredState, *schemas: Schema
) -> tuple[frozenset[Ref], tuple[LeftOut, ...]]:
    """Return the refused objects with all dependents, and the dependents by name."""
    default = schemas[0].default_namespace
    own = frozenset(
        ref if ref.namespace is not None else replace(ref, namespace=default)
        for item in state.refused
        for ref in item.refs
    )
    refs = own.union(*(with_dependents(schema, own) for schema in schemas))
    dependents = refs.difference(*(_parts(schema, own) for schema in schemas))
    known = {(item.kind, item.name) for item in names_of(own, *schemas)}
    step = "Correct the models that were refused."
    return refs, tuple(
        LeftOut(kind=item.kind, name=item.name, why="needs what was refused", next_step=step)
        for item in names_of(dependents, *schemas)
        if (item.kind, item.name) not in known
    )


def _parts(schema: Schema, tables: frozenset[Ref]) -> Iterator[Ref]:
    """Yield the indexes and sequences of the *tables* in *schema*."""
    mine = [table for table in schema.tables if table.ref in tables]
    yield from (index.ref_in(table.name) for table in mine for index in table.indexes)
    names = {table.name for table in mine}
    yield from (each.ref for each in schema.of(SchemaSequence) if belongs(each, names))


async def build_live(
    session: ScratchSession, live: LiveSchema
) -> tuple[Source, Schema, frozenset[Ref]]:
    """Return the source of a live database, its schema in scratch, and the missing objects."""
    schema = await session.schema(live.source)
    return live.source, with_others(schema, live.read.others), live.unbuilt


def keep_unmanaged_tables(config: DatabaseConfig, current: Schema, desired: Schema) -> Schema:
    """Return *desired* with the virtual tables and migration histories of *current*."""
    virtual = with_virtual_tables(current, desired)
    return with_ledgers(current, virtual, config.ledger_schema)


async def _try_source(session: ScratchSession, source: Source) -> Schema | ScratchRefused:
    """Return the schema of *source* in an empty database, or the error for a missing object."""
    try:
        return await session.schema(source)
    except ScratchRefused as error:
        if error.cause != "missing object":
            raise
        return error


async def _build_accepted(
    state: DesiredState, build: Callable[[DesiredState], Awaitable[T]], *, keep_going: bool
) -> tuple[DesiredState, T]:
    """Build *state*; with *keep_going*, leave out the parts that the server refuses."""
    while True:
        try:
            return state, await build(state)
        except ScratchRefused as error:
            rest = await state.without(error)
            if rest is not None and not keep_going:
                error.next_step = f"{error.next_step} {KEEP_GOING}"
            if rest is None or not keep_going:
                raise
            state = rest


async def _build_on_top(
    session: ScratchSession,
    state: DesiredState,
    source: Source,
    current: Schema,
    *,
    models_schema: Schema | ScratchRefused,
) -> Schema:
    """Return *models_schema*, or build the models on top of the migrations' objects."""
    if isinstance(models_schema, Schema):
        return models_schema
    try:
        support = await _support(session, source, current)
    except (ScratchRefused, UnsupportedChange):
        support = EMPTY
    if not support.parts:
        return await session.schema(state.source)
    built_schema = await session.schema(chain(support, state.source))
    # Dropped tables leave their publications, which is no change of the models.
    there = {other.ref: other for other in current.others}
    return with_others(built_schema, (there.get(other.ref, other) for other in built_schema.others))


async def _support(session: ScratchSession, source: Source, current: Schema) -> Source:
    """Return the source of objects that tables may need and models cannot express.

    Only *source* itself builds the objects that dbwarden does not write.
    """
    empty = await session.schema(EMPTY)
    needs = current.needs()
    others = (other.ref for other in current.others)
    refs = independent(current) | reachable(others, lambda ref: needs.get(ref, ()))
    objects = (
        it for it in current.objects if it.ref in refs and not isinstance(it, SchemaSequence)
    )
    subset = replace(empty, objects=tuple(objects), dependencies=current.dependencies)
    if not subset.others:
        return await schema_source(session, subset, empty)
    subset = with_others(subset, current.others)
    return chain(source, await schema_source(session, subset, current))


_ON_TABLES = (
    ObjectKind.TABLE,
    ObjectKind.COLUMN,
    ObjectKind.DEFAULT,
    ObjectKind.CONSTRAINT,
    ObjectKind.INDEX,
    ObjectKind.ENUM,
)


def independent(schema: Schema) -> frozenset[Ref]:
    """Return the objects that models cannot express and that need no table, even indirectly."""
    needs = schema.needs()
    refs = unmanaged(schema)
    on_tables = {*ON_TABLES, ObjectKind.GRANT}
    refs -= {ref for ref in refs if ref.kind in on_tables}
    late = {ref for ref in refs if any(need.kind in _ON_TABLES for need in needs.get(ref, ()))}
    return without_users(schema, refs, late)
