"""The names that users import from the package."""

from importlib.util import find_spec

import pytest

import dbwarden


@pytest.mark.parametrize("name", [name for name in dbwarden.__all__ if not name.startswith("_")])
def test_no_module_hides_a_public_name(name: str) -> None:
    """Importing a submodule sets an attribute of the package, which must not be a public name."""
    assert find_spec(f"dbwarden.{name}") is None
