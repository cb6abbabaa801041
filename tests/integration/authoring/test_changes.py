"""Each change of models becomes a migration that leaves no difference."""

import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from dbwarden.errors import StatementFailed, UsageError
from dbwarden.operations.rollback import rollback
from tests.integration.authoring.conftest import Project

HEAD = """
class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
"""


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


async def test_a_possible_rename_stops_and_shows_both_flags(project: Project) -> None:
    project.models(HEAD + "    nick: Mapped[str | None]\n")
    await project.made("before")
    project.models(HEAD + "    nickname: Mapped[str | None]\n")
    with pytest.raises(UsageError) as caught:
        await project.make("after")
    assert "users.nick is dropped and nickname is added" in caught.value.message
    assert "same place, column 2" in caught.value.message
    assert "--rename users.nick:nickname" in (caught.value.next_step or "")
    assert "--allow-drop users.nick" in (caught.value.next_step or "")
    assert len(list(project.config.migrations_dir.iterdir())) == 1


async def test_a_drop_without_permission_stops_and_shows_the_flag(project: Project) -> None:
    project.models(HEAD + "    nick: Mapped[str | None]\n")
    await project.made("before")
    project.models(HEAD)
    with pytest.raises(UsageError) as caught:
        await project.make("after")
    assert "--allow-drop users.nick" in (caught.value.next_step or "")


class Person:
    """Answers questions as prepared, and remembers them."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.questions: list[str] = []

    def yes(self, question: str) -> bool:
        self.questions.append(question)
        return self.answers.pop(0) == "y"

    def text(self, question: str) -> str:
        self.questions.append(question)
        return self.answers.pop(0)


async def test_the_user_is_asked_about_renames_drops_and_fills(project: Project) -> None:
    project.models(HEAD + "    nick: Mapped[str | None]\n    gone: Mapped[int | None]\n")
    await project.made("before")
    project.models(HEAD + "    nickname: Mapped[str | None]\n    born: Mapped[str]\n")
    person = Person("y", "'unknown'", "y")
    text = await project.made("after", asker=person)
    assert not person.answers
    words = "Is nickname the new name of users.nick, which keeps the data? (same type"
    assert words in person.questions[0]
    assert person.questions[2] == "This destroys data: users.gone. Write it anyway?"
    assert "RENAME COLUMN nick TO nickname" in text
    assert "UPDATE users SET born = 'unknown'" in text
    assert "loses users.gone" in text


async def test_the_user_is_asked_for_the_value_of_existing_rows(project: Project) -> None:
    project.models(HEAD + "    nick: Mapped[str | None]\n")
    await project.made("before")
    await project.fetch("INSERT INTO users (id) VALUES (1)")
    project.models(HEAD + "    nick: Mapped[str]\n")
    person = Person("'none'")
    await project.made("after", asker=person)
    assert person.questions[0].startswith("users.nick becomes NOT NULL: which value for rows")
    ((nick,),) = await project.fetch("SELECT nick FROM users")
    assert nick == "none"


async def test_a_value_that_is_no_expression_is_refused_and_never_dropped(project: Project) -> None:
    project.models(HEAD)
    await project.made("before")
    project.models(HEAD + "    nick: Mapped[str]\n")
    with pytest.raises(UsageError, match='none is refused: column "none"') as wrong:
        await project.make("after", fills={"users.nick": "none"})
    assert str(wrong.value.next_step).endswith("--fill users.nick=\"''\"")
    with pytest.raises(UsageError, match="NULL is not a value"):
        await project.make("after", fills={"users.nick": "NULL"})
    person = Person("none", "'none'")
    text = await project.made("after", asker=person)
    assert person.questions[1].startswith(
        'none is refused: column "none" does not exist. users.nick'
    )
    assert "SET nick = 'none'" in text


@pytest.mark.parametrize("online", [False, True])
@pytest.mark.parametrize("before", ["", "    nick: Mapped[str | None]\n"], ids=["new", "nullable"])
async def test_a_required_column_without_a_value_for_rows_stops_and_names_the_flag(
    project: Project, before: str, online: bool
) -> None:
    project.models(HEAD + before)  # a new table asks nothing
    await project.made("before")
    await project.fetch("INSERT INTO users (id) VALUES (1)")
    project.models(HEAD + "    nick: Mapped[str]\n")
    with pytest.raises(UsageError, match=r"users\.nick is NOT NULL, and rows") as caught:
        await project.make("after", online=online)
    flag = "--fill users.nick=\"''\""
    assert f"Give them one: {flag} " in str(caught.value.next_step)
    assert "--allow-failing-on-rows" in str(caught.value.next_step)
    made = await project.make("after", online=online, allow_failing_on_rows=True)
    assert any(flag in note for note in made.notes)
    with pytest.raises(StatementFailed) as refused:
        await project.migrate()
    assert "Fails where tables have rows" in str(refused.value.next_step)
    assert f"make it again with {flag}" in str(refused.value.next_step)
    if before:  # the rows can be filled by hand as well; --online has kept its first step
        await project.fetch("UPDATE users SET nick = ''")
        await project.migrate()
        assert (await project.make("nothing")).agree
        return
    assert made.path is not None
    made.path.unlink()
    await project.made("after", online=online, fills={"users.nick": "''"})


async def test_columns_with_automatic_values_need_no_fill(project: Project) -> None:
    project.migration(
        1,
        "-- upgrade\nCREATE DOMAIN word AS text DEFAULT 'w';\n"
        "CREATE TABLE users (id SERIAL PRIMARY KEY);\n-- rollback\nDROP TABLE users;\n"
        "DROP DOMAIN word;\n",
    )
    await project.migrate()
    await project.fetch("INSERT INTO users DEFAULT VALUES")
    project.models(
        "from sqlalchemy.dialects.postgresql import DOMAIN\n"
        + HEAD
        + """\
    one: Mapped[str] = mapped_column(server_default="x")
    two: Mapped[int] = mapped_column(Identity())
    three: Mapped[int] = mapped_column(Computed("id + 1"))
    four: Mapped[str] = mapped_column(DOMAIN("word", Text, create_type=False))
