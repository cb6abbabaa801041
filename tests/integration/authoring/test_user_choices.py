"""Renames, drops and fills that the user declares or answers."""

import re

import pytest

from dbwarden.errors import StatementFailed, UsageError
from tests.integration.authoring.conftest import Project
from tests.integration.authoring.user_model import HEAD


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


MOVED = """
class User(Base):
    __tablename__ = "{table}"
    id: Mapped[int] = mapped_column(primary_key=True)
    {column}: Mapped[str | None] = mapped_column(String(50))
    mood: Mapped[str] = mapped_column(Enum("{value}", "ok", "great", name="{enum}"))
"""

BEFORE = (
    MOVED.format(table="users", column="nick", value="sad", enum="mood")
    + "    gone: Mapped[str | None] = mapped_column(Text)\n"
)

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
