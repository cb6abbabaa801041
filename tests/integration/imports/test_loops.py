"""Revisions that read how many rows a statement changed."""

from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import asyncpg
import pytest

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.operations.import_alembic import AlembicOptions, import_alembic
from dbwarden.operations.migrate import migrate
from tests.conftest import MakeConfig
from tests.integration.imports.alembic_projects import (
    ASYNC_ENV,
    SYNC_ENV,
    Revision,
    write_project,
)

TABLES = Revision(
    "1a",
    None,
    """
    op.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR(200), found INTEGER)")
    op.execute("CREATE TABLE copies (id INTEGER PRIMARY KEY, email VARCHAR(200))")
    """,
)
BATCHES = """
UPDATE users SET email = 'none' WHERE id IN (SELECT id FROM users WHERE email IS NULL LIMIT 2)
"""
LOOP = f'''
while op.get_bind().execute(sa.text("""{BATCHES}""")).rowcount > 0:
    pass
'''
PAGES = '''
offset = 0
while True:
    sql = f"""
        INSERT INTO copies (id, email)
        SELECT id, email || ': $' FROM users ORDER BY id LIMIT 3 OFFSET {offset};
    """
    if op.get_bind().execute(sa.text(sql)).rowcount <= 0:
        break
    offset += 3
'''
FULL = LOOP.replace("> 0", ">= 2").replace("none", "full").replace("IS NULL", "= 'none'")
IN_TRANSACTION = LOOP + FULL + PAGES
COMMITTING = "with op.get_context().autocommit_block():\n" + "\n".join(
    f"    {line}" for line in dedent(IN_TRANSACTION).splitlines()
)


@pytest.fixture
def shop(postgres_config: DatabaseConfig) -> DatabaseConfig:
    return replace(postgres_config, timeout=None)


@pytest.mark.parametrize("body", [IN_TRANSACTION, COMMITTING])
async def test_a_loop_until_no_row_is_changed_is_a_loop_of_the_file(
    body: str, shop: DatabaseConfig, postgres_url: str, tmp_path: Path
) -> None:
    loop = Revision("2b", "1a", dedent(body), dedent(body), message="batches")
    ini = write_project(tmp_path, ASYNC_ENV, [TABLES, loop])
    result = await import_alembic(shop, options=AlembicOptions(ini=ini))
    assert result.clean, [file.problems for file in result.files]
    assert [file.reviews for file in result.files] == [(), ()]
    text = result.files[1].path.read_text(encoding="utf-8")
    assert text.count("LOOP;") == 6  # three of the upgrade, three of the rollback
    assert "EXIT WHEN n1 < 2;" in text
    assert ("@dbwarden:autocommit" in text) is (body == COMMITTING)

    assert len((await migrate(shop, to="0001")).applied) == 1
    database = await asyncpg.connect(postgres_url)
    await database.execute("INSERT INTO users (id) SELECT generate_series(1, 7)")
    assert len((await migrate(shop)).applied) == 1
    rows = await database.fetch("SELECT id, email FROM copies ORDER BY id")
    assert [tuple(row) for row in rows] == [(number, "full: $") for number in range(1, 8)]
    await database.close()


DECIDING = {
    "another number": BATCHES.join(
        ('while op.get_bind().execute(sa.text("""', '""")).rowcount > 5:\n    pass')
    ),
    "a row that is missing": """
        if not op.get_bind().execute(sa.text("UPDATE users SET email = 'a'")).rowcount:
            op.execute("INSERT INTO users (id, email) VALUES (1, 'a')")
    """,
    "a count that is written": """
        count = op.get_bind().execute(sa.text("DELETE FROM copies")).rowcount
        op.execute(f"UPDATE users SET found = {count}")
    """,
    "two statements in a loop": """
        while op.get_bind().execute(sa.text("DELETE FROM copies WHERE id < 9")).rowcount:
            op.execute("UPDATE users SET found = found + 1")
    """,
    "the count of a query of the ORM": """
        from sqlalchemy.orm import Session, declarative_base

        class User(declarative_base()):
            __tablename__ = "users"
            id = sa.Column(sa.Integer, primary_key=True)

        if Session(op.get_bind()).query(User).delete():
            op.execute("UPDATE users SET found = 1")
    """,
}


@pytest.mark.parametrize("body", DECIDING.values(), ids=DECIDING)
async def test_counts_that_decide_more_ask_for_a_review(
    body: str, shop: DatabaseConfig, tmp_path: Path
) -> None:
    ini = write_project(tmp_path, ASYNC_ENV, [TABLES, Revision("2b", "1a", dedent(body))])
    result = await import_alembic(shop, options=AlembicOptions(ini=ini))
    assert result.clean, [file.problems for file in result.files]
    (review,) = result.files[1].reviews
    assert review.endswith("counts; what follows is missing")


async def test_counts_that_decide_nothing_ask_for_no_review(
    shop: DatabaseConfig, tmp_path: Path
) -> None:
    printed = """
        from sqlalchemy.orm import Session, declarative_base

        class User(declarative_base()):
            __tablename__ = "users"
            id = sa.Column(sa.Integer, primary_key=True)

        print(op.get_bind().execute(sa.text("DELETE FROM copies")).rowcount, "copies")
        print(Session(op.get_bind()).query(User).delete(), "users")
    """
    ini = write_project(tmp_path, ASYNC_ENV, [TABLES, Revision("2b", "1a", printed)])
    result = await import_alembic(shop, options=AlembicOptions(ini=ini))
    assert [file.reviews for file in result.files] == [(), ()]
    assert "LOOP" not in result.files[1].path.read_text(encoding="utf-8")


async def test_a_loop_on_sqlite_asks_for_a_review(make_config: MakeConfig, tmp_path: Path) -> None:
    lite = make_config("sqlite:///shop.db", database_type="sqlite", timeout=None)
    ini = write_project(tmp_path, SYNC_ENV, [TABLES, Revision("2b", "1a", dedent(LOOP))])
    result = await import_alembic(lite, options=AlembicOptions(ini=ini))
    (review,) = result.files[1].reviews
    assert review.startswith("it repeats UPDATE users") and review.endswith("the file has it once")