"""
    )
    await project.made("after")
    assert await project.fetch("SELECT one, two, three, four FROM users") == [("x", 1, 2, "w")]


VALUES = {
    "Integer": "0",
    "Numeric(8, 2)": "0",
    "Boolean": "false",
    "DateTime": "CURRENT_TIMESTAMP",
    "Date": "CURRENT_TIMESTAMP",
    "Interval": "'0'",
    "JSONB": "'{}'",
    "ARRAY(Integer)": "'{}'",
    "Uuid": "'00000000-0000-0000-0000-000000000000'",
    "Enum('low', 'high', name='level')": "'low'",
    "LargeBinary": "''",
    "String(5)": "''",
}


async def test_the_suggested_flag_can_be_pasted_for_every_type(project: Project) -> None:
    project.models(HEAD)
    await project.made("before")
    await project.fetch("INSERT INTO users (id) VALUES (1)")
    names = {f"c{number}": type_ for number, type_ in enumerate(VALUES)}
    lines = [
        f"    {name} = mapped_column({type_}, nullable=False)\n" for name, type_ in names.items()
    ]
    project.models(HEAD + "".join(lines))
    with pytest.raises(UsageError) as caught:
        await project.make("after")
    for name, type_ in names.items():
        assert f'--fill users.{name}="{VALUES[type_]}"' in str(caught.value.next_step)
    await project.made(
        "after", fills={f"users.{name}": VALUES[type_] for name, type_ in names.items()}
    )


@pytest.mark.parametrize("option", ["fills", "using", "rollback_using"])
async def test_an_answer_for_a_missing_column_is_an_error(project: Project, option: str) -> None:
    project.models(HEAD + "    nick: Mapped[str]\n")
    await project.made("before")
    project.models(HEAD + "    nick: Mapped[str]\n    born: Mapped[str]\n")
    words = r"users\.nikc: there is no such column .*; did you mean .users\.nick.\?"
    with pytest.raises(UsageError, match=words) as caught:
        await project.make("after", **{option: {"users.nikc": "''"}})
    assert caught.value.message.startswith(f"--{option.rstrip('s').replace('_', '-')} ")
    assert caught.value.database == "primary"


async def test_an_extension_upgrade_without_a_downgrade_is_irreversible(project: Project) -> None:
    event = 'event.listen(Base.metadata, "before_create", DDL("CREATE EXTENSION pg_trgm{}"))\n'
    project.models(f"{HEAD}{event.format(chr(32) + 'VERSION ' + repr('1.3'))}")
    await project.made("before")
    project.models(f"{HEAD}{event.format('')}")
    text = await project.made("after")
    assert "-- Verdict: irreversible" in text
    assert 'There is no way back: extension "pg_trgm" has no update path from' in text
    assert "ALTER EXTENSION pg_trgm UPDATE;" in text


MOVED = """
class User(Base):
    __tablename__ = "{table}"
    id: Mapped[int] = mapped_column(primary_key=True)
    {column}: Mapped[str | None] = mapped_column(String(50))
    mood: Mapped[str] = mapped_column(Enum("{value}", "ok", "great", name="{enum}"))
