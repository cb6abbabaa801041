"""Every case, one runner: build, read, diff, write, run, read, diff again, roll back, read."""

import importlib
import pkgutil
from collections.abc import AsyncIterator
from dataclasses import replace

import anyio
import pytest

from dbwarden.dialects.postgresql.ddl import render
from dbwarden.diff import diff
from dbwarden.diff.changes import Rename, RenameValue, Renaming, invert
from dbwarden.diff.statements import RenderOptions, merge_statements
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import DefaultPrivileges, Grant, ObjectKind, QualifiedName, Ref, Schema
from tests.acceptance import cases as package
from tests.acceptance.cases import Case
from tests.acceptance.cases.code import CIRCLE
from tests.acceptance.judging import Database, Judge, empty, judging, unspelled
from tests.acceptance.refusals import REFUSALS, Refusal

CASES = [
    pytest.param(case, id=f"{module.name}-{case.name}".replace(" ", "_"))
    for module in pkgutil.iter_modules(package.__path__)
    for case in importlib.import_module(f"{package.__name__}.{module.name}").CASES
]
KINDS = {kind.value: kind for kind in ObjectKind}


def renaming(text: str) -> Renaming:
    """``column users.nick:nickname``, ``table users:s.members``, ``value mood.sad:low``."""
    kind, _, rest = text.rpartition(" ")
    old, _, new = rest.partition(":")
    if kind == "value":
        enum, _, value = old.partition(".")
        return RenameValue(enum=QualifiedName("public", enum), before=value, after=new)
    if kind == "column":
        table, _, column = old.partition(".")
        first = Ref(ObjectKind.COLUMN, "public", table, column)
        return Rename(before=first, after=replace(first, part=new))
    names = ((None, it) if kind == "subscription" else qualified(it) for it in (old, new))
    before, after = (Ref(KINDS[kind], *name) for name in names)
    return Rename(before=before, after=after)


