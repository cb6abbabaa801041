"""A project folder for each test, which leaves the process unchanged."""

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dbwarden.config.registry import Registry, collecting

WriteConfig = Callable[[str], Path]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty project folder, which is the working folder."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("DBWARDEN_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    with collecting(Registry()):
        yield tmp_path


@pytest.fixture
def write_config(project: Path) -> WriteConfig:
    """Writes ``dbwarden.py`` into the project; the import of database_config is put before."""

    def write(text: str) -> Path:
        path = project / "dbwarden.py"
        path.write_text("from dbwarden import database_config\n" + textwrap.dedent(text))
        return path

    return write
