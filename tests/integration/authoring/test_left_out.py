"""Objects that dbwarden does not write are listed by name and do not interfere."""

import pytest

from dbwarden.operations.diff import check_models, drift
from dbwarden.operations.generate_models import generate_models
from dbwarden.operations.schema import adopt, schema_sql
from dbwarden.operations.verify import verify
from tests.commands import dbwarden
from tests.integration.authoring.conftest import Project, WithLeftOut

IMPORTS = """
from sqlalchemy import Column, Index, Integer, MetaData, Table, Text

metadata = MetaData()
"""
DOCUMENTS = """
Table("docs", metadata, Column("id", Integer, primary_key=True), Column("body", Text),
    Index("by_oc", "id", postgresql_ops={"id": "oc"}))
"""
DOCS = "CREATE TABLE docs (id serial PRIMARY KEY, body text);"
ALL_KINDS = {
    "access method": "CREATE ACCESS METHOD am TYPE INDEX HANDLER bthandler;",
    "conversion": "CREATE CONVERSION con FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1;",
    "language": "CREATE LANGUAGE lang HANDLER plpgsql_call_handler;",
    "operator class": "CREATE OPERATOR CLASS oc FOR TYPE int USING btree AS OPERATOR 1 <,"
    " OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int, int);"
    " CREATE INDEX by_oc ON docs (id oc);",
    "operator family": "CREATE OPERATOR FAMILY fam USING btree;",
    "text search parser": "CREATE TEXT SEARCH PARSER par (START = prsd_start,"
    " GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype);",
    "text search template": "CREATE TEXT SEARCH TEMPLATE tmpl (LEXIZE = dsimple_lexize);",
    "transform": "CREATE FUNCTION tr(internal) RETURNS internal LANGUAGE internal IMMUTABLE"
    " AS 'pg_lsn_in'; CREATE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION tr(internal));",
}
OPERATOR_CLASS = ALL_KINDS["operator class"]
NEED_THEM = {("index", "by_oc")}


@pytest.fixture
async def all_kinds(project: Project) -> Project:
    """Return a project whose live database has one object of each kind."""
    for sql in (DOCS, *ALL_KINDS.values()):
        await project.execute(sql)
    return project


def names(result: WithLeftOut) -> set[tuple[str, str]]:
    return {(one.kind, one.name) for one in result.left_out}


async def test_every_kind_is_listed_and_the_rest_is_compared(all_kinds: Project) -> None:
    """A database with one of each, adopted; real drift is still found."""
    project = all_kinds
    for _ in range(2):
        shown = await schema_sql(project.config, live=True)
        assert "CREATE TABLE docs" in shown.sql
    listed = names(shown)
    assert {kind for kind, _ in listed} >= ALL_KINDS.keys()
    assert listed >= NEED_THEM
    models = await generate_models(project.config)
    assert "docs" in models.code
    assert names(models) == listed
    read_adopted = await adopt(project.config)
    assert names(read_adopted) == listed
    text = read_adopted.path.read_text(encoding="utf-8")
    assert "-- Left out: conversion con" in text
    for _ in range(2):
        found = await drift(project.config)
        assert found.clean
        assert names(found) == listed
    await project.execute("ALTER TABLE docs ADD sneaky int")
    for _ in range(2):
        found = await drift(project.config)
        assert [item.what for item in found.differences] == ["column docs.sneaky"]
        assert found.sql == "ALTER TABLE docs DROP COLUMN sneaky;"
        assert names(found) == listed


async def test_the_commands_list_objects_that_were_left_out(project: Project) -> None:
    kinds = ("conversion", "language", "operator family")
    await project.execute(DOCS + "".join(ALL_KINDS[kind] for kind in kinds))
    urls = [project.server.url(name) for name in (project.database, "postgres")]
    project.file(
        "dbwarden.py",
        "from dbwarden import database_config\n"
        f"database_config(database_name='primary', database_url={urls[0]!r},"
        f" scratch={urls[1]!r}, model_paths=['shop'])\n",
    )
    for words in (["schema", "--live"], ["generate-models"], ["baseline"]):
        ran = await dbwarden(project.root, *words)
        assert ran.code == 0, ran
        assert "left out:\n" in ran.err and "    conversion con\n" in ran.err
        assert "dbwarden make-migrations --empty" in ran.err
    for words in (["diff"], ["diff", "--all", "--workers", "1"]):
        ran = await dbwarden(project.root, *words)
        assert ran.code == 0, ran
        assert "no difference.\n  left out:\n" in ran.out and "    conversion con\n" in ran.out
    ran = await dbwarden(project.root, "diff", "--json")
    listed = {(item["kind"], item["name"]) for item in ran.json["databases"][0]["left_out"]}
    assert listed == {
        ("conversion", "con"),
        ("language", "lang"),
        ("operator family", "fam USING btree"),
    }


async def test_an_object_made_by_hand_does_not_interfere(project: Project) -> None:
    """A migration file that makes one of each: nothing to say about it, anywhere."""
    sql = [DOCS, *ALL_KINDS.values()]
    project.migration(1, "-- upgrade\n" + "\n".join(sql) + "\n")
    await project.migrate()
    for _ in range(2):
        found = await drift(project.config)
        assert found.clean
        assert not found.left_out
    assert (await verify(project.config)).clean
    assert ("conversion", "con") in names(await schema_sql(project.config))
    project.models(DOCUMENTS, base=IMPORTS)
    for _ in range(2):
        assert (await check_models(project.config)).clean
    found = await drift(project.config, models=True)
    assert found.clean and not found.left_out
    more = DOCUMENTS.replace('"body", Text)', '"body", Text), Column("n", Integer)')
    project.models(more, base=IMPORTS)
    draft = await project.make(from_live=True, sql=True)
    assert draft.sql is not None and "ADD COLUMN n INTEGER" in draft.sql
    assert not draft.left_out
    await project.made()
    assert (await drift(project.config)).clean


async def test_an_object_only_in_the_schema_file_is_left_out(project: Project) -> None:
    """What it needs to be compared is written by hand; then the rest follows."""
    path = project.file("schema.sql", DOCS + OPERATOR_CLASS)
    project = project.with_options(schema_paths=(path,))
    text = await project.made()
    assert "by_oc" not in text
    assert "CREATE TABLE docs" in text
    found = await project.make()
    assert found.agree
    assert names(found) == {("operator class", "oc USING btree"), *NEED_THEM}
    by_hand, _, index = OPERATOR_CLASS.partition("; ")
    project.migration(2, f"-- upgrade\n{by_hand};\n")
    await project.migrate()
    assert index.rstrip(";") in await project.made()
    assert not (await project.make()).left_out


async def test_objects_that_differ_on_both_sides_are_listed(project: Project) -> None:
    project.migration(1, "-- upgrade\n" + DOCS + ALL_KINDS["conversion"] + "\n")
    await project.migrate()
    await project.execute(
        "DROP CONVERSION con;CREATE CONVERSION con FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8"
    )
    for _ in range(2):
        found = await drift(project.config)
        assert found.clean
        assert names(found) == {("conversion", "con")}
