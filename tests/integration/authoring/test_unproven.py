"""Files without a proof are written on demand."""

import pytest

from dbwarden.errors import StatementFailed
from tests.integration.authoring.conftest import Project
from tests.integration.authoring.models_before_and_after import AFTER, BEFORE


async def test_an_unproven_file_is_written_on_demand_and_marked(project: Project) -> None:
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
