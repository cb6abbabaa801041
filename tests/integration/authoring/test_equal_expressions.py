"""Expressions with the same meaning are equal in any spelling."""

from itertools import starmap

import pytest

from dbwarden.operations.diff import DiffResult, check_models, drift
from dbwarden.operations.schema import adopt
from tests.integration.authoring.conftest import Project

# Type in the database, default in the database, type of the model, server_default of the model.
EQUAL = {
    "now": ("timestamptz", "CURRENT_TIMESTAMP", "DateTime(timezone=True)", "func.now()"),
    "transaction": ("timestamptz", "transaction_timestamp()", "DateTime(True)", "func.now()"),
    "local": ("timestamp", "LOCALTIMESTAMP", "DateTime", "func.now()"),
    "precise": (
        "timestamp(3)",
        "now()",
        "postgresql.TIMESTAMP(precision=3)",
        "text('now()::timestamp')",
    ),
    "day": ("date", "now()::date", "Date", "func.current_date()"),
    "clock": ("time", "LOCALTIME", "Time", "func.now()"),
    "who": ("text", '"current_user"()', "Text", "func.user()"),
    "role": ("text", "CURRENT_ROLE", "Text", "func.current_user()"),
    "session": ("text", "SESSION_USER", "Text", "text('pg_catalog.session_user()')"),
    "catalog": ("text", "current_catalog", "Text", "func.current_database()"),
    "varying": ("varchar(9)", "'x'::text", "String(9)", "'x'"),
    "small": ("smallint", "0", "SmallInteger", "'0'"),
    "big": ("bigint", "'1'::bigint", "BigInteger", "text('1')"),
    "money": ("numeric(10,2)", "0.00", "Numeric(10, 2)", "'0'"),
    "flag": ("boolean", "'t'::text::boolean", "Boolean", "true()"),
    "words": ("text[]", "ARRAY[]::text[]", "ARRAY(Text)", "'{}'"),
    "document": ("jsonb", "'{}'::json", "JSONB", "'{}'"),
    "pause": ("interval", "'1 day 00:00'", "Interval", '"1 day"'),
    "choice": ("mood[]", "ARRAY[]::mood[]", "ARRAY(MOOD)", "'{}'"),
}
DIFFERENT = {
    "clock": ("timestamptz", "clock_timestamp()", "DateTime(True)", "func.now()"),
    "statement": ("timestamptz", "statement_timestamp()", "DateTime(True)", "func.now()"),
    "rounded": ("timestamptz", "CURRENT_TIMESTAMP(3)", "DateTime(True)", "func.now()"),
    "session": ("text", "SESSION_USER", "Text", "func.current_user()"),
    "zone": ("timestamp", "timezone('utc', now())", "DateTime", "func.now()"),
    "cut": ("varchar(3)", "'abcdef'", "String(3)", "'abcxyz'"),
    "letter": ("text", "'A'", "Text", "'a'"),
    "function": ("int", "one()", "Integer", "text('1')"),
}
MADE_FOR_IT = ("routine one()", "enum mood")
Pairs = dict[str, tuple[str, str, str, str]]
MODEL = """
from sqlalchemy.dialects import postgresql
MOOD = Enum("sad", name="mood")
class T(Base):
    __tablename__ = "t"
    id = Column(Integer, primary_key=True)
    {columns}
"""


async def build(project: Project, pairs: Pairs) -> None:
    """Make the table, and models that say the same in other words."""
    await project.fetch("CREATE TYPE mood AS ENUM ('sad')")
    columns = [f"{name} {there} DEFAULT {value}" for name, (there, value, *_) in pairs.items()]
    await project.fetch(f"CREATE TABLE t (id serial PRIMARY KEY, {', '.join(columns)})")
    items = ((name, type_, value) for name, (*_, type_, value) in pairs.items())
    model(project, *starmap("{} = Column({}, server_default={})".format, items))


def model(project: Project, *columns: str) -> None:
    project.models(MODEL.format(columns="\n    ".join(columns)))


async def differences(project: Project) -> list[str]:
    """What differs, found twice: the second time with the help of the cache."""
    first, second = [await drift(project.config, models=True) for _ in range(2)]
    assert first == second
    return find_expressions(first)


def find_expressions(result: DiffResult) -> list[str]:
    return [item.what for item in result.differences if item.what not in MADE_FOR_IT]


async def test_defaults_that_mean_the_same_are_no_difference(project: Project) -> None:
    await build(project, EQUAL)
    assert await differences(project) == []
    await adopt(project.config)
    assert (await check_models(project.config)).clean
    assert (await project.make()).agree


