"""Partitions that pg_partman or a job creates at run time."""

import re
from pathlib import Path

import pytest

from dbwarden.errors import UnsupportedChange
from dbwarden.operations.diff import check_models, drift
from dbwarden.operations.rollback import rollback
from dbwarden.operations.schema import adopt
from dbwarden.operations.verify import verify
from tests.commands import dbwarden
from tests.integration.authoring.conftest import Project, WithLeftOut

DOCS = Path(__file__).parents[3] / "docs"
EV = """
CREATE TABLE ev (id int NOT NULL, at date NOT NULL, note text, PRIMARY KEY (id, at))
    PARTITION BY RANGE (at);
CREATE INDEX by_note ON ev (note);
CREATE TABLE ev_2025 PARTITION OF ev FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
"""
AT_RUN_TIME = """
CREATE SCHEMA parts;
CREATE TABLE ev_2026 PARTITION OF ev FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE INDEX own ON ev_2026 (note, id);
ALTER TABLE ev_2026 ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON ev_2026 USING (id > 0);
CREATE TABLE parts.ev_2027 PARTITION OF ev FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')
    PARTITION BY LIST (id);
CREATE TABLE parts.ev_2027_1 PARTITION OF parts.ev_2027 FOR VALUES IN (1);
CREATE TABLE parts.ev_rest PARTITION OF ev DEFAULT;
CREATE SEQUENCE parts.counter OWNED BY parts.ev_rest.id;
"""
MODEL = """
class Event(Base):
    __tablename__ = "{table}"
    __table_args__ = (Index("by_note", "note"), {{"postgresql_partition_by": "RANGE (at)"}})
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at = mapped_column(Date, primary_key=True)
    note: Mapped[str | None] = mapped_column(Text)
{more}
"""
OTHER = """
class Other(Base):
    __tablename__ = "other"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
"""
SCORE = "    score: Mapped[int | None] = mapped_column(Integer)"
STEP = 'To compare them, set partitions="all".'


def left(result: WithLeftOut) -> list[str]:
    """Return what *result* lists as left out, as people read it."""
    return [str(item) for item in result.left_out]


def of(table: str, count: int, by: str) -> list[str]:
    return [f"{count} partitions of {table} were left alone: no {by} declares them"]


async def test_diff_leaves_undeclared_partitions_alone_and_counts_them(project: Project) -> None:
    project.migration(1, "-- upgrade\n" + EV)
    await project.migrate()
    await project.execute(AT_RUN_TIME)
    urls = [project.server.url(name) for name in (project.database, "postgres")]
    options = f"database_name='primary', database_url={urls[0]!r}, scratch={urls[1]!r}"
    for _ in range(2):
        project.file(
            "dbwarden.py", f"from dbwarden import database_config\ndatabase_config({options})\n"
        )
        lines = [f"    {line}" for line in (*of("ev", 4, "migration"), STEP)]
        for words in (["diff"], ["diff", "--all", "--workers", "1"]):
            ran = await dbwarden(project.root, *words)
            assert ran.code == 0, ran
            assert ran.out.splitlines()[1:] == ["  left out:", *lines]
        ran = await dbwarden(project.root, "diff", "--json")
        (entry,) = ran.json["databases"][0]["left_out"]
        assert (entry["kind"], entry["name"], entry["count"]) == ("partitions", "ev", 4)
        project.file(
            "dbwarden.py",
            f"from dbwarden import database_config\ndatabase_config({options}, partitions='all')\n",
        )
        ran = await dbwarden(project.root, "diff")
        assert ran.code == 3, ran
        assert "drop table ev_2026" in ran.out
        assert "left out" not in ran.out


async def test_other_drift_is_still_found(project: Project) -> None:
    project.migration(1, "-- upgrade\n" + EV)
    await project.migrate()
    await project.execute(AT_RUN_TIME)
    await project.execute("ALTER TABLE ev ADD sneaky int; CREATE INDEX more ON ev_2025 (id)")
    for _ in range(2):
        found = await drift(project.config)
        assert {item.what for item in found.differences} == {"column ev.sneaky", "index more"}
        assert left(found) == of("ev", 4, "migration")
    await project.execute("ALTER TABLE ev DROP sneaky; DROP TABLE ev_2025")
    assert [item.what for item in (await drift(project.config)).differences] == ["table ev_2025"]


