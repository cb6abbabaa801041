"""Provide the pytest plugin with fixtures and the databases of the ready-made tests.

``pytest_plugins = ["dbwarden.testing.plugin"]`` in a ``conftest.py`` loads it, or the option
``-p dbwarden.testing.plugin``. There is no entry point, because pytest would import this package
before the project's folder is on ``sys.path``, and a ``dbwarden.py`` there would then hide the
package. Only pytest is imported before a fixture is used.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dbwarden.config.project import Project
    from dbwarden.testing.databases import FreshDatabase, Templates


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers", "dbwarden(name): the configured database that dbwarden_database copies"
    )


@pytest.fixture(scope="session")
def dbwarden_project() -> "Project":
    """Return the project to test; override the fixture to use another file."""
    from dbwarden.config.loading import load_project

    return load_project()


@pytest.fixture(scope="session")
def dbwarden_templates(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Templates]":
    """Yield the migrated databases that are copied for each test."""
    from dbwarden.testing.databases import Templates

    templates = Templates(tmp_path_factory.mktemp("dbwarden"))
    try:
        yield templates
    finally:
        templates.close()


@pytest.fixture
def dbwarden_database(
    request: pytest.FixtureRequest,
    dbwarden_project: "Project",
    dbwarden_templates: "Templates",
) -> "Iterator[FreshDatabase]":
    """Yield a migrated copy of the default database or of that in ``@pytest.mark.dbwarden``."""
    marker = request.node.get_closest_marker("dbwarden")
    project = dbwarden_project
    config = project.author(marker.args[0]) if marker is not None else project.default
    database = dbwarden_templates.fresh(config)
    try:
        yield database
    finally:
        dbwarden_templates.drop(database)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run ready-made tests once for each database that has its own migrations."""
    if "dbwarden_name" in metafunc.fixturenames:
        from dbwarden.config.loading import load_project

        authors = load_project().authors
        metafunc.parametrize("dbwarden_name", [config.database_name for config in authors])
