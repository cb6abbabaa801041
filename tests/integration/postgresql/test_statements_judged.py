"""Facts about statements that dbwarden assumes, checked by a real server."""

from collections.abc import AsyncGenerator
from typing import Any

import asyncpg
import pytest

from dbwarden.dialects.base import Statement
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from dbwarden.dialects.postgresql.sql.transactions import refuses_transaction
from tests.integration.postgresql.helpers import admin
from tests.unit.dialects.postgresql.migrate.statements import ACCEPTED, HARD, REFUSED, SETUP

NOT_IN_A_TRANSACTION = "25001"
SYNTAX_ERROR = "42601"
NEWEST = 18


@pytest.fixture
async def server(postgres_url: str) -> AsyncGenerator[Any]:
    """A connection to a database that has what the statements name."""
    async with admin(postgres_url) as connection:
        await connection.execute(SETUP)
        yield connection
        # A subscription would keep its database from being dropped.
        await connection.execute("DROP SUBSCRIPTION s0")


async def test_each_split_statement_is_one_statement_to_the_server(
    server: Any, postgres_server: EmbeddedServer
) -> None:
    for text in HARD:
        try:
            await server.prepare(text)
        except asyncpg.PostgresSyntaxError as error:
            pytest.fail(f"{text!r}: {error}")
        except asyncpg.PostgresError:
            pass  # it was understood, and only names something that is not there


@pytest.mark.parametrize(("statements", "refused"), [(REFUSED, True), (ACCEPTED, False)])
async def test_the_server_refuses_the_listed_statements_in_a_transaction(
    server: Any, statements: tuple[str, ...], refused: bool
) -> None:
    for text in statements:
        state = ""
        await server.execute("BEGIN")
        try:
            await server.execute(text)
        except asyncpg.PostgresError as error:
            state = error.sqlstate
        finally:
            await server.execute("ROLLBACK")
        if state == SYNTAX_ERROR and server.get_server_version().major < NEWEST:
            continue  # not yet known there
        assert (state == NOT_IN_A_TRANSACTION) is refused, text
        assert refuses_transaction(Statement(text=text, line=1, column=1)) is refused, text
