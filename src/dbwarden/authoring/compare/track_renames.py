"""Let objects of handwritten migrations follow renames, and refuse drops of what they read."""

from collections.abc import Sequence
from dataclasses import replace

from dbwarden.authoring.collect.unmanaged_objects import with_objects, without_objects
from dbwarden.authoring.compare.comparison import SchemaComparison
from dbwarden.authoring.compare.left_out import with_others
from dbwarden.authoring.scratch_session import ScratchSession, chain, sql_source
from dbwarden.diff.changes import Rename, Renaming
from dbwarden.diff.renames import apply_renames, renamed_ref
from dbwarden.diff.temporary_names import add_temporary_renames
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import ON_TABLES, MaterializedView, Ref, Schema, Trigger, View


async def follow_renames(
    session: ScratchSession,
    comparison: SchemaComparison,
    renames: Sequence[Renaming],
    in_use: Sequence[Rename] = (),
) -> SchemaComparison:
    """Return *comparison* with its preserved objects as the server has them after *renames*.

    Preserved objects of a dropped table are dropped with it. They cannot follow columns that are
    renamed *in_use*: the server keeps them at the old column.

    Raises:
        UnsupportedChange: A preserved object reads a dropped one; names both.
    """
    if not comparison.preserved:
        return comparison
    there = await _renamed(session, comparison, add_temporary_renames(comparison.current, renames))
    names = {preserved: renamed_ref(preserved, renames) for preserved in comparison.preserved}
    homes = {table.name for table in comparison.desired.tables}
    homes |= {view.name for view in (*there.of(View), *comparison.desired.of(View))}
    homes |= {view.name for view in there.of(MaterializedView)}
    stays = {
        preserved: now
        for preserved, now in names.items()
        if now.kind not in ON_TABLES or now.table in homes
    }
    known = frozenset(stays.values())
    _refuse_readers_of_dropped(there, comparison.desired, known, in_use)
    rest = without_objects(comparison.desired, comparison.preserved)
    desired = with_objects(rest, there, frozenset(stays.values()))
    # The server follows the renames in what dbwarden does not write, too.
    desired = with_others(desired, comparison.current.others)
    return replace(comparison, desired=desired, preserved=frozenset(stays))


async def _renamed(
    session: ScratchSession, comparison: SchemaComparison, renames: Sequence[Renaming]
) -> Schema:
    """Return the schema after *renames*, which the server applies to dependents."""
    if not renames:
        return comparison.current
    current = comparison.current
    rest = tuple(it for it in current.objects if not isinstance(it, View | Trigger))
    bare = replace(current, objects=rest, dependencies=())
    rendered = session.authoring_dialect.render(
        renames, current=bare, desired=apply_renames(bare, renames)
    )
    statements = sql_source([statement.text for statement in rendered])
    return await session.schema(chain(comparison.source, statements))


def _refuse_readers_of_dropped(
    there: Schema, desired: Schema, preserved: frozenset[Ref], in_use: Sequence[Rename]
) -> None:
    """Raise if a preserved object needs a table or column that *desired* no longer has."""
    dropped = _tables_and_columns(there) - _tables_and_columns(desired)
    renamed = {rename.before for rename in in_use}
    for user, needed in there.dependencies:
        if user in preserved and needed in dropped:
            next_step = (
                f"Change or drop {user} first, in a migration by hand: "
                "dbwarden new -m '...'. Or add a DDL event that creates its new version."
            )
            if needed in renamed:
                name = needed.table.label(desired.default_namespace, needed.part)
                next_step += f" With --allow-rename {name}, it follows a rename in place."
            raise UnsupportedChange(
                f"{user} reads {needed}, which the models no longer have; a hand-written migration "
                "made it, and no model mentions it",
                next_step=next_step,
            )


def _tables_and_columns(schema: Schema) -> set[Ref]:
    tables = {table.ref for table in schema.tables}
    return tables | {table.column_ref(c.name) for table in schema.tables for c in table.columns}
