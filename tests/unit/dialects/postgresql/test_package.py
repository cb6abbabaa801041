"""The names of the package."""

import sys

import pytest

from dbwarden.dialects import postgresql
from dbwarden.errors import MissingDriver


def test_without_the_driver_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(vars(postgresql), "DIALECT", raising=False)  # somebody asked before
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    connection = "dbwarden.dialects.postgresql.migrate.connection"
    monkeypatch.delitem(sys.modules, connection, raising=False)
    for name in list(sys.modules):
        if name.startswith("dbwarden.dialects.postgresql."):
            monkeypatch.delitem(sys.modules, name)

    with pytest.raises(MissingDriver, match="asyncpg") as caught:
        _ = postgresql.DIALECT

    assert "pip install asyncpg" in (caught.value.next_step or "")


def test_the_package_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="no attribute 'ENGINE'"):
        _ = postgresql.ENGINE  # type: ignore[attr-defined]
