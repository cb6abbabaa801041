"""Tables that get sample rows."""

from pathlib import Path

import pytest

from dbwarden.authoring.prove.row_trials import with_touched_tables
from dbwarden.files.parsing import parse
from dbwarden.schema import Column, Enum, ForeignKey, QualifiedName, Routine, Schema, Table
from dbwarden.types import DatabaseName


def named(name: str) -> QualifiedName:
    return QualifiedName("public", name)


SCHEMA = Schema(
    default_namespace="public",
    tables=(
        Table(name=named("lines"), columns=(Column(name="mood", type="mood"),)),
        Table(
            name=named("orders"),
            columns=(Column(name="user_id", type="integer"),),
            foreign_keys=(
                ForeignKey(
                    name="fk",
                    columns=("user_id",),
                    references=named("users"),
                    referred_columns=("id",),
                ),
            ),
        ),
        Table(name=named("users"), columns=(Column(name="id", type="integer"),)),
    ),
    objects=(
        Enum(name=named("mood"), values=("good",)),
        Routine(
            name=named("tidy"),
            identity="",
            arguments="",
            returns="void",
            definition="CREATE FUNCTION tidy() ... DELETE FROM orders",
        ),
    ),
)


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("CREATE TABLE others (id int);", []),
        ("ALTER TABLE Users ADD x int;", ["users"]),
        ("DELETE FROM orders;", ["orders", "users"]),
        ("SELECT tidy();", ["orders", "users"]),
        ("ALTER TYPE mood RENAME VALUE 'good' TO 'fine';", ["lines"]),
    ],
)
def test_only_tables_that_a_migration_touches_get_rows(sql: str, tables: list[str]) -> None:
    path = Path("app__0002_x.sql")
    migration = parse(
        f"-- upgrade\n{sql}\n", path=path, database=DatabaseName("app"), dialect="postgresql"
    )
    assert [table.name.name for table in with_touched_tables(SCHEMA, migration).tables] == tables
