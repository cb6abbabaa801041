"""The names of the package."""

import pytest

from dbwarden.dialects import postgresql


def test_the_package_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="no attribute 'ENGINE'"):
        _ = postgresql.ENGINE