def qualified(text: str) -> tuple[str, str]:
    """``s.users`` or ``users`` as namespace and name."""
    namespace, _, name = text.rpartition(".")
    return namespace or "public", name


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop for the module: the judge keeps its connections."""
    return "asyncio"


@pytest.fixture(scope="module")
async def judge(cases_url: str, anyio_backend: str) -> AsyncIterator[Judge]:
    """Databases to judge in, shared by all cases."""
    async with judging(cases_url) as made:
        yield made


async def assert_same(
    judge: Judge, database: Database, wanted: Schema, *, privileges: bool
) -> None:
    """Assert that *database* has the *wanted* schema, apart from the spelling of expressions."""
    got = await database.read(privileges=privileges)
    assert diff(unspelled(got), unspelled(wanted)) == ()
    if diff(got, wanted) != ():
        assert diff(await judge.settle(got), await judge.settle(wanted)) == ()


@pytest.mark.long(share=3)
@pytest.mark.parametrize("case", CASES)
async def test_a_change_leads_exactly_there_and_exactly_back(case: Case, judge: Judge) -> None:
    if judge.version < case.since:
        pytest.skip(f"needs PostgreSQL {case.since // 10000}")
    current = await judge.side(case.old, privileges=case.privileges)
    desired = await judge.side(case.new, privileges=case.privileges)
    async with anyio.create_task_group() as group:
        if case.whole and case.new not in judge.built:
            judge.built.add(case.new)
            group.start_soon(assert_built_from_nothing, judge, desired)
        await assert_there_and_back(judge, case, current, desired)


async def assert_there_and_back(judge: Judge, case: Case, current: Schema, desired: Schema) -> None:
    renames = tuple(renaming(text) for text in case.renames)
    options = RenderOptions(using=case.using, fills=case.fills)
    changes = diff(current, desired, renames)
    upgrade = merge_statements(render(changes, current=current, desired=desired, options=options))
    back = diff(desired, current, invert(renames))
    rollback = merge_statements(render(back, current=desired, desired=current, options=options))
    script = ";\n".join(statement.text for statement in upgrade)
    assert upgrade, "a change must write SQL"
    for word in case.contains:
        assert word in script
    for word in case.lacks:
        assert word not in script

    async with judge.database() as database:
        await database.run_text(case.old)
        await database.run(upgrade)
        await assert_same(judge, database, desired, privileges=case.privileges)
        await database.run(rollback)
        await assert_same(judge, database, current, privileges=case.privileges)


async def assert_built_from_nothing(judge: Judge, schema: Schema) -> None:
    """Assert that *schema* can be written from nothing, and be taken down to nothing."""
    privileges = bool(schema.of(Grant) or schema.of(DefaultPrivileges))
    nothing = empty(schema)
    async with judge.database() as made:
        await made.run(render(diff(nothing, schema), current=nothing, desired=schema))
        await assert_same(judge, made, schema, privileges=privileges)
        await made.run(render(diff(schema, nothing), current=schema, desired=nothing))
        assert diff(await made.read(privileges=privileges), nothing) == ()


async def test_written_files_run_statement_by_statement_like_in_psql(judge: Judge) -> None:
    desired = await judge.side(CIRCLE, privileges=False)
    before = empty(desired)
    async with judge.database() as database:
        for item in render(diff(before, desired), current=before, desired=desired):
            await database.run_text(item.text)
        await assert_same(judge, database, desired, privileges=False)
        assert await database.connection.fetchval("SHOW check_function_bodies") == "on"


# test_cases_by_command.py does not run these, because pg_dump reports more: that a child declares a
# column as well as its parent, which parent came first, and the order of columns.
BARELY = "CREATE TABLE b (a int, x int, CONSTRAINT k CHECK (x > 0));"
CHILDREN = "CREATE TABLE c ({}y int) INHERITS (b); CREATE TABLE d () INHERITS (b);"
ALIKE = {
    "a child keeps what its parent loses": (
        BARELY + CHILDREN.format(""),
        "CREATE TABLE b (a int);" + CHILDREN.format("x int CONSTRAINT k CHECK (x > 0), "),
    ),
    "a child changes the type of a column that its parent loses": (
        "CREATE TABLE b (a int, x bigint); CREATE TABLE c (x bigint, y int) INHERITS (b);",
        "CREATE TABLE b (a int); CREATE TABLE c (x int) INHERITS (b);",
    ),
    "a child of a child keeps what its parents lose": (
        "CREATE TABLE b (x int); ALTER TABLE b ADD CONSTRAINT k CHECK (x > 0) NOT VALID;"
        "CREATE TABLE c () INHERITS (b); CREATE TABLE d () INHERITS (c);",
        "CREATE TABLE b (x int); CREATE TABLE c () INHERITS (b);"
        "CREATE TABLE d (CONSTRAINT k CHECK (x > 0)) INHERITS (c);"
        "COMMENT ON CONSTRAINT k ON d IS 'own';",
    ),
    "a child of a child keeps a column that its parents lose": (
        "CREATE TABLE b (a int, x int); CREATE TABLE c (y int) INHERITS (b);"
        "CREATE TABLE d () INHERITS (c);",
        "CREATE TABLE b (a int); CREATE TABLE c (y int) INHERITS (b);"
        "CREATE TABLE d (x int) INHERITS (c);",
    ),
    "a table joins a parent that is new": (
        "CREATE TABLE c (a int);",
        "CREATE TABLE b (a int CHECK (a > 0), v text); CREATE TABLE c () INHERITS (b);",
    ),
    "a table joins a parent that gets more": (
        "CREATE TABLE b (a int CHECK (a > 0)); CREATE TABLE c (a int);",
        "CREATE TABLE b (a int CHECK (a > 0), v text, CHECK (v > 'a'));"
        "CREATE TABLE c () INHERITS (b);",
    ),
    "a table leaves one of two parents": (
        "CREATE TABLE d (w text); CREATE TABLE b (a int, v text);"
        "CREATE TABLE c () INHERITS (b, d);",
        "CREATE TABLE d (w text, y text); CREATE TABLE b (a int, z int);"
        "CREATE TABLE c () INHERITS (d);",
    ),
    "a publication of columns in another order": (
        "CREATE TABLE t (id int PRIMARY KEY);",
        "CREATE TABLE t (a int, id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE t (id, a);",
    ),
    "statistics on a column that is new": (
        "CREATE TABLE t (a int);",
        "CREATE TABLE t (id int, a int); CREATE STATISTICS s (dependencies) ON id, a FROM t;",
    ),
}


@pytest.mark.parametrize("name", ALIKE)
async def test_a_change_leads_to_what_reads_alike(judge: Judge, name: str) -> None:
    old, new = ALIKE[name]
    if "PUBLICATION" in new and judge.version < 150000:
        pytest.skip("needs PostgreSQL 15")
    current, desired = [await judge.side(sql, privileges=False) for sql in (old, new)]
    async with judge.database() as database:
        await database.run_text(old)
        await database.run(render(diff(current, desired), current=current, desired=desired))
        assert diff(await database.read(), desired) == ()
        await database.run(render(diff(desired, current), current=desired, desired=current))
        assert diff(await database.read(), current) == ()


async def test_names_generated_by_the_server_are_equal(judge: Judge) -> None:
    """Which of two gets the number depends on which was made first: that is nobody's wish."""
    table = "CREATE TABLE m (id int) PARTITION BY RANGE (id);"
    part = "CREATE TABLE m1 PARTITION OF m FOR VALUES FROM (0) TO (9);"
    first = "CREATE INDEX a ON m (id) WHERE id > 1;"
    second = "CREATE INDEX b ON m (id) WHERE id > 2;"
    one = await judge.side(table + part + first + second, privileges=False)
    other = await judge.side(table + part + second + first, privileges=False)
    assert one != other
    assert diff(one, other) == ()


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda item: item.names)
async def test_an_unsupported_schema_is_an_error_that_names_the_object(
    refusal: Refusal, judge: Judge
) -> None:
    if judge.version < refusal.since:
        pytest.skip(f"needs PostgreSQL {refusal.since // 10000}")
    current = await judge.side(refusal.old, privileges=False)
    desired = await judge.side(refusal.new, privileges=False)
    with pytest.raises(UnsupportedChange) as caught:
        render(diff(current, desired), current=current, desired=desired)
    assert refusal.names in caught.value.message
    assert caught.value.next_step
