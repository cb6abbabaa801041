"""A project from its first day: migrations keep rows and lead back to the models."""

import os
import shlex

import pytest

from dbwarden.errors import (
    ConfigurationError,
    ConnectError,
    UnsupportedChange,
    UsageError,
)
from dbwarden.operations.diff import check_models, drift
from dbwarden.operations.migrate import migrate
from dbwarden.operations.renumber import renumber
from dbwarden.operations.rollback import rollback
from dbwarden.operations.verify import verify
from tests.integration.authoring.lite import Lite
from tests.integration.authoring.sqlite.models import ROWS, SHOP, USER


async def test_settings_of_one_migration_do_not_reach_the_next(lite: Lite) -> None:
    lite.migration(
        1,
        """
        -- upgrade
        CREATE TABLE a (id INTEGER PRIMARY KEY, n INTEGER);
        CREATE TEMP TABLE b (other TEXT);
        CREATE TABLE temp.c (other TEXT);
        PRAGMA legacy_alter_table = ON;
        PRAGMA case_sensitive_like = ON;
        -- rollback
        DROP TABLE a;
        """,
    )
    lite.migration(
        2,
        """
        -- upgrade
        CREATE TABLE b (id INTEGER PRIMARY KEY, n INTEGER);
        CREATE TEMP TABLE c (other TEXT);
        CREATE VIEW v AS SELECT n FROM a;
        INSERT INTO b (n) VALUES ('a' LIKE 'A');
        -- rollback
        DROP VIEW v;
        DROP TABLE b;
        """,
    )
    lite.migration(
        3, "-- upgrade\nALTER TABLE a RENAME TO z;\n-- rollback\nALTER TABLE z RENAME TO a;"
    )
    for _ in range(2):
        found = await verify(lite.config)
        assert [(item.verdict, item.problem) for item in found.migrations] == [("exact", None)] * 3
    await migrate(lite.config)
    assert lite.run("SELECT n FROM b") == [(1,)]
    assert lite.run("SELECT sql LIKE '%z%' FROM sqlite_schema WHERE name = 'v'") == [(1,)]
    for _ in range(2):
        assert (await drift(lite.config)).clean


async def test_models_become_migrations_that_keep_rows_and_lead_back(lite: Lite) -> None:
    lite.models(SHOP)
    first = await lite.made("first")
    assert "-- Verdict: exact (tried on SQLite " in first
    assert "CONSTRAINT ck_age CHECK (age >= 0 and age < 200)" in first  # the models' own words
    lite.run(ROWS)
    lite.models(
        SHOP.replace("age < 200", "age < 150")
        .replace('blue = "blue"', 'blue = "blue"; green = "green"')
        .replace("body: Mapped[str | None] = mapped_column(Text",
                 'text: Mapped[str | None] = mapped_column(Text, info={"renamed_from": "body"}')
        .replace("    balance: Mapped[Decimal] = mapped_column(Numeric(10, 2), "
                 'server_default="0")\n', "")
        .replace("    word: Mapped[str]\n",
                 "    word: Mapped[str] = mapped_column(unique=True)\n    slug: Mapped[str]\n")
    )  # fmt: skip
    with pytest.raises(UsageError, match=r"tags\.slug is NOT NULL"):
        await lite.make("second")
    fills = {"tags.slug": "'s' || id"}
    with pytest.raises(UsageError, match=r"destroy data: users\.balance"):
        await lite.make("second", fills=fills)
    second = await lite.made("second", allow_drop=["users.balance"], fills=fills)
    assert "-- Verdict: loses users.balance" in second
    assert "-- Rewrites users\n" in second
    assert "-- Rewrites posts" not in second
    assert lite.run("SELECT id, text FROM posts") == [(1, "hello"), (2, None)]
    assert lite.run("SELECT word, slug FROM tags") == [("w", "s1")]
    assert lite.run("SELECT email, age, twice FROM users") == [("x", 3, 6)]
    assert lite.run("PRAGMA foreign_key_check") == []
    assert (await verify(lite.config)).clean
    assert (await check_models(lite.config)).clean
    await rollback(lite.config)
    assert lite.run("SELECT id, body FROM posts") == [(1, "hello"), (2, None)]
    assert len(lite.run("SELECT * FROM post_tags")) == 1


async def test_a_missing_database_counts_as_empty_and_is_not_created(lite: Lite) -> None:
    lite.models(SHOP)
    assert (await drift(lite.config)).clean
    found = await drift(lite.config, models=True)
    assert "CREATE TABLE users (" in found.sql
    assert (await lite.make(sql=True, from_live=True)).sql is not None
    assert not lite.path.exists()


