"""renumber separates migrations with the same number."""

import pytest

from dbwarden.errors import UsageError
from dbwarden.operations.renumber import renumber
from tests.integration.authoring.conftest import Project
from tests.integration.authoring.handwritten import USERS


async def test_two_branches_with_the_same_number_are_renumbered(project: Project) -> None:
    project.migration(1, USERS)
    other = project.file(
        "migrations/primary/primary__0001_add_tags.sql",
        "-- upgrade\nCREATE TABLE tags (id int);\n-- rollback\nDROP TABLE tags;\n",
    )
    with pytest.raises(UsageError, match="have the same number") as caught:
        await renumber(project.config)
    _, command = str(caught.value.next_step).split(": ")
    assert command == "dbwarden renumber -d primary --move 0001_by_hand"
    done = await renumber(project.config, move=["0001_add_tags"])
    assert [move.new.name for move in done.moves] == ["primary__0002_add_tags.sql"]
    assert done.clean
    assert not other.exists()
    project.file("migrations/primary/.#primary__0001_by_hand.sql", "the lock of an editor")
    assert (await renumber(project.config)).moves == ()


async def test_the_file_that_is_applied_keeps_its_number(project: Project) -> None:
    project.migration(1, USERS)
    await project.migrate()
    project.file(
        "migrations/primary/primary__0001_add_tags.sql",
        "-- upgrade\nCREATE TABLE tags (id int);\n-- rollback\nDROP TABLE tags;\n",
    )
    with pytest.raises(UsageError, match="cannot move because") as caught:
        await renumber(project.config, move=["0001_by_hand"])
    assert str(caught.value.next_step).endswith(" -d primary --move 0001_add_tags")
    done = await renumber(project.config)
    assert [move.old.name for move in done.moves] == ["primary__0001_add_tags.sql"]
