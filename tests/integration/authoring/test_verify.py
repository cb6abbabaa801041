"""verify runs every migration file in both directions."""

from dbwarden.operations.verify import verify
from tests.integration.authoring.conftest import Project
from tests.integration.authoring.handwritten import USERS


async def test_verify_proves_hand_written_files(project: Project) -> None:
    project.migration(1, USERS)
    project.migration(2, "-- upgrade\nINSERT INTO users (email) VALUES ('a');\n")
    found = await verify(project.config)
    assert found.clean
    assert [item.verdict for item in found.migrations] == ["exact", "irreversible"]


async def test_verify_names_a_rollback_that_leads_elsewhere(project: Project) -> None:
    project.migration(1, USERS)
    project.migration(
        2,
        "-- upgrade\nALTER TABLE users ADD age int DEFAULT 0 NOT NULL;\n"
        "CREATE INDEX ix ON users (age);\n-- rollback\nDROP INDEX ix;\n",
    )
    project.migration(3, "-- upgrade\nCREATE TABLE t (i int);\n-- rollback\nDROP TABLE t;\n")
    found = await verify(project.config)
    assert not found.clean
    wrong = found.migrations[1]
    assert wrong.verdict == "fails"
    assert wrong.problem is not None
    assert "rollback does not lead back: column users.age" in wrong.problem
    assert found.migrations[2].verdict == "exact"


async def test_verify_names_the_line_of_an_upgrade_that_fails(project: Project) -> None:
    project.migration(1, "-- upgrade\nCREATE TABLE t (i int);\nSELECT nonsense;\n")
    (only,) = (await verify(project.config)).migrations
    assert only.problem is not None
    assert "primary__0001_by_hand.sql:3:8: " in only.problem
