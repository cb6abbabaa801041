"""The models of a public application, installed from the package index by the test."""

import subprocess
import sys
from pathlib import Path

import pytest

from dbwarden.operations.diff import check_models
from tests.integration.authoring.conftest import Project

CELERY = "celery==5.5.3"


@pytest.fixture(scope="session")
def celery_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("celery")
    command = [sys.executable, "-m", "pip", "install", "-q", "--target", str(folder), CELERY]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    except subprocess.TimeoutExpired:
        pytest.skip("the package index did not answer in time")
    if done.returncode != 0:
        pytest.skip(f"the package index is out of reach: {done.stderr.strip()[-200:]}")
    return folder


async def test_the_result_tables_of_celery(
    project: Project, celery_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(celery_folder))
    project.options["model_paths"] = ("celery.backends.database.models",)
    text = await project.made("celery")
    assert "-- Verdict: exact" in text
    assert "CREATE TABLE celery_taskmeta" in text
    assert "task_id_sequence" in text
    assert (await check_models(project.config)).clean