async def test_a_read_only_file_is_read(lite: Lite) -> None:
    lite.migration(1, "-- upgrade\nCREATE TABLE t (a INT);\n")
    await migrate(lite.config)
    lite.run("PRAGMA journal_mode = WAL")
    os.chmod(lite.path, 0o444)
    names = sorted(os.listdir(lite.root))
    lite.options["database_url"] = "sqlite:///file:app.db?mode=ro&uri=true"
    assert (await drift(lite.config)).clean
    assert sorted(set(os.listdir(lite.root)) - {".dbwarden"}) == names
    lite.options["database_url"] = "sqlite:///file:gone.db?mode=ro&uri=true"
    with pytest.raises(ConnectError):
        await drift(lite.config)


async def test_flags_to_copy_are_quoted_for_the_shell(lite: Lite) -> None:
    lite.migration(1, """-- upgrade\nCREATE TABLE "od'd name" (a);\nCREATE TABLE t (a);\n""")
    lite.models(USER)
    with pytest.raises(UsageError) as caught:
        await lite.make()
    advice = str(caught.value.next_step)
    name = "od'd name"
    flags = f"--allow-drop {shlex.quote(name)} --allow-drop t"
    assert flags in advice


EVENTS = (
    USER
    + """
for sql in (
    "CREATE VIEW loud AS SELECT email FROM users",
    "CREATE TRIGGER tidy BEFORE DELETE ON users BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE docs USING fts5(body)",
):
    event.listen(Base.metadata, "after_create", DDL(sql))
"""
)


async def test_ddl_events_are_migrated_and_rolled_back(lite: Lite) -> None:
    lite.models(EVENTS)
    text = await lite.made()
    assert "CREATE VIEW loud AS" in text
    assert "CREATE TRIGGER tidy" in text
    assert "CREATE VIRTUAL TABLE docs" in text
    lite.models(EVENTS.replace("SELECT email FROM", "SELECT id, email FROM"))
    await lite.made("another view")
    assert (await verify(lite.config)).clean
    lite.models(EVENTS.replace("fts5(body)", "fts5(body, head)"))
    with pytest.raises(UnsupportedChange, match="docs"):
        await lite.make()


async def test_schemas_in_models_are_an_error_with_a_next_step(lite: Lite) -> None:
    lite.models(USER + '    __table_args__ = {"schema": "billing"}\n')
    with pytest.raises(ConfigurationError, match="schema 'billing', and a SQLite database") as said:
        await lite.make()
    assert "schema=" in (said.value.next_step or "")
    lite.models(USER + '    __table_args__ = {"schema": "main"}\n')
    await lite.made()


async def test_clauses_that_sqlalchemy_omits_on_sqlite_are_omitted(lite: Lite) -> None:
    lite.models(
        """
        class Thing(Base):
            __tablename__ = "things"
            __table_args__ = {"comment": "none here"}
            id: Mapped[int] = mapped_column(Identity(), primary_key=True)
            number: Mapped[int] = mapped_column(Sequence("numbers"))
            kind: Mapped[str] = mapped_column(Enum("a", "b", name="kind"), comment="nor here")
        """
    )
    assert "SEQUENCE" not in await lite.made()


async def test_schema_files_and_setup_files_are_run(lite: Lite) -> None:
    (lite.root / "schema.sql").write_text("CREATE VIEW v AS SELECT word FROM given;\n")
    (lite.root / "setup.sql").write_text("CREATE TABLE given (word TEXT);\n")
    lite.options |= {
        "schema_paths": (lite.root / "schema.sql",),
        "scratch_setup": lite.root / "setup.sql",
    }
    result = await lite.make()
    assert result.sql is not None
    assert "CREATE VIEW v AS" in result.sql
    assert "given (" not in result.sql
    lite.options["scratch_setup"] = lite.root / "gone.sql"
    with pytest.raises(UsageError, match="scratch_setup cannot be read"):
        await lite.make()


async def test_a_newer_migration_of_another_branch_is_renumbered(lite: Lite) -> None:
    lite.migration(1, "-- upgrade\nCREATE TABLE a (i INT);\n-- rollback\nDROP TABLE a;\n")
    lite.migration(2, "-- upgrade\nCREATE TABLE b (i INT);\n-- rollback\nDROP TABLE b;\n")
    await migrate(lite.config)
    path = lite.root / "migrations" / "app" / "app__0002_branch.sql"
    path.write_text("-- upgrade\nCREATE TABLE c (i INT);\n-- rollback\nDROP TABLE c;\n")
    done = await renumber(lite.config)
    assert [move.new.name for move in done.moves] == ["app__0003_branch.sql"]
    assert done.clean


async def test_a_rename_for_tables_in_use_is_in_place(lite: Lite) -> None:
    old = "class Order(Base):\n    __tablename__ = 'orders'\n    id: Mapped[int] = mapped_column("
    lite.models(f"{old}primary_key=True)\n    note: Mapped[str | None]\n")
    await lite.made("before")
    lite.run("INSERT INTO orders (note) VALUES ('x')")
    lite.models(f"{old}primary_key=True)\n    remark: Mapped[str | None]\n")
    text = await lite.made("after", online=True, renames=["orders.note:remark"])
    assert "RENAME COLUMN note TO remark" in text
    assert lite.run("SELECT remark FROM orders") == [("x",)]