async def test_defaults_that_mean_something_else_are_differences(project: Project) -> None:
    await project.fetch("CREATE FUNCTION one() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'")
    await build(project, DIFFERENT)
    found = await differences(project)
    assert sorted(set(found)) == [f"column t.{name}" for name in sorted(DIFFERENT)], found


async def test_the_same_change_of_many_defaults_is_one_difference(project: Project) -> None:
    same = ("timestamptz", "clock_timestamp()", "DateTime(True)", "func.now()")
    await build(project, {"a": same, "b": same, "c": ("int", "1", "Integer", "'2'")})
    assert await differences(project) == [
        "default of 2 columns from clock_timestamp() to now(): t.a, t.b",
        "column t.c",
    ]


async def test_a_column_that_changes_otherwise_keeps_its_equal_default(project: Project) -> None:
    await build(project, {"a": ("timestamptz", "CURRENT_TIMESTAMP", "DateTime(True)", "''")})
    model(project, "a = Column(DateTime(True), nullable=False, server_default=func.now())")
    sql = (await drift(project.config, models=True)).sql
    assert "SET NOT NULL" in sql
    assert "DEFAULT" not in sql


EVERYWHERE = """
CREATE TABLE t (
    id serial PRIMARY KEY, kind varchar(9), made timestamptz, mood mood, who text,
    wide text GENERATED ALWAYS AS ((kind)::text || ('x'::varchar)::text) STORED,
    CONSTRAINT known CHECK (kind = ANY ('{a,b}'::text[])),
    CONSTRAINT past CHECK (made < CURRENT_TIMESTAMP),
    CONSTRAINT glad CHECK (mood = ANY ('{sad}'::mood[])),
    CONSTRAINT once EXCLUDE USING btree (((kind)::text || ('x'::varchar)::text) WITH =)
        WHERE (kind = ANY ('{a,b}'::text[]))
)
"""
STAMP = "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$"
MORE_OF_IT = (
    "CREATE INDEX few ON t (lower(kind)) WHERE kind = ANY ('{a,b}'::text[])",
    "CREATE POLICY own ON t USING (who = CURRENT_USER AND kind = ANY ('{a,b}'::text[]))",
    "CREATE VIEW young AS SELECT id FROM t WHERE made > CURRENT_TIMESTAMP - '1 day'::interval",
    "CREATE TRIGGER stamp BEFORE UPDATE OF kind ON t FOR EACH ROW WHEN ("
    "old.kind IS DISTINCT FROM new.kind AND new.kind = ANY ('{a,b}'::text[])"
    ") EXECUTE FUNCTION stamp('x')",
    "CREATE RULE still AS ON UPDATE TO t WHERE new.kind = ANY ('{a,b}'::text[]) DO INSTEAD NOTHING",
    "CREATE STATISTICS pair ON who, (kind = ANY ('{a,b}'::text[])) FROM t",
    "CREATE TABLE days (day date) PARTITION BY RANGE (day)",
    "CREATE TABLE later PARTITION OF days FOR VALUES FROM ('2026-01-01'::date) TO (MAXVALUE)",
    "CREATE DOMAIN code AS varchar(9) DEFAULT 'a'::text CHECK (value = ANY ('{a,b}'::text[]))",
)


def in_other_words(text: str) -> str:
    replaced = {
        "'{a,b}'::text[]": "ARRAY['a'::varchar, 'b']",
        "'{sad}'::mood[]": "ARRAY['sad'::mood]",
        "('x'::varchar)::text": "'x'::text",
        "CURRENT_TIMESTAMP": "now()",
        "CURRENT_USER": "USER",
        "'2026-01-01'::date": "'1-jan-2026'",
        "'a'::text": "'a'",
    }
    for one, other in replaced.items():
        text = text.replace(one, other)
    return text


@pytest.mark.parametrize("other", [in_other_words, lambda text: text.replace("'{a", "'{b")])
async def test_expressions_everywhere_are_compared_by_their_meaning(
    project: Project, other: object
) -> None:
    assert callable(other)
    before = ("CREATE TYPE mood AS ENUM ('sad')", STAMP)
    statements = (*before, EVERYWHERE, *MORE_OF_IT)
    for statement in statements:
        await project.fetch(statement)
    project.migration(1, "-- upgrade\n" + ";\n".join(map(other, statements)) + ";\n")
    first, second = [find_expressions(await drift(project.config)) for _ in range(2)]
    assert first == second
    changed = [
        *("constraint known on t", "constraint once on t", "domain code", "index few"),
        *("policy own on t", "rule still on t", "statistics object pair", "trigger stamp on t"),
    ]
    assert sorted(set(first)) == ([] if other is in_other_words else changed)