"""
BEFORE = MOVED.format(table="users", column="nick", value="sad", enum="mood")
BEFORE += "    gone: Mapped[str | None] = mapped_column(Text)\n"
AFTER = MOVED.format(table="people", column="nickname", value="low", enum="feeling")


async def test_parts_of_a_renamed_object_keep_their_names(project: Project) -> None:
    project.models(BEFORE)
    await project.made("before")
    project.models(AFTER + "    born: Mapped[int | None]\n    size: Mapped[int | None]\n")
    with pytest.raises(UsageError, match="destroy data: users") as caught:
        await project.make("after")
    assert "--rename users:people)" in str(caught.value.next_step)
    flags = ["users:people"]
    for suggested in ("users.nick:nickname", "mood.sad:low"):
        with pytest.raises(UsageError) as caught:
            await project.make("after", renames=flags)
        said = str(caught.value.next_step)
        assert f"--rename {suggested}" in said
        flags += re.findall(r"--rename (\S+)", said)
    text = await project.made("after", renames=flags, allow_drop=["users.gone"])
    assert "-- Verdict: loses people.gone (tried" in text
    assert "Changes values" not in text
    assert "-- enum mood\nALTER TYPE mood RENAME VALUE 'sad' TO 'low';" in text
    assert "ALTER TABLE users RENAME COLUMN nick TO nickname;" in text


async def test_the_user_is_asked_about_parts_of_a_renamed_object(project: Project) -> None:
    project.models(BEFORE)
    await project.made("before")
    project.models(AFTER)
    person = Person("y", "y", "y", "y", "y", "y")
    text = await project.made("after", renames=["users:people"], asker=person)
    assert any("the new name of users.nick," in question for question in person.questions)
    assert any("the new name of mood.sad," in question for question in person.questions)
    assert "RENAME COLUMN nick TO nickname" in text
    assert "RENAME VALUE 'sad' TO 'low'" in text


async def test_the_answer_no_writes_no_file(project: Project) -> None:
    project.models(HEAD + "    nick: Mapped[str | None]\n")
    await project.made("before")
    project.models(HEAD)
    with pytest.raises(UsageError, match="would destroy data"):
        await project.make("after", asker=Person("n"))


async def test_a_conversion_that_loses_data_is_reported(project: Project) -> None:
    project.models(HEAD + "    size: Mapped[object] = mapped_column(Numeric(6, 2))\n")
    await project.made("before")
    project.models(HEAD + "    size: Mapped[int] = mapped_column(SmallInteger)\n")
    with pytest.raises(UsageError, match=r"size \(numeric\(6,2\) becomes smallint\)") as caught:
        await project.make("after")
    assert str(caught.value.next_step).endswith("--allow-loss users.size")


async def test_a_misspelled_drop_is_reported_with_the_possible_drops(project: Project) -> None:
    project.models(HEAD + "    nick: Mapped[str | None]\n")
    await project.made("before")
    project.models(HEAD)
    with pytest.raises(UsageError) as caught:
        await project.make("after", allow_drop=["users.nik"])
    assert caught.value.message == (
        "the migration would destroy data: users.nick; "
        "it destroys nothing called users.nik (--allow-drop)"
    )
    assert str(caught.value.next_step).endswith(": --allow-drop users.nick")


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
