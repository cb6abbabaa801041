"""Calls of database_config."""

from pathlib import Path

from dbwarden.config.registry import Registry, collecting
from dbwarden.library import database_config


def test_database_config_records_its_caller_and_never_raises() -> None:
    registry = Registry()
    with collecting(registry):
        handle = database_config(nonsense="hunter2")  # type: ignore[call-arg]
    (declaration,) = registry.declarations
    assert declaration.location.path == Path(__file__)
    assert (
        "database_config(nonsense="
        in Path(__file__).read_text().splitlines()[(declaration.location.line or 0) - 1]
    )
    assert handle == ""
    assert "hunter2" not in repr(declaration)


def test_the_handle_is_the_name() -> None:
    with collecting(Registry()):
        handle = database_config(database_name="primary", database_url="sqlite://")
    assert (handle, handle.database_name) == ("primary", "primary")
