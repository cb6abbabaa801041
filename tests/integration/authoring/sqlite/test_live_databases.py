"""A live database becomes a first migration and models."""

from dataclasses import replace

import pytest

from dbwarden.errors import (
    UsageError,
)
from dbwarden.kinds import authoring_dialect_for
from dbwarden.operations.diff import drift
from dbwarden.operations.generate_models import generate_models
from dbwarden.operations.migrate import migrate
from dbwarden.operations.schema import adopt, schema_sql
from dbwarden.operations.verify import verify
from tests.integration.authoring.lite import Lite
from tests.integration.authoring.sqlite.models import RICH, USER


async def test_a_live_database_becomes_the_first_migration(lite: Lite) -> None:
    lite.run(RICH)
    done = await adopt(lite.config)
    assert done.marked == ("0001",)
    assert (await drift(lite.config)).clean
    assert (await verify(lite.config)).clean
    from_files = await schema_sql(lite.config)
    from_live = await schema_sql(lite.config, live=True)
    assert from_files.sql == from_live.sql
    again = Lite(root=lite.root / "again")
    again.root.mkdir()
    again.run(from_live.sql)
    authoring_dialect = authoring_dialect_for("sqlite")
    assert await authoring_dialect.read_live(again.config) == await authoring_dialect.read_live(
        lite.config
    )


async def test_a_database_with_a_history_is_not_adopted_again(lite: Lite) -> None:
    lite.migration(1, "-- upgrade\nCREATE TABLE t (id INTEGER);\n")
    await migrate(lite.config)
    (path,) = lite.config.migrations_dir.glob("*.sql")
    path.unlink()
    with pytest.raises(
        UsageError, match="its migration history has a migration already, up to 0001"
    ):
        await adopt(lite.config)
    assert list(path.parent.iterdir()) == []


async def test_a_database_without_tables_has_no_models(lite: Lite) -> None:
    with pytest.raises(UsageError, match="holds no tables"):
        await generate_models(lite.config)
    assert not lite.path.exists()


async def test_models_may_have_more_than_an_adopted_database(lite: Lite) -> None:
    lite.run("CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR);")
    lite.models(USER + "    age: Mapped[int | None]\n")
    result = await lite.make(from_live=True, sql=True)
    assert result.proven
    assert "-- upgrade\n\n-- table users\nALTER TABLE users ADD COLUMN age INTEGER;\n" in (
        result.sql or ""
    )


async def test_generated_models_lead_back_to_the_database(lite: Lite) -> None:
    lite.run(RICH)
    made = await generate_models(lite.config)
    assert made.tables == 7
    assert "class Users(Base):" in made.code
    assert "c_text: Mapped[str | None] = mapped_column('text', Text" in made.code
    path = lite.root / "models_generated.py"
    path.write_text(made.code, encoding="utf-8")
    config = replace(lite.config, model_paths=(path.name,))
    found = await drift(config, models=True)
    assert found.differences == ()


ODD = """
CREATE TABLE a (n INTEGER COLLATE RTRIM, d COLLATE "NOCASE", PRIMARY KEY (n));
CREATE TABLE b (n INTEGER PRIMARY KEY DESC, x INT);
CREATE INDEX i ON a (d);
CREATE INDEX j ON b (x);
"""


async def test_generated_models_note_features_that_sqlalchemy_lacks(lite: Lite) -> None:
    lite.run(ODD)
    made = await generate_models(lite.config)
    assert "Raw('INTEGER COLLATE RTRIM')" in made.code
    path = lite.root / "models_odd.py"
    path.write_text(made.code, encoding="utf-8")
    found = await drift(replace(lite.config, model_paths=(path.name,)), models=True)
    assert found.differences == ()
