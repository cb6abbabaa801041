"""For random pairs of schemas, the SQL leads there and back on a real SQLite and keeps rows."""

import sqlite3
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from dbwarden.dialects.sqlite.catalog import EMPTY_SCHEMA
from dbwarden.dialects.sqlite.ddl.copying import affinity
from dbwarden.diff import diff
from dbwarden.diff.statements import RenderOptions
from dbwarden.schema import (
    Check,
    Column,
    ForeignKey,
    Generated,
    Index,
    IndexColumn,
    PrimaryKey,
    QualifiedName,
    Schema,
    Table,
    Trigger,
    Unique,
    View,
)
from tests.acceptance.judging_sqlite import built, describe, read, script, unlike, write

TABLES = ("t", "order", "U v")
ID = Column(name="id", type="INTEGER")


def name(text: str) -> QualifiedName:
    return QualifiedName(None, text)


def some(draw: st.DrawFn) -> bool:
    return draw(st.booleans())


@st.composite
def columns(draw: st.DrawFn, *, strict: bool) -> tuple[Column, ...]:
    """``a`` and ``b`` can be keys, ``c`` may have a default, ``p`` refers, ``g`` is computed."""
    types = ("INTEGER", "REAL", "TEXT") if strict else ("INTEGER", "VARCHAR(5)", "NUMERIC", "BLOB")
    found = [ID]
    for own in ("a", "b"):
        if some(draw):
            collation = draw(st.sampled_from((None, "NOCASE")))
            type_ = draw(st.sampled_from(types))
            found.append(Column(name=own, type=type_, collation=collation, not_null=some(draw)))
    if some(draw):
        default = draw(st.sampled_from((None, "5", "'5'", "1 + 1", "-15")))
        found.append(Column(name="c", type="INT", default=default, not_null=some(draw)))
    if some(draw):
        found.append(Column(name="p", type="INTEGER"))
    if some(draw):
        made = Generated(
            expression=draw(st.sampled_from(("id || 'x'", "lower(id)"))), stored=some(draw)
        )
        found.append(Column(name="g", type="TEXT", generated=made))
    return tuple(draw(st.permutations(found)))


@st.composite
def tables(draw: st.DrawFn, own: str) -> Table:
    strict = some(draw)
    has = draw(columns(strict=strict))
    names = {column.name for column in has}
    keys = draw(st.sampled_from([(), ("id",), tuple(sorted(names & {"id", "a"}, reverse=True))]))
    key = PrimaryKey(name=draw(st.sampled_from((None, "k"))), columns=keys) if keys else None
    counted = keys == ("id",) and some(draw)
    without_rowid = key is not None and not counted and some(draw)
    needed = set(keys) if without_rowid or strict else {"id"} & set(keys) if len(keys) == 1 else ()
    uniques = [
        Unique(name=draw(st.sampled_from((None, f"u_{column}"))), columns=(column,))
        for column in sorted(names & {"a", "b"})
        if some(draw)
    ]
    checks = [
        Check(name="positive", expression="id > 0", columns=("id",)),
        *([Check(name=None, expression="c != 77", columns=("c",))] if "c" in names else []),
    ]
    foreign = ForeignKey(
        name=draw(st.sampled_from((None, "f"))),
        columns=("p",),
        references=name(draw(st.sampled_from(TABLES))),
        referred_columns=("id",),
        on_delete=draw(st.sampled_from(("NO ACTION", "CASCADE", "SET NULL"))),
        deferrable=draw(st.sampled_from((None, "immediate", "deferred"))),
    )
    return Table(
        name=name(own),
        columns=tuple(replace(c, not_null=c.not_null or c.name in needed) for c in has),
        primary_key=key,
        uniques=tuple(sorted(uniques, key=lambda item: item.name or f"unique {item.columns}")),
        checks=tuple(check for check in checks if some(draw)),
        foreign_keys=(foreign,) if "p" in names and some(draw) else (),
        indexes=tuple(draw(indexes(own, names))),
        strict=strict,
        without_rowid=without_rowid,
        autoincrement=counted,
    )


