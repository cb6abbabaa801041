"""Each change of models becomes a migration that leaves no difference."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from dbwarden.errors import StatementFailed, UsageError
from dbwarden.operations.rollback import rollback
from tests.integration.authoring.conftest import Project
from tests.integration.authoring.user_model import HEAD


@dataclass(frozen=True, kw_only=True)
class Case:
    """Models before and after, as lines behind ``HEAD``, and words of the upgrade."""

    old: str
    new: str
    words: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    verdict: str = "exact"
    options: dict[str, Any] = field(default_factory=dict)


CASES = {
    "a nullable column": Case(
        old="",
        new="    nick: Mapped[str | None] = mapped_column(String(20))",
        words=("ADD COLUMN nick VARCHAR(20)",),
    ),
    "a column with a fill": Case(
        old="",
        new="    email: Mapped[str]",
        words=("UPDATE users SET email = '' WHERE email IS NULL", "SET NOT NULL"),
        options={"fills": {"users.email": "''"}},
    ),
    "a NOT NULL column without a fill is marked": Case(
        old="",
        new="    email: Mapped[str]",
        words=("-- Fails where tables have rows:",),
        options={"allow_failing_on_rows": True},
        verdict="exact without rows",
    ),
    "a dropped column": Case(
        old="    email: Mapped[str | None]",
        new="",
        words=("DROP COLUMN email", "-- Destroys users.email"),
        verdict="loses users.email",
        options={"allow_drop": ["users.email"]},
    ),
    "a renamed column": Case(
        old="    nick: Mapped[str | None]",
        new="    nickname: Mapped[str | None]",
        words=("RENAME COLUMN nick TO nickname",),
        options={"renames": ["users.nick:nickname"]},
    ),
    "a column renamed by its info": Case(
        old="    nick: Mapped[str] = mapped_column(index=True)",
        new="    nickname: Mapped[str] = mapped_column(index=True, info={'renamed_from': 'nick'})",
        words=("RENAME COLUMN nick TO nickname", "RENAME TO ix_users_nickname"),
        absent=("DROP",),
    ),
    "a type with a conversion": Case(
        old="    age: Mapped[str | None]",
        new="    age: Mapped[int | None]",
        words=("USING nullif(age, '')::int",),
        verdict="loses users.age",
        options={
            "using": {"users.age": "nullif(age, '')::int"},
            "allow_drop": ["users.age"],
        },
    ),
    "a type without a way back": Case(
        old="    flags: Mapped[dict] = mapped_column(JSONB)",
        new="    flags: Mapped[list[str]] = mapped_column(ARRAY(String))",
        words=(
            "USING ARRAY[flags::text]",
            "There is no way back: PostgreSQL has no conversion of users.flags",
            "Pass the conversion: --rollback-using users.flags='<expression>'.",
        ),
        verdict="irreversible",
        options={
            "using": {"users.flags": "ARRAY[flags::text]"},
            "allow_drop": ["users.flags"],
        },
    ),
    "a type with a conversion each way": Case(
        old="    flags: Mapped[dict] = mapped_column(JSONB)",
        new="    flags: Mapped[list[str]] = mapped_column(ARRAY(String))",
        words=("USING ARRAY[flags::text]", "USING flags[1]::jsonb"),
        absent=("no way back",),
        verdict="loses users.flags",
        options={
            "using": {"users.flags": "ARRAY[flags::text]"},
            "rollback_using": {"users.flags": "flags[1]::jsonb"},
            "allow_drop": ["users.flags"],
        },
    ),
    "an enum value in the middle": Case(
        old="    mood: Mapped[str] = mapped_column(Enum('sad', 'ok', name='mood'))",
        new="    mood: Mapped[str] = mapped_column(Enum('sad', 'fine', 'ok', name='mood'))",
        words=("ALTER TYPE mood ADD VALUE 'fine' AFTER 'sad'",),
    ),
    "an enum value that is renamed": Case(
        old="    mood: Mapped[str] = mapped_column(Enum('sad', 'ok', name='mood'))",
        new="    mood: Mapped[str] = mapped_column(Enum('sad', 'fine', name='mood'))",
        words=("ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'",),
        options={"renames": ["mood.ok:fine"]},
    ),
    "an expression index and a partial one": Case(
        old="    email: Mapped[str | None]",
        new="""
    email: Mapped[str | None] = mapped_column()
    __table_args__ = (
        Index("ix_low", func.lower(email)),
        Index("ix_some", "email", unique=True, postgresql_where=text("email IN ('a', 'b')")),
    )
