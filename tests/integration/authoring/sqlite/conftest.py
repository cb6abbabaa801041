"""The SQLite project of each test."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.authoring.lite import Lite


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Lite]:
    before, path = set(sys.modules), list(sys.path)
    yield Lite(root=tmp_path)
    sys.path[:] = path
    for module in set(sys.modules) - before:
        if module.startswith(("models_", "dbwarden_models_")):
            del sys.modules[module]
