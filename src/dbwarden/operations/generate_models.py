"""Write SQLAlchemy models that build exactly a live database."""

import re
import tempfile
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio.to_thread

from dbwarden.authoring.collect.desired import read_desired
from dbwarden.authoring.collect.desired_state import Compilation, DesiredState
from dbwarden.authoring.collect.set_up import SetUp, set_up_of
from dbwarden.authoring.collect.unmanaged_objects import unmanaged
from dbwarden.authoring.compare.comparison import independent, read_adopted
from dbwarden.authoring.compare.left_out import LeftOut
from dbwarden.authoring.prove.verdict import differences
from dbwarden.authoring.scratch_session import EMPTY, ScratchSession, open_scratch_session
from dbwarden.authoring.write.models_code import is_serial, module
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.diff import diff
from dbwarden.errors import NotProven, UsageError
from dbwarden.operations.operation import operation
from dbwarden.schema import (
    ROUTINES,
    Column,
    ObjectKind,
    Part,
    Ref,
    Routine,
    Schema,
    Sequence,
    Table,
    ref_of,
)
from dbwarden.schema.closure import reachable
from dbwarden.types import DatabaseName


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedModels:
    """The code, the number of its tables, and the objects left out."""

    database: DatabaseName
    tables: int
    code: str = field(repr=False)
    left_out: tuple[LeftOut, ...] = ()


@operation("generate_models")
async def generate_models(config: DatabaseConfig) -> GeneratedModels:
    """Write SQLAlchemy 2.0 models of the live database, proven to build it again.

    Raises:
        ConnectError: The database cannot be reached.
        UsageError: It has no tables, or there is no place for a scratch database.
        NotProven: The models would build another schema; names a difference.
    """
    async with open_scratch_session(config, use_cache=False) as session:
        adopted = await read_adopted(session)
        schema = await session.schema(adopted.source)
        there = await set_up_of(session)
        tables = [table for table in schema.tables if not _is_there(there, table)]
        if not tables:
            raise UsageError("the database holds no tables", database=config.database_name)
        before = await _statements_before(session, schema)
        early = _with_referenced_setup(_without_late_parts(schema), there)
        idiomatic, built = await _choose_style(session, early, before)
        rest = session.authoring_dialect.render(diff(built, schema), current=built, desired=schema)
        after = [item.text for item in rest]
        code = module(early, before=before, after=after, idiomatic=idiomatic)
        left = await differences(session, await _build(session, code), schema)
        if left:
            raise NotProven(
                f"the models would not build the same database: {left[0].ref} differs",
                database=config.database_name,
            )
    return GeneratedModels(
        database=config.database_name,
        tables=len(tables),
        code=code,
        left_out=adopted.left_out,
    )


def _is_there(there: SetUp | None, table: Table) -> bool:
    return there is not None and there.schema.table(table.name) is not None


def _with_referenced_setup(schema: Schema, there: SetUp | None) -> Schema:
    """Return *schema* without tables of ``scratch_setup`` that no foreign key references."""
    own = {table.name for table in schema.tables if not _is_there(there, table)}
    referenced = {it.name: {key.references for key in it.foreign_keys} for it in schema.tables}
    included = reachable(own, lambda name: referenced.get(name, ()))
    return replace(schema, tables=tuple(it for it in schema.tables if it.name in included))


async def _choose_style(
    session: ScratchSession, schema: Schema, before: list[str]
) -> tuple[bool, Schema]:
    """Return whether the code can be idiomatic, and the schema that its models build.

    It can if idiomatic models need no more additional SQL than plain ones.
    """
    built = await _build(session, module(schema, before=before, idiomatic=True))
    if not (left := diff(built, schema)):
        return True, built
    plainly = await _build(session, module(schema, before=before))
    return (True, built) if len(left) <= len(diff(plainly, schema)) else (False, plainly)


def _without_late_parts(schema: Schema) -> Schema:
    """Return *schema* without table parts that call a function that needs tables or enums.

    They are written as SQL, after the function.
    """
    first = independent(schema)
    late = {
        user
        for user, needed in schema.dependencies
        if needed.kind in ROUTINES and needed not in first
    }
    tables = tuple(_without(table, late) for table in schema.tables) if late else schema.tables
    return replace(schema, tables=tables)


def _without(table: Table, late: AbstractSet[Ref]) -> Table:
    def early(part: Part) -> Part | None:
        if part.ref_in(table.name) in late:
            return None
        default = ref_of(ObjectKind.DEFAULT, table.name, part.key)
        return replace(part, default=None) if isinstance(part, Column) and default in late else part

    return table.map_parts(early)


async def _statements_before(session: ScratchSession, schema: Schema) -> list[str]:
    """Return the SQL to run before the tables: extensions, domains, functions, sequences."""
    empty = await session.schema(EMPTY)
    refs = independent(schema)
    serial = {
        table.column_ref(column.name)
        for table in schema.tables
        for column in table.columns
        if is_serial(table, column)
    }
    identity = {
        column.identity.sequence
        for table in schema.tables
        for column in table.columns
        if column.identity is not None
    }
    known = {obj.ref for obj in empty.objects}
    sequences = tuple(
        sequence if sequence.ref in known else replace(sequence, owned_by=None)
        for sequence in schema.of(Sequence)
        if sequence.ref in known
        or (sequence.owned_by not in serial and sequence.name not in identity)
    )
    others = unmanaged(schema) & refs | known
    objects = (*sequences, *(obj for obj in schema.objects if obj.ref in others))
    subset = replace(empty.with_objects(objects), dependencies=schema.dependencies)
    changes = diff(empty, subset)
    rendered = session.authoring_dialect.render(changes, current=empty, desired=subset)
    texts = [item.text for item in rendered]
    off, on = session.authoring_dialect.unchecked_bodies
    return [off, *texts, on] if off not in texts and _names_later_objects(schema, subset) else texts


def _names_later_objects(schema: Schema, first: Schema) -> bool:
    """Return whether the body of a function of *first* may name a later object."""
    early = {obj.ref for obj in first.objects}
    names = {obj.ref.name for obj in schema.objects if obj.ref not in early}
    names |= {table.name.name for table in schema.tables}
    return any(names & set(re.findall(r"\w+", it.definition)) for it in first.of(Routine))


async def _build(session: ScratchSession, code: str) -> Schema:
    """Build the module *code* in scratch and return the schema."""
    desired = await anyio.to_thread.run_sync(_read, session, code, await set_up_of(session))
    return await session.schema(desired.source)


def _read(session: ScratchSession, code: str, there: SetUp | None) -> DesiredState:
    with tempfile.TemporaryDirectory(prefix="dbwarden-models-") as folder:
        path = Path(folder, "models.py")
        path.write_text(code, encoding="utf-8")
        config = replace(session.config, model_paths=(str(path),), schema_paths=(), project=None)
        how = Compilation(config=config, dialect=session.authoring_dialect, setup=there)
        return read_desired(how)