""",
        words=(
            "CREATE INDEX ix_low ON users (lower(email))",
            "WHERE email IN ('a', 'b')",
        ),
    ),
    "a check": Case(
        old="    age: Mapped[int | None]",
        new="""
    age: Mapped[int | None]
    __table_args__ = (CheckConstraint("age IN (1, 2, 3)", name="some_ages"),)
""",
        words=("ADD CONSTRAINT some_ages CHECK (age IN (1, 2, 3))",),
    ),
    "a default": Case(
        old="    tags: Mapped[list[str]] = mapped_column(ARRAY(String))",
        new="    tags: Mapped[list[str]] = mapped_column(ARRAY(String), server_default='{}')",
        words=("SET DEFAULT '{}'",),
    ),
    "comments": Case(
        old="",
        new="""
    email: Mapped[str | None] = mapped_column(comment="it's the address")
    __table_args__ = {"comment": "who\\nuses it"}
""",
        words=("COMMENT ON COLUMN users.email IS 'it''s the address'",),
    ),
    "a unique constraint": Case(
        old="    email: Mapped[str | None]",
        new="    email: Mapped[str | None] = mapped_column(unique=True)",
        words=("UNIQUE (email)",),
    ),
    "checks at columns and of domains": Case(
        old="    one: Mapped[str | None]",
        new="""    one: Mapped[str | None] = mapped_column(
        CheckConstraint("one IN ('a')", name="ck_one"))
    two: Mapped[str | None] = mapped_column(
        CheckConstraint("two IN ('a','b')"), CheckConstraint("two NOT IN ('a','c')"))
    three: Mapped[str | None] = mapped_column(
        DOMAIN("three", String, check=text("VALUE IN ('a','b')"), constraint_name="ck_three"))
    four: Mapped[str | None] = mapped_column(Computed("CASE WHEN one IN ('a','b') THEN 'x' END"))
    five: Mapped[str | None] = mapped_column(
        Enum("a", "b", native_enum=False, create_constraint=True, name="ck_five"))
    __table_args__ = (CheckConstraint("one in ('q','r') or two in ('a','b')"),)""",
        words=(
            "ADD CONSTRAINT ck_one CHECK (one IN ('a'))",
            " CHECK (two IN ('a','b'))",
            " CHECK (two NOT IN ('a','c'))",
            "CONSTRAINT ck_three CHECK (VALUE IN ('a','b'))",
            "(CASE WHEN one IN ('a','b') THEN 'x' END)",
            "ADD CONSTRAINT ck_five CHECK (five IN ('a', 'b'))",
            "ADD CONSTRAINT users_check CHECK (one in ('q','r') or two in ('a','b'))",
        ),
        absent=("ANY (",),
        verdict="exact without rows",  # the rows that are generated violate the checks
    ),
    "online": Case(
        old="    email: Mapped[str | None]",
        new="    email: Mapped[str | None] = mapped_column(index=True)",
        words=("-- @dbwarden:autocommit\nCREATE INDEX CONCURRENTLY ix_users_email",),
        options={"online": True},
    ),
}


@pytest.mark.long(share=3)
@pytest.mark.parametrize("name", CASES)
async def test_a_change_is_written_and_proven(project: Project, name: str) -> None:
    case = CASES[name]
    project.models(f"{HEAD}{case.old}\n")
    await project.made("before")
    project.models(f"{HEAD}{case.new}\n")
    text = await project.made("after", **case.options)
    for word in case.words:
        assert word in text
    for word in case.absent:
        assert word not in text
    assert f"-- Verdict: {case.verdict} (tried on PostgreSQL" in text


async def test_a_table_renamed_by_its_info_keeps_its_rows_and_counter(project: Project) -> None:
    project.models(HEAD + "    email: Mapped[str | None] = mapped_column(unique=True)\n")
    await project.made("before")
    await project.fetch("INSERT INTO users (email) VALUES ('a'), ('b')")
    project.models(
        HEAD.replace('"users"', '"people"')
        + "    email: Mapped[str | None] = mapped_column(unique=True)\n"
        + "    __table_args__ = {'info': {'renamed_from': 'users'}}\n"
    )
    text = await project.made("after")
    assert "ALTER TABLE users RENAME TO people" in text
    assert "DROP" not in text
    rows = await project.fetch("INSERT INTO people (email) VALUES ('c') RETURNING id")
    assert rows[0]["id"] == 3


async def test_an_extension_upgrade_without_a_downgrade_is_irreversible(project: Project) -> None:
    event = 'event.listen(Base.metadata, "before_create", DDL("CREATE EXTENSION pg_trgm{}"))\n'
    project.models(f"{HEAD}{event.format(chr(32) + 'VERSION ' + repr('1.3'))}")
    await project.made("before")
    project.models(f"{HEAD}{event.format('')}")
    text = await project.made("after")
    assert "-- Verdict: irreversible" in text
    assert 'There is no way back: extension "pg_trgm" has no update path from' in text
    assert "ALTER EXTENSION pg_trgm UPDATE;" in text


async def test_a_conversion_that_loses_data_is_reported(project: Project) -> None:
    project.models(HEAD + "    size: Mapped[object] = mapped_column(Numeric(6, 2))\n")
    await project.made("before")
    project.models(HEAD + "    size: Mapped[int] = mapped_column(SmallInteger)\n")
    with pytest.raises(UsageError, match=r"size \(numeric\(6,2\) becomes smallint\)") as caught:
        await project.make("after")
    assert str(caught.value.next_step).endswith("--allow-loss users.size")


async def test_a_renamed_index_is_in_its_tables_section(project: Project) -> None:
    index = "    __table_args__ = (Index('{}', 'id'),)\n"
    project.models(HEAD + index.format("before"))
    await project.made("before")
    project.models(HEAD + "    nick: Mapped[str | None]\n" + index.format("after"))
    text = await project.made("after")
    assert "ALTER INDEX before RENAME TO after" in text
    assert text.count("-- table users\n") == 2  # one of the upgrade, one of the rollback
    assert "-- index" not in text


async def test_rows_are_lost_only_where_the_header_declares_it(project: Project) -> None:
    project.models(HEAD + "    at: Mapped[object | None] = mapped_column(DateTime)\n")
    await project.made("before")
    project.models(HEAD + "    at: Mapped[object | None] = mapped_column(Date)\n")
    text = await project.made("after", allow_drop=["users.at"])
    assert "-- Verdict: loses users.at" in text
    assert "and rewrites it" in text


async def test_a_rewrite_that_needs_utc_to_be_avoided_is_reported(project: Project) -> None:
    project.models(HEAD + "    at: Mapped[object] = mapped_column(DateTime)\n")
    await project.made("before")
    project.models(HEAD + "    at: Mapped[object] = mapped_column(DateTime(timezone=True))\n")
    text = await project.made("after")
    assert "-- Locks users: AccessExclusiveLock and rewrites it\n" in text


async def test_a_dropped_table_is_reported_by_its_name_only(project: Project) -> None:
    project.models(
        HEAD
        + """
