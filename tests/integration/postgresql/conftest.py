"""Fixtures for tests of the PostgreSQL dialect."""

from collections.abc import Generator

import pytest

from dbwarden import telemetry


@pytest.fixture
def events() -> Generator[list[telemetry.Event]]:
    """Every event of the test."""
    heard: list[telemetry.Event] = []
    with telemetry.listening(heard.append):
        yield heard
