"""Statements are observed in the transactions in which ``migrate`` runs them."""

from collections.abc import AsyncIterator

import pytest

from dbwarden.authoring.scratch_session import open_scratch_session
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from dbwarden.errors import ScratchRefused
from tests.conftest import MakeConfig
from tests.integration.lint.linting import Linting

BASE = """
CREATE TABLE seeds (id bigint PRIMARY KEY, name text NOT NULL);
CREATE PROCEDURE tidy() LANGUAGE plpgsql AS $$ BEGIN
    UPDATE seeds SET name = ''; COMMIT; UPDATE seeds SET name = ' '; END $$;
"""


@pytest.fixture
async def linting(
    postgres_server: EmbeddedServer, make_config: MakeConfig
) -> AsyncIterator[Linting]:
    config = make_config(postgres_server.url(), scratch=postgres_server.url(), timeout=None)
    async with open_scratch_session(config) as session:
        yield Linting(session, BASE)


async def test_many_rows_are_observed_together_and_a_refused_one_by_its_line(
    linting: Linting,
) -> None:
    rows = [f"INSERT INTO seeds VALUES ({number}, 'a');" for number in range(1200)]
    text = "\n".join(["ALTER TABLE seeds ADD COLUMN kind text;", *rows])
    (found,) = await linting(text, "data-and-ddl-mixed")
    assert found.line == 3

    rows[700] = "INSERT INTO seeds VALUES (1, 'twice');"
    with pytest.raises(ScratchRefused) as caught:
        await linting("\n".join(rows), "data-and-ddl-mixed")
    location = caught.value.location
    assert location is not None and location.line == 702


async def test_statements_outside_of_transactions_run_alone(linting: Linting) -> None:
    text = """
    CREATE INDEX CONCURRENTLY ix ON seeds (name);
    -- @dbwarden:autocommit
    CALL tidy();
    VACUUM seeds;
    SELECT 1 / (SELECT count(*) FROM seeds);
    """
    with pytest.raises(ScratchRefused, match="division by zero") as caught:
        await linting(text, "rewrite")
    assert caught.value.location is not None and caught.value.location.line == 7
    assert await linting(text.replace("SELECT 1 /", "SELECT 1 +"), "rewrite") == ()


async def test_settings_of_a_file_last_for_its_steps(linting: Linting) -> None:
    text = """
    CREATE SCHEMA shop;
    SET search_path TO shop;
    CREATE TABLE seeds (id bigint);
    CREATE INDEX CONCURRENTLY ix ON seeds (id);
    ALTER TABLE seeds ALTER COLUMN id TYPE numeric;
    ALTER TABLE public.seeds ALTER COLUMN id TYPE numeric;
    """
    (found,) = await linting(text, "rewrite")
    assert found.message.startswith("ACCESS EXCLUSIVE on seeds")
    assert found.line == 8


async def test_a_lock_is_held_until_its_transaction_ends(linting: Linting) -> None:
    text = """
    LOCK TABLE seeds IN SHARE MODE;
    SELECT count(*) FROM seeds;
    -- @dbwarden:autocommit
    SELECT count(*) FROM seeds;
    """
    (found,) = await linting(text, "scan-under-lock")
    assert found.message.startswith("SHARE on seeds")
    assert found.line == 4