@pytest.mark.long(share=2)
@pytest.mark.parametrize("adopts", [True, False], ids=["baseline", "by hand"])
async def test_models_without_partitions_do_not_drop_them(project: Project, adopts: bool) -> None:
    """Change, rename and drop the table: its partitions stay with it and go with it."""
    if adopts:
        await project.execute(EV + AT_RUN_TIME)
        await adopt(project.config)
    else:
        project.migration(1, "-- upgrade\n" + EV + AT_RUN_TIME)
        await project.migrate()
    project.models(MODEL.format(table="ev", more=""))
    for _ in range(2):
        result = await project.make()
        assert result.agree
        assert left(result) == of("ev", 5, "model")
        assert (await check_models(project.config)).clean
        assert (await drift(project.config, models=True)).clean
    project.models(MODEL.format(table="ev", more=SCORE))
    text = await project.made("score")
    assert "ADD COLUMN score" in text and "ev_2026" not in text.partition("-- upgrade")[2]
    assert (await drift(project.config)).clean
    project.models(MODEL.format(table="events", more=SCORE))
    text = await project.made("rename", renames=["ev:events"])
    assert "RENAME TO events" in text and "DROP" not in text.partition("-- rollback")[0]
    assert left(await project.make("nothing")) == of("events", 5, "model")
    assert (await verify(project.config)).clean
    project.models(OTHER)
    tables = ("ev_2025", "ev_2026", "parts.ev_2027", "parts.ev_2027_1", "parts.ev_rest")
    await project.made("drop", allow_drop=["events", *tables])
    assert not await project.fetch("SELECT FROM pg_class WHERE relname LIKE 'ev%'")


async def test_the_live_database_follows_the_models_next_to_its_partitions(
    project: Project,
) -> None:
    project.models(MODEL.format(table="ev", more=""))
    project.migration(1, "-- upgrade\n" + EV)
    await project.migrate()
    await project.execute(AT_RUN_TIME + "DROP INDEX by_note")
    result = await project.make(from_live=True, sql=True)
    assert result.sql is not None and "CREATE INDEX by_note" in result.sql
    assert "ev_2026" not in result.sql.partition("-- upgrade")[2]
    assert left(result) == of("ev", 5, "model")


async def test_all_partitions_are_compared_on_request(project: Project) -> None:
    project.migration(1, "-- upgrade\n" + EV)
    project = project.with_options(partitions="all")
    project.models(MODEL.format(table="ev", more=""))
    found = await check_models(project.config)
    assert [item.what for item in found.differences] == ["table ev_2025"]
    assert not found.left_out


KEYED = """
CREATE TABLE m (id int NOT NULL, v text) PARTITION BY LIST (id);
CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1);
ALTER TABLE m1 ADD CONSTRAINT m1_pkey PRIMARY KEY (id);
CREATE TABLE r (x int REFERENCES m1);
"""
INDEX = "CREATE UNIQUE INDEX u ON m (id);"


async def test_a_unique_index_over_a_partitions_own_key_is_created_and_dropped(
    project: Project,
) -> None:
    """The partition keeps its key, rows and the foreign keys on it in both directions."""
    project.migration(1, "-- upgrade\n" + KEYED)
    await project.migrate()
    await project.execute("INSERT INTO m VALUES (1, 'a'); INSERT INTO r VALUES (1)")
    schema = project.file("schema.sql", KEYED + INDEX)
    project = project.with_options(schema_paths=(schema,))
    text = await project.made("index")
    assert "CREATE UNIQUE INDEX u" in text and "-- Verdict: exact" in text
    await rollback(project.config)
    keys = "SELECT conname FROM pg_constraint WHERE conname IN ('m1_pkey', 'r_x_fkey') ORDER BY 1"
    assert [row["conname"] for row in await project.fetch(keys)] == ["m1_pkey", "r_x_fkey"]
    assert not await project.fetch("SELECT FROM pg_class WHERE relname = 'u'")
    await project.migrate()
    schema.write_text(KEYED, encoding="utf-8")
    text = await project.made("no index")
    assert "DROP INDEX u" in text and "m1_pkey" not in text and "-- Verdict: exact" in text
    assert (await drift(project.config)).clean
    assert [tuple(row) for row in await project.fetch("TABLE m")] == [(1, "a")]


PLAIN = "CREATE TABLE ev (id int NOT NULL, at date NOT NULL, note text, PRIMARY KEY (id));"
MOVE = re.compile(r"### Change a partition key\n.*?```sql\n(.*?)```", re.DOTALL)


async def test_a_table_becomes_partitioned_as_documented(project: Project) -> None:
    """The error names the way; the file of the documentation moves the rows both ways."""
    project.migration(1, f"-- upgrade\n{PLAIN}\nINSERT INTO ev VALUES (1, '2026-01-01', 'a');\n")
    await project.migrate()
    project.models(MODEL.format(table="ev", more="").replace('Index("by_note", "note"), ', ""))
    with pytest.raises(UnsupportedChange, match="partition key of table ev") as caught:
        await project.make()
    assert '--empty -m "partition ev"' in (caught.value.next_step or "")
    page = (DOCS / "make-migrations.md").read_text(encoding="utf-8")
    found = MOVE.search(page)
    assert found is not None
    file = project.migration(2, found[1])
    await project.migrate()
    assert (await verify(project.config)).clean
    assert (await project.make()).agree
    rows = await project.fetch("SELECT id, note FROM ev_rest")
    assert [tuple(row) for row in rows] == [(1, "a")]
    await rollback(project.config)
    file.unlink()
    assert (await drift(project.config)).clean
    rows = await project.fetch("SELECT id, note FROM ev")
    assert [tuple(row) for row in rows] == [(1, "a")]
