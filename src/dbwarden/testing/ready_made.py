"""Provide ready-made tests of migrations: ``from dbwarden.testing.ready_made import *``.

Each test runs once for each database with its own migrations. The tests need a scratch database,
as ``make-migrations`` does.
"""

from typing import TYPE_CHECKING

from dbwarden.testing.databases import blocking

if TYPE_CHECKING:
    from dbwarden.config.project import Project

__all__ = ["test_models_match_migrations", "test_rollbacks", "test_single_version"]


def test_single_version(dbwarden_project: "Project", dbwarden_name: str) -> None:
    """Test that every file can be read and that versions are unique."""
    from dbwarden.errors import MigrationFileError
    from dbwarden.operations.operation import migration_files

    try:
        blocking(migration_files, dbwarden_project.author(dbwarden_name))
    except MigrationFileError as error:
        raise AssertionError(str(error)) from None


def test_rollbacks(dbwarden_project: "Project", dbwarden_name: str) -> None:
    """Test that every migration runs and that its rollback restores the previous schema."""
    from dbwarden.operations.verify import verify

    result = blocking(verify, dbwarden_project.author(dbwarden_name))
    assert result.clean, "\n".join(
        f"{item.path}: {item.problem}" for item in result.migrations if item.problem
    )


def test_models_match_migrations(dbwarden_project: "Project", dbwarden_name: str) -> None:
    """Test that the migrations and the models describe the same schema."""
    import functools

    from dbwarden.errors import DBWardenError
    from dbwarden.operations.make_migrations import make_migrations

    config = dbwarden_project.author(dbwarden_name)
    if not config.model_paths and not config.schema_paths:
        return
    compare = functools.partial(make_migrations, message="what is missing", sql=True)
    try:
        result = blocking(compare, config)
    except DBWardenError as error:
        raise AssertionError(f"models and migrations differ: {error}") from error
    assert result.agree, f"write the missing migration:\n\n{result.sql}"
