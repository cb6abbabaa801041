"""The server on which the cases are judged."""

import pytest

from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from tests.acceptance.judging import pg_dump


@pytest.fixture(scope="session")
def cases_url(postgres_server: EmbeddedServer) -> str:
    """Where databases can be made: each case makes its own."""
    pg_dump()
    return postgres_server.url()
