"""Objects of hand-written files stay next to those of the models."""

import pytest

from dbwarden.errors import UnsupportedChange
from dbwarden.operations.diff import check_models
from dbwarden.operations.verify import verify
from tests.integration.authoring.conftest import Project
from tests.integration.authoring.handwritten import TRIGGER, USER, USERS


async def test_handwritten_functions_and_views_stay(
    project: Project,
) -> None:
    project.migration(1, USERS)
    project.models(USER)
    assert (await project.make()).agree
    assert (await check_models(project.config)).clean


async def test_handwritten_objects_follow_renames_of_the_models(project: Project) -> None:
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


async def test_handwritten_objects_block_changes_of_the_columns_they_read(project: Project) -> None:
    project.migration(1, USERS)
    project.migration(2, TRIGGER)
    project.models(USER.replace("    email: Mapped[str | None]\n", ""))
    with pytest.raises(UnsupportedChange, match=r"reads column public\.users\.email, which the"):
        await project.make(allow_drop=["users.email"])


async def test_a_handwritten_trigger_is_dropped_with_its_table(project: Project) -> None:
    project.migration(1, "-- upgrade\nCREATE TABLE users (id serial PRIMARY KEY, email varchar);\n")
    project.migration(2, TRIGGER)
    await project.migrate()
    project.models(USER.replace('"users"', '"orders"'))
    text = await project.made(allow_drop=["users"])
    assert "CREATE TRIGGER tidy" in text.partition("-- rollback")[2]
