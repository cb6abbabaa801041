"""``lint --fix`` edits files, and only into files that are proven to do the same."""

from pathlib import Path

import pytest

import dbwarden
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from dbwarden.errors import UsageError
from dbwarden.operations.verify import verify
from tests.conftest import MakeConfig
from tests.integration.lint.cases import BASE

BAD = """\
-- upgrade
CREATE INDEX ix_orders_total ON orders (total);
CREATE UNIQUE INDEX "ux of notes" ON orders (note); ALTER TABLE ONLY public.orders
    ALTER COLUMN note SET NOT NULL;
ALTER TABLE orders ADD CONSTRAINT "fk customer" FOREIGN KEY (customer_id) REFERENCES customers (id);
-- @dbwarden:allow rewrite: nothing is rewritten
ALTER TABLE orders ADD CHECK (total > 0);
ALTER TABLE customers DROP COLUMN ref;
DROP INDEX ix_orders_note;

"""
FIXED = """\
-- dbwarden: loses customers.ref

-- upgrade
CREATE INDEX CONCURRENTLY ix_orders_total ON orders (total);
CREATE UNIQUE INDEX CONCURRENTLY "ux of notes" ON orders (note); ALTER TABLE public.orders ADD \
CONSTRAINT dbwarden_not_null_4 CHECK (note IS NOT NULL) NOT VALID;
-- @dbwarden:autocommit
ALTER TABLE public.orders VALIDATE CONSTRAINT dbwarden_not_null_4;
ALTER TABLE ONLY public.orders
    ALTER COLUMN note SET NOT NULL;
ALTER TABLE public.orders DROP CONSTRAINT dbwarden_not_null_4;
ALTER TABLE orders ADD CONSTRAINT "fk customer" FOREIGN KEY (customer_id) REFERENCES customers (id)\
 NOT VALID;
-- @dbwarden:autocommit
ALTER TABLE orders VALIDATE CONSTRAINT "fk customer";
ALTER TABLE orders ADD CHECK (total > 0) NOT VALID;
-- @dbwarden:autocommit
ALTER TABLE orders VALIDATE CONSTRAINT orders_total_check;
ALTER TABLE customers DROP COLUMN ref;
DROP INDEX CONCURRENTLY ix_orders_note;

"""
BACK = """\
-- rollback
ALTER TABLE orders DROP CONSTRAINT orders_total_check, DROP CONSTRAINT "fk customer";
ALTER TABLE orders ALTER COLUMN note DROP NOT NULL;
DROP INDEX ix_orders_total, "ux of notes";
CREATE INDEX ix_orders_note ON orders (note);
ALTER TABLE customers ADD COLUMN ref text;
"""
FIXABLE = (
    *("blocking-index", "not-null-scan", "constraint-not-valid", "unused-allow"),
    *("undeclared-loss", "rewrite"),
)


@pytest.fixture
def config(postgres_server: EmbeddedServer, make_config: MakeConfig) -> DatabaseConfig:
    url = postgres_server.url()
    config = make_config(url, scratch=url, timeout=None)
    _write(config, "0001_base", f"-- upgrade\n{BASE}")
    return config


def _write(config: DatabaseConfig, name: str, text: str, *, ends: str = "\n") -> Path:
    path = config.migrations_dir / f"primary__{name}.sql"
    path.write_bytes(text.replace("\n", ends).encode())
    return path


async def test_every_safer_form_is_written_and_proven(config: DatabaseConfig) -> None:
    path = _write(config, "0002_bad", BAD + BACK)
    result = await dbwarden.lint(config, files=[path], select=FIXABLE, fix=True)
    assert path.read_text() == FIXED + BACK
    assert result.unfixed == ()
    assert result.findings == ()
    assert {fix.rule for fix in result.fixed} == {*FIXABLE} - {"rewrite"}
    assert (await verify(config)).clean


async def test_a_loss_is_declared_in_the_line_ends_of_the_file(config: DatabaseConfig) -> None:
    text = (
        "-- upgrade\nALTER TABLE customers DROP COLUMN ref;\n"
        "-- rollback\nALTER TABLE customers ADD COLUMN ref text;\n"
    )
    path = _write(config, "0002_bad", text, ends="\r\n")
    result = await dbwarden.lint(config, files=[path], select=["undeclared-loss"], fix=True)
    expected = f"-- dbwarden: loses customers.ref\n\n{text}"
    assert path.read_bytes().decode() == expected.replace("\n", "\r\n")
    assert result.clean


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("CREATE INDEX ix_body ON events USING gin (body);", "blocking-index"),
        ("ALTER TABLE orders ADD CHECK (total > 0), ADD COLUMN a int;", "constraint-not-valid"),
        ("DO $$ BEGIN CREATE INDEX ix_total ON orders (total); END $$;", "blocking-index"),
        ("DROP INDEX ix_orders_note, ux_keyless;", "blocking-index"),
    ],
)
async def test_a_file_that_cannot_be_proven_stays_as_it_is(
    config: DatabaseConfig, sql: str, rule: str
) -> None:
    text = f"-- dbwarden: irreversible\n-- upgrade\n{sql}\n"
    path = _write(config, "0002_bad", text)
    result = await dbwarden.lint(config, files=[path], select=[rule], fix=True)
    assert path.read_text() == text
    assert result.fixed == ()
    assert {finding.rule for finding in result.findings} == {rule}
    assert all(fix.why for fix in result.unfixed)


async def test_all_files_are_never_fixed(config: DatabaseConfig) -> None:
    with pytest.raises(UsageError, match="must not change"):
        await dbwarden.lint(config, fix=True)
