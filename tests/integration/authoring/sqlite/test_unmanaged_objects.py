"""Objects of hand-written files stay next to those of the models."""

import pytest

from dbwarden.errors import (
    NotProven,
    StatementFailed,
    UnsupportedChange,
)
from dbwarden.operations.diff import drift
from dbwarden.operations.migrate import migrate
from dbwarden.operations.rollback import rollback
from dbwarden.operations.verify import verify
from tests.integration.authoring.lite import Lite
from tests.integration.authoring.sqlite.models import HANDMADE, USER


async def test_handwritten_views_triggers_and_virtual_tables_stay(lite: Lite) -> None:
    lite.migration(1, HANDMADE)
    lite.models(USER)
    assert (await lite.make()).agree
    assert (await verify(lite.config)).clean
    await migrate(lite.config)
    lite.run("INSERT INTO users (email) VALUES (' x '); INSERT INTO docs VALUES ('words');")
    lite.models(USER.replace("email: Mapped[str | None]", "email: Mapped[str]"))
    text = await lite.made("strict", fills={"users.email": "''"})
    assert "docs" not in text
    assert lite.run("SELECT * FROM loud") == [("X",)]
    assert lite.run("SELECT body FROM docs('words')") == [("words",)]
    lite.run("INSERT INTO users (email) VALUES (' y ')")
    assert lite.run("SELECT email FROM users WHERE id = 2") == [("y",)]


async def test_handwritten_objects_follow_renames_of_the_models(lite: Lite) -> None:
    lite.migration(1, HANDMADE)
    await migrate(lite.config)
    lite.run("INSERT INTO users (email) VALUES (' a ')")
    lite.models(USER.replace("email: Mapped", "mail: Mapped"))
    text = await lite.made(renames=["users.email:mail"])
    assert "UPDATE users SET mail = trim(new.mail)" in text
    lite.run("INSERT INTO users (mail) VALUES (' b ')")
    assert lite.run("SELECT mail FROM users ORDER BY 1") == [("a",), ("b",)]
    lite.models(USER.replace("email: Mapped", "mail: Mapped").replace('"users"', '"people"'))
    await lite.made(renames=["users:people"])
    lite.run("INSERT INTO people (mail) VALUES (' c ')")
    assert lite.run("SELECT mail FROM people ORDER BY 1") == [("a",), ("b",), ("c",)]
    assert (await verify(lite.config)).clean
    await rollback(lite.config, count=2)
    lite.run("INSERT INTO users (email) VALUES (' d ')")
    assert lite.run("SELECT email FROM loud ORDER BY 1") == [("A",), ("B",), ("C",), ("D",)]


async def test_handwritten_objects_block_changes_of_the_columns_they_read(lite: Lite) -> None:
    lite.migration(1, HANDMADE)
    lite.models(USER.replace("    email: Mapped[str | None]\n", ""))
    with pytest.raises(UnsupportedChange, match=r"reads column users\.email, which the models no"):
        await lite.make(allow_drop=["users.email"])


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("CREATE VIEW v AS SELECT nick FROM users", "view v .* no such column: nick"),
        ("CREATE VIEW v AS SELECT 1 FROM people", "view v .* no such table: main.people"),
        (
            "CREATE TRIGGER g AFTER DELETE ON users BEGIN INSERT INTO users VALUES (1); END",
            "trigger g on users .* table users has 2 columns but 1 values were supplied",
        ),
    ],
)
async def test_a_view_or_trigger_that_could_not_be_used_is_not_written(
    lite: Lite, code: str, why: str
) -> None:
    lite.models(USER + f'\nevent.listen(Base.metadata, "after_create", DDL("{code}"))\n')
    with pytest.raises(NotProven, match=why) as caught:
        await lite.make()
    assert "where it is made" in str(caught.value.next_step)


async def test_a_column_that_breaks_an_unmanaged_object_is_not_added(lite: Lite) -> None:
    lite.migration(
        1,
        HANDMADE.replace(
            "UPDATE users SET email = trim(new.email) WHERE id = new.id;",
            "INSERT INTO users VALUES (new.id + 1, new.email);",
        ),
    )
    lite.models(USER)
    assert (await lite.make()).agree
    lite.models(USER + "    age: Mapped[int | None]\n")
    with pytest.raises(NotProven, match=r"trigger tidy on users .* has 3 columns but 2 values"):
        await lite.make()


KEYS = "CREATE TABLE p (id INT{unique}); CREATE TABLE c (p INT REFERENCES p (id), a INT{more});"


async def test_a_key_to_columns_that_are_not_unique_is_repaired_and_not_created(lite: Lite) -> None:
    schema = lite.root / "schema.sql"
    lite.options["schema_paths"] = (schema,)
    schema.write_text(KEYS.format(unique="", more=""))
    await lite.made()
    schema.write_text(KEYS.format(unique=" UNIQUE", more=""))
    assert "UNIQUE (id)" in await lite.made()
    assert (await verify(lite.config)).clean
    schema.write_text(KEYS.format(unique="", more=" UNIQUE"))
    with pytest.raises(StatementFailed, match=r'columns that are not unique: .* "c" .* "p"'):
        await lite.make()


async def test_a_handwritten_trigger_is_dropped_with_its_table(lite: Lite) -> None:
    lite.migration(1, HANDMADE.replace("CREATE VIEW", "-- CREATE VIEW").replace("DROP VIEW", "--"))
    await migrate(lite.config)
    lite.models(USER.replace('"users"', '"orders"'))
    text = await lite.made(allow_drop=["users"])
    assert "CREATE TRIGGER tidy" in text.partition("-- rollback")[2]
    assert (await verify(lite.config)).clean


async def test_a_handwritten_virtual_table_is_no_drift(lite: Lite) -> None:
    lite.migration(1, "-- upgrade\nCREATE TABLE t (a INT);\n")
    await migrate(lite.config)
    lite.run("CREATE VIRTUAL TABLE docs USING fts5(body);")
    assert (await drift(lite.config)).clean
