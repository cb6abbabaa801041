"""Small Alembic projects, written by the tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent

ASYNC_ENV = """
import asyncio
from alembic import context
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

def run(connection):
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()

async def connect():
    engine = create_async_engine("postgresql+asyncpg://app:secret@nowhere.invalid/shop",
                                 poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()

asyncio.run(connect())
"""
SYNC_ENV = """
from alembic import context
from sqlalchemy import create_engine

engine = create_engine("sqlite:////nowhere/shop.db")
with engine.connect() as connection:
    context.configure(connection=connection, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
"""
MULTI_ENV = """
from alembic import context
from sqlalchemy import create_engine

engines = {"primary": "sqlite:///one.db", "analytics": "sqlite:///two.db"}
for name, url in engines.items():
    with create_engine(url).connect() as connection:
        context.configure(connection=connection, upgrade_token=f"{name}_upgrades",
                          downgrade_token=f"{name}_downgrades")
        with context.begin_transaction():
            context.run_migrations(engine_name=name)
"""
NAMESPACE_ENV = ASYNC_ENV.replace(
    "def run(connection):",
    """from sqlalchemy import text

def run(connection):
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS app"))
    connection.execute(text("SET search_path TO app"))
    connection.commit()""",
)
CONNECT_ENV = ASYNC_ENV.replace(
    "poolclass=NullPool)",
    'poolclass=NullPool, connect_args={"server_settings": {"search_path": "app"}})',
)


@dataclass(frozen=True)
class Revision:
    """One revision: its id, those before it, and the bodies of its functions."""

    id: str
    before: str | Sequence[str] | None
    upgrade: str = "pass"
    downgrade: str = "pass"
    message: str = ""
    depends_on: str | None = None
    arguments: str = ""


def write_project(root: Path, env: str, revisions: Sequence[Revision]) -> Path:
    """Write an Alembic project into *root*, and return its configuration."""
    versions = root / "alembic" / "versions"
    versions.mkdir(parents=True, exist_ok=True)
    (root / "alembic" / "env.py").write_text(env)
    ini = root / "alembic.ini"
    ini.write_text("[alembic]\nscript_location = %(here)s/alembic\n")
    for revision in revisions:
        (versions / f"{revision.id}.py").write_text(_text_of(revision))
    return ini


def _text_of(revision: Revision) -> str:
    head = f'''"""{revision.message}"""
import uuid
import sqlalchemy as sa
from alembic import op
revision, down_revision = {revision.id!r}, {revision.before!r}
depends_on = {revision.depends_on!r}
'''
    for name, body in (("upgrade", revision.upgrade), ("downgrade", revision.downgrade)):
        head += f"\ndef {name}({revision.arguments}):\n{indent(dedent(body).strip(), '    ')}\n"
    return head
