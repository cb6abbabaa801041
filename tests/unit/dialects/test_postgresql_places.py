"""Errors name the place that was really asked."""

import pytest

from dbwarden.config.urls import parse_url
from dbwarden.dialects.postgresql.migrate.connect_errors import place_of


def test_what_the_url_leaves_out_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PGHOST", raising=False)
    monkeypatch.delenv("PGPORT", raising=False)
    assert place_of(parse_url("postgresql:///shop")) == "localhost:5432"
    monkeypatch.setenv("PGHOST", "db.internal")
    monkeypatch.setenv("PGPORT", "6432")
    assert place_of(parse_url("postgresql:///shop")) == "db.internal:6432"
    assert place_of(parse_url("postgresql://h/shop")) == "h:6432"
    assert place_of(parse_url("postgresql://h:1/shop")) == "h:1"
