"""SQLAlchemy models from a live database, which lead back to exactly that database."""

import re
import tempfile
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio.to_thread

from dbwarden.authoring.collect.desired import DesiredState, read_desired
from dbwarden.authoring.collect.set_up import SetUp, set_up_of
from dbwarden.authoring.collect.unmanaged_objects import KINDS
from dbwarden.authoring.compare.comparison import independent, read_adopted
from dbwarden.authoring.compare.left_out import LeftOut
from dbwarden.authoring.prove.proof import differences
from dbwarden.authoring.scratch_session import EMPTY, ScratchSession, open_scratch_session
from dbwarden.authoring.write.models_code import is_serial, module
from dbwarden.config.model import DatabaseConfig
from dbwarden.dialects.postgresql.ddl.bodies import OFF, ON
from dbwarden.diff import diff
from dbwarden.diff.changes import constraint_ref, index_ref, subject
from dbwarden.errors import NotProven, UsageError
from dbwarden.operations.operation import operation
from dbwarden.schema import ObjectKind, Ref, Schema, Table, ref_of
from dbwarden.types import DatabaseName


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedModels:
    """The code, how many tables it describes, and what it leaves out."""

    database: DatabaseName
    tables: int
    code: str = field(repr=False)
    left_out: tuple[LeftOut, ...] = ()


@operation("generate_models")
async def generate_models(config: DatabaseConfig) -> GeneratedModels:
    """Write SQLAlchemy 2.0 models for what the live database has, proven to lead back to it.

    Raises:
        ConnectError: The database cannot be reached.
        UsageError: It holds no tables, or there is no place for a scratch database.
        NotProven: The models would build something else; names what.
    """
    async with open_scratch_session(config, use_cache=False) as place:
        found = await read_adopted(place)
        schema = await place.schema(found.source)
        there = await set_up_of(place)
        own = [table for table in schema.tables if not _is_there(there, table)]
        if not own:
            raise UsageError("the database holds no tables", database=config.database_name)
        before = await _before(place, schema)
        early = _named(_early(schema), there)
        idiomatic, built = await _draft(place, early, before)
        rest = place.authoring_dialect.render(diff(built, schema), current=built, desired=schema)
        after = [item.text for item in rest]
        code = module(early, before=before, after=after, idiomatic=idiomatic)
        left = await differences(place, await _built(place, code), schema)
        if left:
            raise NotProven(
                f"the models would not lead back to the database: {subject(left[0])} differs",
                database=config.database_name,
            )
    return GeneratedModels(
        database=config.database_name,
        tables=len(own),
        code=code,
        left_out=found.left_out,
    )


def _is_there(there: SetUp | None, table: Table) -> bool:
    return there is not None and there.schema.table(table.name) is not None


def _named(schema: Schema, there: SetUp | None) -> Schema:
    """Return *schema* without the tables of ``scratch_setup`` that no foreign key leads to."""
    kept = {table.name for table in schema.tables if not _is_there(there, table)}
    by_name = {table.name: table for table in schema.tables}
    waiting = list(kept)
    while waiting:
        table = by_name[waiting.pop()]
        new = {key.references for key in table.foreign_keys} & by_name.keys() - kept
        kept |= new
        waiting += new
    return replace(schema, tables=tuple(it for it in schema.tables if it.name in kept))


async def _draft(place: ScratchSession, schema: Schema, before: list[str]) -> tuple[bool, Schema]:
    """Whether the code may be idiomatic, and what its models build by themselves.

    It may where that leaves no more to say in SQL than the plain form does.
    """
    built = await _built(place, module(schema, before=before, idiomatic=True))
    if not (left := diff(built, schema)):
        return True, built
    plainly = await _built(place, module(schema, before=before))
    return (True, built) if len(left) <= len(diff(plainly, schema)) else (False, plainly)


def _early(schema: Schema) -> Schema:
    """*schema* without the parts of tables that call a function which itself needs tables or enums.

    They are said in SQL, after the function.
    """
    first = independent(schema)
    late = {
        user
        for user, needed in schema.dependencies
        if needed.kind in (ObjectKind.ROUTINE, ObjectKind.AGGREGATE) and needed not in first
    }
    tables = tuple(_without(table, late) for table in schema.tables) if late else schema.tables
    return replace(schema, tables=tables)


def _without(table: Table, late: AbstractSet[Ref]) -> Table:
    columns = (
        replace(column, default=None)
        if ref_of(ObjectKind.DEFAULT, table.name, column.name) in late
        else column
        for column in table.columns
    )
    return replace(
        table,
        columns=tuple(it for it in columns if table.column_ref(it.name) not in late),
        checks=tuple(it for it in table.checks if constraint_ref(table.name, it) not in late),
        exclusions=tuple(
            it for it in table.exclusions if constraint_ref(table.name, it) not in late
        ),
        indexes=tuple(it for it in table.indexes if index_ref(table.name, it) not in late),
    )


async def _before(place: ScratchSession, schema: Schema) -> list[str]:
    """What has to be there before the tables: extensions, domains, functions, sequences."""
    empty = await place.schema(EMPTY)
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
        for sequence in schema.sequences
        if sequence.ref in known
        or (sequence.owned_by not in serial and sequence.name not in identity)
    )
    subset = replace(empty, sequences=sequences, dependencies=schema.dependencies)
    objects: dict[str, Any] = {
        kind: tuple(obj for obj in getattr(schema, kind) if obj.ref in refs | known)
        for kind in KINDS
    }
    subset = replace(subset, **objects)
    changes = diff(empty, subset)
    rendered = place.authoring_dialect.render(changes, current=empty, desired=subset)
    texts = [item.text for item in rendered]
    return [OFF, *texts, ON] if OFF not in texts and _named_too_early(schema, subset) else texts


def _named_too_early(schema: Schema, first: Schema) -> bool:
    """Whether a function of *first* may name what is made after it, in a body that is a string."""
    made = {obj.ref for obj in first.objects}
    names = {obj.ref.name for obj in schema.objects if obj.ref not in made}
    names |= {table.name.name for table in schema.tables}
    return any(names & set(re.findall(r"\w+", it.definition)) for it in first.routines)


async def _built(place: ScratchSession, code: str) -> Schema:
    """The schema that the module *code* builds in scratch."""
    asked = await anyio.to_thread.run_sync(_read, place, code, await set_up_of(place))
    return await place.schema(asked.source)


def _read(place: ScratchSession, code: str, there: SetUp | None) -> DesiredState:
    with tempfile.TemporaryDirectory(prefix="dbwarden-models-") as folder:
        path = Path(folder, "models.py")
        path.write_text(code, encoding="utf-8")
        config = replace(place.config, model_paths=(str(path),), schema_paths=(), project=None)
        return read_desired(config, place.authoring_dialect, there)
