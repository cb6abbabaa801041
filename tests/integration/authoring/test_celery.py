"""The models of a public application."""

from dbwarden.operations.diff import check_models
from tests.integration.authoring.conftest import Project


async def test_the_result_tables_of_celery(project: Project) -> None:
    project.options["model_paths"] = ("celery.backends.database.models",)
    text = await project.made("celery")
    assert "-- Verdict: exact" in text
    assert "CREATE TABLE celery_taskmeta" in text
    assert "task_id_sequence" in text
    assert (await check_models(project.config)).clean
