"""A worker must have the files of the run."""

from dataclasses import replace
from pathlib import Path

import pytest

from dbwarden.config.project import Project
from dbwarden.fleet.workers.projects import fingerprint
from tests.unit.fleet.workers.fleets import database


@pytest.mark.parametrize("name", ["a__0001_users.sql", "a__0002_fill.py"])
def test_every_migration_file_is_in_the_fingerprint(tmp_path: Path, name: str) -> None:
    config, file = tmp_path / "dbwarden.py", tmp_path / name
    config.write_text("")
    file.write_text("one")
    declared = replace(database("a"), migrations_dir=tmp_path)
    project = Project(path=config, root=tmp_path, declared=(declared,))
    before = fingerprint(project)

    file.write_text("other")

    assert fingerprint(project) != before
