"""Objects of hand-written files stay next to those of the models."""

import pytest

from dbwarden.errors import UnsupportedChange
from dbwarden.operations.diff import check_models
from dbwarden.operations.verify import verify
from tests.integration.authoring.conftest import Project
from tests.integration.authoring.handwritten import TRIGGER, USER, USERS


async def test_hand_written_functions_and_views_stay_where_models_cannot_say_them(
    project: Project,
) -> None:
    project.migration(1, USERS)
    project.models(USER)
    assert (await project.make()).agree
    assert (await check_models(project.config)).clean


async def test_what_was_made_by_hand_follows_what_models_rename(project: Project) -> None:
    project.migration(1, USERS)
    project.migration(2, TRIGGER)
    await project.migrate()
    renamed = USER.replace("email: Mapped", "mail: Mapped")
    project.models(renamed)
    text = await project.made(renames=["users.email:mail"])
    assert "loud" not in text
    project.models(renamed.replace('"users"', '"people"'))
    text = await project.made(renames=["users:people"])
    assert "TRIGGER" not in text
    assert (await verify(project.config)).clean


async def test_what_was_made_by_hand_is_in_the_way_of_what_it_reads(project: Project) -> None:
    project.migration(1, USERS)
    project.migration(2, TRIGGER)
    project.models(USER.replace("    email: Mapped[str | None]\n", ""))
    with pytest.raises(UnsupportedChange, match=r"reads column public\.users\.email, which the"):
        await project.make(allow_drop=["users.email"])


async def test_a_trigger_made_by_hand_goes_with_its_table(project: Project) -> None:
    project.migration(1, "-- upgrade\nCREATE TABLE users (id serial PRIMARY KEY, email varchar);\n")
    project.migration(2, TRIGGER)
    await project.migrate()
    project.models(USER.replace('"users"', '"orders"'))
    text = await project.made(allow_drop=["users"])
    assert "CREATE TRIGGER tidy" in text.partition("-- rollback")[2]