@st.composite
def indexes(draw: st.DrawFn, table: str, names: set[str]) -> list[Index]:
    keys = [
        IndexColumn(column="id", descending=some(draw)),
        IndexColumn(expression="id + 1"),
        *(IndexColumn(column=own) for own in sorted(names & {"a", "g"})),
    ]
    # The first is on any table, so that its name moves from one to another.
    wanted = (["i"] if table == draw(st.sampled_from(TABLES)) else []) + [f"ix_{table}"]
    return [
        Index(
            name=own,
            columns=tuple(draw(st.lists(st.sampled_from(keys), min_size=1, max_size=2))),
            where=draw(st.sampled_from((None, "id > 1"))),
        )
        for own in wanted
        if some(draw)
    ]


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    found = [draw(tables(own)) for own in TABLES if draw(st.integers(0, 3))]
    seen: set[str] = set()
    kept = []
    for table in found:  # an index has a name of its own in the whole database
        own = tuple(index for index in table.indexes if index.name not in seen)
        seen |= {index.name for index in own}
        kept.append(replace(table, indexes=own))
    views, triggers = [], []
    for number, table in enumerate(kept):
        quoted = '"' + table.name.name + '"'
        if some(draw):
            views.append(View(name=name(f"v{number}"), definition=f"SELECT id FROM {quoted}"))
        if some(draw):
            text = f"CREATE TRIGGER g{number} AFTER DELETE ON {quoted} BEGIN"
            body = f'DELETE FROM "{kept[0].name.name}" WHERE id < 0; END'
            triggers.append(
                Trigger(name=f"g{number}", table=table.name, definition=f"{text} {body}")
            )
    if len(views) > 1 and some(draw):
        read_first = f"SELECT id FROM {views[0].name} UNION SELECT 1"
        views.append(View(name=name("a"), definition=read_first))
    return replace(
        EMPTY_SCHEMA,
        tables=tuple(sorted(kept, key=lambda table: table.name)),
        objects=tuple(sorted((*triggers, *views), key=lambda obj: obj.ref.sort_key)),
    )


def fills(*both: Schema) -> RenderOptions:
    """A value of its own for every row, wherever one may be asked for."""
    return RenderOptions(
        fills={
            f"{table.name.name}.{column.name}": "abs(random() / 2)"
            for schema in both
            for table in schema.tables
            for column in table.columns
        }
    )


def add_rows(database: sqlite3.Connection, schema: Schema) -> None:
    """Three rows a table, no two values of a column alike; ``p`` refers to nothing."""
    for table in schema.tables:
        names = [c.name for c in table.columns if c.generated is None and c.name != "p"]
        for row in (1, 2, 40):
            values = [row * 10 + number for number in range(len(names))]
            marks = ", ".join("?" for _ in names)
            listed = ", ".join(names)
            database.execute(f'INSERT INTO "{table.name.name}" ({listed}) VALUES ({marks})', values)


def values(
    database: sqlite3.Connection, schema: Schema, kept: Schema
) -> dict[tuple[str, str], list[object]]:
    """Of each column that stays as it is: its values, by the row's id."""
    found: dict[tuple[str, str], list[object]] = {}
    for table in schema.tables:
        other = kept.table(table.name)
        for column in table.columns:
            same = other.column(column.name) if other is not None else None
            alike = same is not None and affinity(same.type) == affinity(column.type)
            if same is not None and alike and column.generated == same.generated:
                query = f'SELECT id, quote({column.name}) FROM "{table.name.name}" ORDER BY id'
                found[table.name.name, column.name] = database.execute(query).fetchall()
    return found


@settings(max_examples=60)
@given(schemas())
def test_a_schema_is_built_from_nothing_exactly(wanted: Schema) -> None:
    database = built(script(write(EMPTY_SCHEMA, wanted)))
    assert unlike(read(database), wanted) == []
    assert diff(wanted, wanted) == ()
    database.executescript(script(write(wanted, EMPTY_SCHEMA)))
    assert describe(database) == {}


@settings(max_examples=120)
@given(schemas(), schemas())
def test_changes_lead_there_and_back_and_keep_rows(one: Schema, other: Schema) -> None:
    database = built(script(write(EMPTY_SCHEMA, one)))
    goal = describe(built(script(write(EMPTY_SCHEMA, other))))
    was = describe(database)
    add_rows(database, one)
    before = values(database, one, other)

    database.executescript(script(write(one, other, options=fills(one, other))))
    assert unlike(read(database), other) == []
    assert describe(database) == goal
    assert values(database, other, one) == before

    database.executescript(script(write(other, one, options=fills(one, other))))
    assert unlike(read(database), one) == []
    assert describe(database) == was
    assert values(database, one, other) == before