class Tag(Base):
    __tablename__ = "tags"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
"""
    )
    await project.made("before")
    project.models(HEAD)
    text = await project.made("after", allow_drop=["tags"])
    assert "-- Verdict: loses tags (tried" in text
    assert "tags.name" not in text.partition("-- upgrade")[0]


async def test_renamed_enums_and_sequences_continue_after_the_rows(
    project: Project,
) -> None:
    project.models("""
        class User(Base):
            __tablename__ = "users"
            id: Mapped[int] = mapped_column(Identity(), primary_key=True)
            mood: Mapped[str] = mapped_column(Enum("sad", name="mood"), server_default="sad")
            size: Mapped[str] = mapped_column(Enum("big", name="size"), server_default="big")
    """)
    await project.made("users")
    await project.fetch("INSERT INTO users DEFAULT VALUES")
    project.models("""
        class User(Base):
            __tablename__ = "users"
            id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
            mood: Mapped[str] = mapped_column(Enum("sad", name="size"), server_default="sad")
            size: Mapped[str] = mapped_column(Enum("big", name="mood"), server_default="big")
    """)

    text = await project.made("swap", renames=["mood:size", "size:mood"])

    assert "TYPE size" not in text.replace("ALTER TYPE size", "")
    (row,) = await project.fetch(
        "INSERT INTO users DEFAULT VALUES RETURNING id, mood::text, size::text"
    )
    assert tuple(row) == (2, "sad", "big")


async def test_a_refusal_without_a_position_names_the_object(project: Project) -> None:
    project.models("""
        parts = Table("parts", Base.metadata, Column("a", Integer), Column("b", Integer),
                      postgresql_partition_by="RANGE (a)")
    """)
    await project.made("parts")
    project.models("""
        parts = Table("parts", Base.metadata, Column("a", BigInteger), Column("b", Text),
                      postgresql_partition_by="RANGE (a)")
    """)

    with pytest.raises(
        StatementFailed, match='column "a" because it is part of the partition'
    ) as caught:
        await project.make("bigger", unproven=False)

    assert "ALTER COLUMN a" in (caught.value.statement or "")


async def test_the_last_table_can_be_deleted_and_a_sequence_can_be_alone(project: Project) -> None:
    project.models(HEAD)
    await project.made("first")
    project.models("Sequence('counter', metadata=Base.metadata)\n")
    text = await project.made("second", allow_drop=["users"])
    assert "DROP TABLE users" in text
    assert "CREATE SEQUENCE counter" in text
    project.models("")
    assert "DROP SEQUENCE counter" in await project.made("third", allow_drop=["counter"])


BY_HAND = """
-- upgrade
CREATE TABLE "T" (
    id serial PRIMARY KEY, a varchar(9), -- CONSTRAINT few CHECK (no text but a remark)
    "B" varchar(9) CONSTRAINT few CHECK (a IN ('x', 'y')),
    big text GENERATED ALWAYS AS (CASE WHEN a IN ('x', ')') THEN 'z' END) STORED
);
ALTER TABLE public."T" ADD CONSTRAINT "Odd" CHECK ("B" NOT IN ('x', ';'));
CREATE UNIQUE INDEX part ON "T" (id) WHERE a IN ('x', 'y');
CREATE TABLE plain (id int PRIMARY KEY, a varchar(9), CONSTRAINT few CHECK (a IN ('q', 'r')));
ALTER TABLE plain RENAME COLUMN a TO b;
"""

PRINTED = """
SELECT pg_get_constraintdef(oid) AS text FROM pg_constraint WHERE contype = 'c'
UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef ORDER BY text
"""


async def test_a_rollback_restores_the_expressions_of_earlier_files(project: Project) -> None:
    project.migration(1, BY_HAND)
    project.models("""
        class T(Base):
            __tablename__ = "T"
            id = Column(Integer, primary_key=True)
            a = Column(String(9))
            B = Column(String(9))
        class Plain(Base):
            __tablename__ = "plain"
            id = Column(Integer, primary_key=True, autoincrement=False)
            b = Column(String(9))
        """)
    await project.migrate()
    before = await project.fetch(PRINTED)
    text = await project.made(allow_drop=["T.big"])
    assert """ADD CONSTRAINT "Odd" CHECK ("B" NOT IN ('x', ';'))""" in text
    assert "GENERATED ALWAYS AS (CASE WHEN a IN ('x', ')') THEN 'z' END)" in text
    await rollback(project.config)
    after = await project.fetch(PRINTED)
    assert [row for row in after if "q" not in row["text"]] == [
        row for row in before if "q" not in row["text"]
    ]
    assert (await project.make("again", allow_drop=["T.big"], sql=True)).proven


PARENT_HAS_IT = """
CREATE TABLE b (a int, x int, CONSTRAINT k CHECK (x > 0));
CREATE TABLE c (y int) INHERITS (b);
CREATE TABLE d () INHERITS (b);
"""

CHILD_KEEPS_IT = """
CREATE TABLE b (a int);
CREATE TABLE c (x int CONSTRAINT k CHECK (x > 0), y int) INHERITS (b);
CREATE TABLE d () INHERITS (b);
"""


async def test_a_child_keeps_the_column_and_check_that_its_parent_loses(project: Project) -> None:
    """The upgrade runs again after the rollback, which leaves both declared in the child."""
    project.migration(1, "-- upgrade\n" + PARENT_HAS_IT)
    schema = project.file("schema.sql", CHILD_KEEPS_IT)
    project = project.with_options(schema_paths=(schema,))
    await project.migrate()
    text = await project.made("lose", allow_drop=["b.x", "d.x"])
    assert "ALTER TABLE ONLY b DROP CONSTRAINT k" in text and "-- Verdict: loses b.x, d.x" in text
    for _ in range(2):
        await rollback(project.config)
        await project.migrate()
    checks = "SELECT conrelid::regclass::text FROM pg_constraint WHERE conname = 'k'"
    assert [row["conrelid"] for row in await project.fetch(checks)] == ["c"]
    schema.write_text(PARENT_HAS_IT, encoding="utf-8")
    text = await project.made("gain")
    assert "ADD CONSTRAINT k" in text and "-- Verdict: exact" in text
