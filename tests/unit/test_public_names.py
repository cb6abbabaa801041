"""The names that users import from the package."""

import inspect
import re
from importlib.util import find_spec

import pytest

import dbwarden


@pytest.mark.parametrize("name", [name for name in dbwarden.__all__ if not name.startswith("_")])
def test_no_module_hides_a_public_name(name: str) -> None:
    """Importing a submodule sets an attribute of the package, which must not be a public name."""
    assert find_spec(f"dbwarden.{name}") is None


def test_the_result_of_every_operation_can_be_imported_from_the_package() -> None:
    operations = {
        name: inspect.unwrap(getattr(dbwarden, name))
        for name in dbwarden.__all__
        if inspect.iscoroutinefunction(inspect.unwrap(getattr(dbwarden, name)))
    }
    assert len(operations) > 20
    for name, function in operations.items():
        told = inspect.formatannotation(function.__annotations__["return"])
        for word in re.findall(r"dbwarden\.[\w.]+\.(\w+)", told):
            assert word in dbwarden.__all__, name
