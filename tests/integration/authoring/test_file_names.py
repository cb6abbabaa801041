"""The name of a generated file."""

from tests.integration.authoring.conftest import Project
from tests.integration.authoring.models_before_and_after import BEFORE


async def test_the_file_name_may_differ_from_the_message(project: Project) -> None:
    project.models(BEFORE)
    made = await project.make("Users, and what they are called", name="users")
    assert made.path is not None
    assert made.path.name == "primary__0001_users.sql"
    assert "-- Purpose: Users, and what they are called\n" in made.path.read_text()
