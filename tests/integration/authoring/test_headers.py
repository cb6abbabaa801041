"""Headers describe the effect on tables with rows, and verify agrees with them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import DBWardenError
from dbwarden.operations.make_migrations import make_migrations
from dbwarden.operations.migrate import migrate
from dbwarden.operations.rollback import rollback
from dbwarden.operations.verify import verify
from dbwarden.types import DatabaseName
from tests.integration.authoring.conftest import Project

T = "CREATE TABLE t (id int PRIMARY KEY, {});"
ENUM = "CREATE TYPE st AS ENUM ({});"
MANY, FEWER = "'a', 'b', 'c', 'gone'", "'a', 'b', 'c'"
GONE = "Fails on rows where a value of st is 'gone'"
REFUSED = 'Fails where tables have rows: invalid input value for enum st: "gone"'
WITHOUT = "exact without rows"
CODE = "CREATE DOMAIN code AS text CHECK (VALUE ~ '^[A-Z]{3}-[0-9]+$');"
ALLOWED = {"allow_drop": ["st.gone"]}


@dataclass(frozen=True, kw_only=True)
class Case:
    """Two schemas as SQL, the verdict on the change, and what else the header says but locks."""

    old: str
    new: str
    verdict: str = "exact"
    notes: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    since: int = 14


def enum(columns: str, **more: Any) -> Case:
    """An enum loses a value that rows may have."""
    return Case(
        old=ENUM.format(MANY) + columns,
        new=ENUM.format(FEWER) + columns,
        **{"verdict": WITHOUT, "notes": (GONE, REFUSED), "options": ALLOWED, **more},
    )


def typed(old: str, new: str, *notes: str, **more: Any) -> Case:
    """A column of another type."""
    return Case(old=T.format(f"v {old}"), new=T.format(f"v {new}"), notes=notes, **more)


CASES = {
    # an enum loses a value
    "an enum, required": enum(T.format("s st NOT NULL")),
    "an enum, nullable": enum(T.format("s st")),
    "an enum with a default": enum(T.format("s st NOT NULL DEFAULT 'a'")),
    "an array of an enum": enum(T.format("s st[]")),
    "a domain over an enum": enum("CREATE DOMAIN d AS st;" + T.format("s d")),
    "a composite type with an enum": enum("CREATE TYPE c AS (n int, s st);" + T.format("s c")),
    "an enum in a table that refers to another": enum(
        "CREATE TABLE p (id int PRIMARY KEY);" + T.format("s st, p int NOT NULL REFERENCES p")
    ),
    "an enum whose value is mapped": enum(
        T.format("s st"),
        verdict="loses t.s",
        notes=("Changes values of t.s; a rollback leaves them changed",),
        options={
            **ALLOWED,
            "using": {"t.s": "(CASE s::text WHEN 'gone' THEN 'a' ELSE s::text END)::st"},
        },
    ),
    "an enum that no column has": enum("", verdict="exact", notes=()),
    "a list in a check": Case(
        old=T.format(f"s text CONSTRAINT k CHECK (s IN ({MANY}))"),
        new=T.format(f"s text CONSTRAINT k CHECK (s IN ({FEWER}))"),
        verdict=WITHOUT,
        notes=(
            'Fails where tables have rows: check constraint "k" of relation "t" is violated by'
            " some row",
        ),
    ),
    # no values can be generated
    "a domain with a pattern": Case(
        old=CODE + T.format("c code, n int"),
        new=CODE + T.format("c text, n bigint"),
        verdict=WITHOUT,
        notes=(
            "The rollback fails on rows where t.n does not fit integer",
            "No values could be generated for t.c",
        ),
    ),
    "a required domain with a pattern": Case(
        old=CODE + T.format("c code NOT NULL"),
        new=CODE + T.format("c code NOT NULL, n int"),
        verdict=WITHOUT,
        notes=("The rollback destroys t.n", "No values could be generated for t"),
    ),
    "a domain with a pattern that the change is not about": Case(
        old=CODE + T.format("c code"),
        new=CODE + T.format("c code, n int"),
        notes=("The rollback destroys t.n",),
    ),
    # ranges are not empty
    "a key without overlaps": Case(
        old="CREATE EXTENSION btree_gist; CREATE TABLE t (r int, d tstzrange, PRIMARY KEY (r, d));",
        new="CREATE EXTENSION btree_gist; CREATE TABLE t (r int, d tstzrange,"
        " PRIMARY KEY (r, d WITHOUT OVERLAPS));",
        since=18,
    ),
    "ranges that may not be empty and may not overlap": Case(
        old=T.format("a int4range NOT NULL, b daterange, c tsmultirange"),
        new=T.format("a int4range NOT NULL, b daterange CHECK (NOT isempty(b)), c tsmultirange")
        + "ALTER TABLE t ADD EXCLUDE USING gist (a WITH &&), ADD EXCLUDE USING gist (b WITH &&),"
        " ADD CHECK (NOT isempty(c));",
    ),
    # times and zones
    "a timestamp gets a zone": typed("timestamp", "timestamptz"),
    "timestamps get a zone": typed("timestamp[]", "timestamptz[]"),
    "a range gets a zone": typed("tsrange", "tstzrange"),
    "a time gets a zone": typed("time", "timetz", "The rollback changes values of t.v written"
        " meanwhile"),
    "a date becomes a time": typed("date", "timestamptz", "The rollback changes values of t.v"
        " written meanwhile"),
    # types that hold more or less
    "a longer text": typed(
        "varchar(50)",
        "varchar(100)",
        "The rollback fails on rows where t.v does not fit character varying(50)",
    ),
    "a shorter text": typed(
        "varchar(100)", "varchar(50)", "Fails on rows where t.v does not fit character varying(50)"
    ),
    "any text": typed(
        "varchar(50)",
        "text",
        "The rollback fails on rows where t.v does not fit character varying(50)",
    ),
    "a whole number becomes an amount": typed(
        "int",
        "numeric(20, 4)",
        "The rollback changes values of t.v written meanwhile",
        "The rollback fails on rows where t.v does not fit integer",
    ),
    "a whole number becomes a larger one": typed(
        "int", "bigint", "The rollback fails on rows where t.v does not fit integer"
    ),
    "an amount becomes a whole number": typed(
        "numeric(6, 2)",
        "int",
        "Changes values of t.v; a rollback leaves them changed",
        "The rollback fails on rows where t.v does not fit numeric(6,2)",
        verdict="loses t.v",
        options={"allow_drop": ["t.v"]},
    ),
}  # fmt: skip


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


async def made(config: DatabaseConfig, schema: Path, case: Case) -> Any:
    """Write and apply both schemas; see that a second run agrees, and that verify does."""
    write(schema, case.old)
    await make_migrations(config, message="old")
    await migrate(config)
    write(schema, case.new)
    result = await make_migrations(config, message="new", **case.options)
    await migrate(config)
    assert (await make_migrations(config, message="nothing")).agree
    (*_, found) = (await verify(config)).migrations
    assert (found.verdict, found.findings, found.problem) == (case.verdict, (), None)
    return result


@pytest.mark.long(share=3)
@pytest.mark.parametrize("name", CASES)
async def test_the_header_is_true_of_tables_with_rows(name: str, project: Project) -> None:
    case = CASES[name]
    project.needs(case.since)
    schema = project.file("schema.sql", "")
    project.options["schema_paths"] = (schema,)
    result = await made(project.config, schema, case)
    assert (result.verdict, result.notes) == (case.verdict, case.notes)
    header = " ".join(result.path.read_text().partition("-- upgrade")[0].replace("--", "").split())
    assert f"Verdict: {case.verdict} (tried on" in header
    assert all(" ".join(note.split()) in header for note in case.notes)


LITE = {
    "a list in a check": Case(
        old=T.format(f"s VARCHAR(4) CHECK (s IN ({MANY}))"),
        new=T.format(f"s VARCHAR(4) CHECK (s IN ({FEWER}))"),
        verdict=WITHOUT,
        notes=(f"Fails where tables have rows: CHECK constraint failed: s IN ({FEWER})",),
    ),
    "a required text with a pattern": Case(
        old=T.format("c TEXT NOT NULL CHECK (c GLOB 'xx[0-9]-[A-Z]'), n INTEGER"),
        new=T.format("c TEXT NOT NULL CHECK (c GLOB 'xx[0-9]-[A-Z]'), n TEXT"),
        verdict=WITHOUT,
        notes=("The rollback changes values of t.n written meanwhile",
               "No values could be generated for t"),
    ),
    "a longer text": typed("VARCHAR(50)", "VARCHAR(100)"),
    "a whole number becomes an amount": typed("INTEGER", "NUMERIC(20, 4)"),
}  # fmt: skip


@pytest.mark.parametrize("name", LITE)
async def test_the_header_is_true_on_sqlite(name: str, tmp_path: Path) -> None:
    case, schema = LITE[name], tmp_path / "schema.sql"
    config = DatabaseConfig(
        database_name=DatabaseName("app"),
        database_type="sqlite",
        database_url=f"sqlite:///{tmp_path}/app.db",
        root=tmp_path,
        migrations_dir=tmp_path / "migrations" / "app",
        schema_paths=(schema,),
    )
    result = await made(config, schema, case)
    assert (result.verdict, result.notes) == (case.verdict, case.notes)


Prepared = Callable[[Case], Any]


@pytest.fixture
def prepared(project: Project) -> Prepared:
    """Apply the old schema of a case, write the change, and insert rows before it is applied."""

    async def prepare(case: Case, rows: str) -> None:
        schema = project.file("schema.sql", case.old)
        project.options["schema_paths"] = (schema,)
        await project.make("old")
        await project.migrate()
        write(schema, case.new)
        await project.make("new", **case.options)
        await project.fetch(rows)

    return prepare  # type: ignore[return-value]  # its second argument


async def test_a_lost_enum_value_stops_the_file_and_changes_nothing(
    project: Project, prepared: Callable[..., Any]
) -> None:
    await prepared(CASES["an enum, nullable"], "INSERT INTO t VALUES (1, 'gone')")
    with pytest.raises(DBWardenError, match='invalid input value for enum st: "gone"'):
        await project.migrate()
    assert [tuple(row) for row in await project.fetch("SELECT s FROM t")] == [("gone",)]


async def test_a_rollback_to_a_shorter_text_stops_and_loses_nothing(
    project: Project, prepared: Callable[..., Any]
) -> None:
    await prepared(CASES["a longer text"], "INSERT INTO t VALUES (1, 'short')")
    await project.migrate()
    await project.fetch("INSERT INTO t VALUES (2, repeat('x', 60))")
    with pytest.raises(DBWardenError, match="value too long"):
        await rollback(project.config)
    found = await project.fetch("SELECT length(v) AS n FROM t ORDER BY id")
    assert [row["n"] for row in found] == [5, 60]


ZONES = {
    "a timestamp gets a zone": ("'2024-06-01 12:00'", "'2024-06-01 12:00+00'"),
    "timestamps get a zone": ("'{2024-06-01 12:00}'", "'{2024-06-01 12:00+00}'"),
    "a range gets a zone": (
        "'[2024-06-01 12:00,2024-06-02 12:00)'",
        "'[2024-06-01 12:00+00,2024-06-02 12:00+00)'",
    ),
    "a time gets a zone": ("'12:00'", "'12:00+00'"),
    "a date becomes a time": ("'2024-06-01'", "'2024-06-01 00:00+00'"),
}


@pytest.mark.parametrize("name", ZONES)
async def test_times_without_a_zone_are_utc_in_any_session(
    name: str, project: Project, prepared: Callable[..., Any]
) -> None:
    case, (old, new) = CASES[name], ZONES[name]
    await project.fetch(f"ALTER DATABASE {project.database} SET TimeZone TO 'Asia/Tokyo'")
    await prepared(case, f"INSERT INTO t VALUES (1, {old})")
    await project.migrate()
    assert await project.fetch(f"SELECT FROM t WHERE v = {new}")
    await rollback(project.config)
    assert await project.fetch(f"SELECT FROM t WHERE v = {old}")


async def test_the_user_may_choose_another_time_zone(project: Project) -> None:
    case = CASES["a timestamp gets a zone"]
    schema = project.file("schema.sql", case.old)
    project.options["schema_paths"] = (schema,)
    await project.make("old")
    write(schema, case.new)
    result = await project.make("new", using={"t.v": "v AT TIME ZONE 'Asia/Tokyo'"}, sql=True)
    upgrade, _, back = (result.sql or "").partition("-- rollback")
    assert "USING v AT TIME ZONE 'Asia/Tokyo'" in upgrade
    assert "Review: times without a zone are taken as UTC" not in upgrade
    assert "Review: times without a zone are taken as UTC; pass --using or --rollback-using" in back
