"""What is promised of the files that are written, beside what they lead to."""

import subprocess

import asyncpg
import pytest

from dbwarden.errors import DBWardenError, StatementFailed
from dbwarden.operations.diff import drift
from tests.integration.authoring.conftest import Project

BEFORE = """
class User(Base):
    __tablename__ = "users"
    __table_args__ = (Index("ix_both", "email", "nick"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    nick: Mapped[str | None]
    boss: Mapped[int | None]
"""
AFTER = """
class User(Base):
    __tablename__ = "users"
    __table_args__ = (
        Index("ix_both", "email", "nick", unique=True),
        CheckConstraint("boss > 0", name="boss_known"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    nick: Mapped[str]
    boss: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)
"""


@pytest.mark.parametrize("online", [False, True])
async def test_psql_runs_each_section_as_it_stands(project: Project, online: bool) -> None:
    assert project.server.binaries is not None
    psql = project.server.binaries.program("psql")
    if not psql.exists():
        pytest.skip("these programs come without psql")
    project.models(BEFORE)
    first = await project.make("before")
    await project.migrate()
    project.models(AFTER)
    second = await project.make("after", online=online, fills={"users.nick": "''"})
    assert first.path is not None and second.path is not None
    upgrade, _, rollback = second.path.read_text().partition("-- rollback\n")
    for number, text in enumerate((upgrade, rollback, upgrade)):
        file = project.file(f"section_{number}.sql", text)
        options = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(file)]
        url = project.server.url(project.database)
        done = subprocess.run([psql, *options, url], capture_output=True, text=True)  # noqa: ASYNC221  # nothing else waits
        assert (done.returncode, done.stderr) == (0, "")
        if text is rollback:
            second.path.rename(second.path.with_suffix(".away"))
            assert (await drift(project.config)).clean
            second.path.with_suffix(".away").rename(second.path)
    assert (await drift(project.config)).clean


async def test_forms_that_do_not_block_go_on_where_rows_stopped_them(project: Project) -> None:
    project.models(BEFORE)
    await project.made("before")
    await project.fetch("INSERT INTO users (email, nick) VALUES ('a', 'x'), ('a', 'y')")
    project.models(AFTER)
    made = await project.make("after", online=True, allow_failing_on_rows=True)
    assert made.proven
    with pytest.raises(DBWardenError, match="could not create unique index"):
        await project.migrate()
    ((there,),) = await project.fetch(
        "SELECT count(*) FROM pg_constraint WHERE conname = 'boss_known' AND convalidated"
    )
    assert there == 1  # what came before it stays
    await project.fetch("UPDATE users SET email = email || id")
    await project.migrate()
    assert (await drift(project.config)).clean
    with pytest.raises(asyncpg.UniqueViolationError):
        await project.fetch("UPDATE users SET email = 'same'")


async def test_what_could_not_be_proven_is_written_on_demand_and_says_so(project: Project) -> None:
    project.models(BEFORE)
    await project.made("before")
    project.models(BEFORE.replace("nick: Mapped[str | None]", "nick: Mapped[int | None]"))
    using = {"users.nick": "no_such_thing"}
    with pytest.raises(StatementFailed, match="was not written") as caught:
        await project.make("after", allow_drop=["users.nick"], using=using)
    assert "--unproven alone writes it unproven" in str(caught.value.next_step)
    assert len(list(project.config.migrations_dir.iterdir())) == 1

    made = await project.make("after", allow_drop=["users.nick"], using=using, unproven=True)

    assert (made.verdict, made.proven) == ("not proven", False)
    assert made.path is not None
    text = made.path.read_text()
    assert "-- Verdict: not proven\n" in text
    assert '-- Not proven: column "no_such_thing" does not exist\n' in text
    assert "USING no_such_thing" in text


async def test_a_refused_fill_is_written_on_demand_too(project: Project) -> None:
    project.models(BEFORE)
    await project.made("before")
    project.models(AFTER)
    made = await project.make("after", fills={"users.nick": "no_such_thing"}, unproven=True)
    assert (made.verdict, made.proven) == ("not proven", False)


async def test_the_file_may_have_another_name_than_the_message(project: Project) -> None:
    project.models(BEFORE)
    made = await project.make("Users, and what they are called", name="users")
    assert made.path is not None
    assert made.path.name == "primary__0001_users.sql"
    assert "-- Purpose: Users, and what they are called\n" in made.path.read_text()
