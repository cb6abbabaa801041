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


async def test_verify_names_the_newest_file_if_all_of_them_fail_together(project: Project) -> None:
    project.migration(
        1, "-- upgrade\nCREATE TABLE t (a int NOT NULL);\n-- rollback\nDROP TABLE t;\n"
    )
    project.migration(
        2,
        "-- upgrade\nALTER TABLE t ALTER a DROP NOT NULL;\n"
        "-- rollback\nALTER TABLE t ALTER a SET NOT NULL;\n",
    )
    project.migration(3, "-- upgrade\nINSERT INTO t VALUES (NULL);\n-- rollback\nSELECT 1;\n")
    repeatable = project.config.migrations_dir / "primary__ROC__of_t.sql"
    repeatable.write_text("-- upgrade\nCREATE OR REPLACE VIEW of_t AS SELECT 1 AS a;\n")
    found = await verify(project.config)
    assert [item.key for item in found.migrations] == ["0001", "0002", "0003", "of_t"]
    problem = found.migrations[2].problem
    assert problem is not None
    assert problem.startswith("all the way down and up: primary__0002_by_hand.sql:")
    assert found.migrations[3].verdict == "repeatable"


async def test_verify_names_the_file_that_overtakes_another_phase(project: Project) -> None:
    project.migration(1, "-- upgrade\nCREATE TABLE t (a int, b int);\n-- rollback\nDROP TABLE t;\n")
    project.migration(
        2,
        "-- phase: post\n-- upgrade\nALTER TABLE t DROP a;\n"
        "-- rollback\nALTER TABLE t ADD a int;\n",
    )
    project.migration(
        3, "-- upgrade\nCREATE VIEW of_t AS SELECT * FROM t;\n-- rollback\nDROP VIEW of_t;\n"
    )
    found = await verify(project.config)
    assert [item.verdict for item in found.migrations][2] == "fails"
    problem = found.migrations[2].problem
    assert problem is not None
    assert problem.startswith(
        "in a deployment that skips releases, it runs before 0002 (phase post), and it fails then:"
    )
