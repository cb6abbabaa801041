"""Every case, one runner: build, read, diff, write, run, read, diff again, roll back, read."""

import importlib
import pkgutil

import pytest

from dbwarden.dialects.postgresql.ddl import render
from dbwarden.diff import diff
from dbwarden.diff.changes import Rename, RenameValue, Renaming, invert
from dbwarden.diff.statements import RenderOptions
from dbwarden.schema import Kind, QualifiedName, Ref, Schema
from tests.acceptance import cases as package
from tests.acceptance.cases import Case
from tests.acceptance.judging import database, dump, empty, read, run, run_text, settled, unspelled

CASES = [
    pytest.param(case, id=f"{module.name}-{case.name}".replace(" ", "_"))
    for module in pkgutil.iter_modules(package.__path__)
    for case in importlib.import_module(f"{package.__name__}.{module.name}").CASES
]
KINDS = {kind.value: kind for kind in Kind}


def renaming(text: str) -> Renaming:
    """``column users.nick:nickname``, ``table users:members``, ``value mood.sad:low``."""
    kind, _, rest = text.partition(" ")
    old, _, new = rest.partition(":")
    if kind == "value":
        enum, _, value = old.partition(".")
        return RenameValue(enum=QualifiedName("public", enum), before=value, after=new)
    name, _, part = old.partition(".")
    before = Ref(KINDS[kind], "public", name, part or None)
    after = Ref(KINDS[kind], "public", name, new) if part else Ref(KINDS[kind], "public", new)
    return Rename(before=before, after=after)


async def assert_same(url: str, got: tuple[Schema, str], wanted: tuple[Schema, str]) -> None:
    """Equal as schemas and as dumps, once their spelling is settled; spelling alone is."""
    assert diff(unspelled(got[0]), unspelled(wanted[0])) == ()
    if diff(got[0], wanted[0]) == () and got[1] == wanted[1]:
        return
    first, second = await settled(url, got[0]), await settled(url, wanted[0])
    assert diff(first[0], second[0]) == ()
    assert not wanted[1] or first[1] == second[1]


@pytest.mark.parametrize("case", CASES)
async def test_a_change_leads_exactly_there_and_exactly_back(case: Case, cases_url: str) -> None:
    async with database(cases_url) as old_url, database(cases_url) as new_url:
        await run_text(old_url, case.old)
        if (await read(old_url)).server_version < case.since:
            pytest.skip(f"needs PostgreSQL {case.since // 10000}")
        await run_text(new_url, case.new)
        current = await read(old_url, privileges=case.privileges)
        desired = await read(new_url, privileges=case.privileges)
        old_dump, new_dump = dump(old_url), dump(new_url)
        renames = tuple(renaming(text) for text in case.renames)
        options = RenderOptions(using=case.using, fills=case.fills)

        changes = diff(current, desired, renames)
        upgrade = render(changes, current=current, desired=desired, options=options)
        back = diff(desired, current, [r for r in invert(renames) if isinstance(r, Renaming)])
        rollback = render(back, current=desired, desired=current, options=options)
        script = ";\n".join(statement.text for statement in upgrade)
        assert upgrade, "a change must write SQL"
        for word in case.contains:
            assert word in script
        for word in case.lacks:
            assert word not in script

        await run(old_url, upgrade)
        reached = await read(old_url, privileges=case.privileges)
        await assert_same(cases_url, (reached, dump(old_url)), (desired, new_dump))
        await run(old_url, rollback)
        returned = await read(old_url, privileges=case.privileges)
        await assert_same(cases_url, (returned, dump(old_url)), (current, old_dump))
    await assert_built_from_nothing(cases_url, desired, new_dump)


async def assert_built_from_nothing(url: str, wanted: Schema, dumped: str) -> None:
    """A whole schema can be written from nothing, and be taken down to nothing."""
    async with database(url) as made:
        privileges = bool(wanted.grants or wanted.default_privileges)
        nothing = empty(wanted)
        await run(made, render(diff(nothing, wanted), current=nothing, desired=wanted))
        got = await read(made, privileges=privileges)
        await assert_same(url, (got, dump(made)), (wanted, dumped))
        await run(made, render(diff(wanted, nothing), current=wanted, desired=nothing))
        left = await read(made, privileges=privileges)
        assert diff(left, nothing) == ()


ONLINE = [case for case in CASES if str(case.id).startswith(("indexes", "constraints", "columns"))]


@pytest.mark.parametrize("case", ONLINE)
async def test_the_forms_that_do_not_block_lead_to_the_same(case: Case, cases_url: str) -> None:
    async with database(cases_url) as old_url, database(cases_url) as new_url:
        await run_text(old_url, case.old)
        current = await read(old_url)
        if current.server_version < case.since:
            pytest.skip(f"needs PostgreSQL {case.since // 10000}")
        await run_text(new_url, case.new)
        desired = await read(new_url)
        renames = tuple(renaming(text) for text in case.renames)
        options = RenderOptions(using=case.using, fills=case.fills, online=True)

        changes = diff(current, desired, renames)
        await run(old_url, render(changes, current=current, desired=desired, options=options))

        await assert_same(cases_url, (await read(old_url), ""), (desired, ""))
