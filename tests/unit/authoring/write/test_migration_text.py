"""The text of a generated migration file."""

from dataclasses import replace
from pathlib import Path

from dbwarden.authoring.generate.plan import Plan
from dbwarden.authoring.write.migration_text import (
    Header,
    lock_lines,
    migration_text,
    section_lines,
)
from dbwarden.dialects.authoring import TableLock, TracedStatement
from dbwarden.diff.changes import Create, Drop, RenameValue
from dbwarden.diff.statements import PlannedStatement
from dbwarden.files.declarations import Declarations
from dbwarden.files.parsing import parse
from dbwarden.schema import Index, QualifiedName
from dbwarden.types import DatabaseName
from tests.unit.authoring.schemas import ID, NICK, USERS, table


def test_a_written_file_reads_as_a_migration_with_its_marks() -> None:
    add = Create(on=USERS, obj=NICK)
    index = Create(on=USERS, obj=Index(name="ix", columns=()))
    plan = Plan(
        upgrade=(
            PlannedStatement(text="ALTER TABLE users ADD COLUMN nick text", change=add),
            PlannedStatement(
                text="CREATE INDEX CONCURRENTLY ix ON users (nick)",
                change=index,
                why="Built without blocking.",
                transactional=False,
            ),
        ),
        rollback=(PlannedStatement(text="ALTER TABLE users DROP COLUMN nick", change=add),),
    )
    header = Header(purpose="add\nnicks", verdict="exact", server="PostgreSQL 18.6")
    text = migration_text(header, plan, "public")
    assert text.startswith("-- Purpose: add nicks\n-- Verdict: exact (tried on PostgreSQL 18.6)\n")
    assert "-- Built without blocking.\n-- @dbwarden:autocommit\nCREATE INDEX" in text
    assert text.count("-- table users") == 2  # one heading a section, not one a statement
    read = parse(
        text, path=Path("/m/a__0001_x.sql"), database=DatabaseName("a"), dialect="postgresql"
    )
    assert read.rollback is not None
    assert not read.irreversible
    assert read.declares == Declarations({"generated": ()})


def test_dropped_tables_need_no_heading() -> None:
    tables = [
        PlannedStatement(
            text=f"DROP TABLE {name}",
            change=Drop(obj=table(QualifiedName("public", name), ID)),
        )
        for name in ("tags", "posts")
    ]
    column = PlannedStatement(
        text="ALTER TABLE a DROP COLUMN nick", change=Drop(on=USERS, obj=NICK)
    )
    told = replace(tables[1], why="Its rows are kept elsewhere.")
    assert "\n".join(section_lines([column, *tables, column, told], "public")) == (
        "-- table users\nALTER TABLE a DROP COLUMN nick;\n\n"
        "DROP TABLE tags;\nDROP TABLE posts;\n\n"
        "-- table users\nALTER TABLE a DROP COLUMN nick;\n\n"
        "-- table posts\n-- Its rows are kept elsewhere.\nDROP TABLE posts;"
    )


def test_a_renamed_value_is_written_under_its_enum() -> None:
    renamed = RenameValue(enum=QualifiedName("public", "mood"), before="ok", after="fine")
    statement = PlannedStatement(text="ALTER TYPE mood ...", change=renamed)
    assert section_lines([statement], "public")[0] == "-- enum mood"


def test_a_file_without_a_rollback_is_marked_irreversible() -> None:
    add = Create(on=USERS, obj=NICK)
    statement = PlannedStatement(text="SELECT 1", change=add)
    plan = Plan(upgrade=(statement,), rollback=None, no_way_back="x")
    text = migration_text(Header(purpose="p", verdict="irreversible"), plan, "public")
    read = parse(
        text, path=Path("/m/a__0001_x.sql"), database=DatabaseName("a"), dialect="postgresql"
    )
    assert read.irreversible
    assert read.rollback is None


def test_the_strongest_lock_on_a_table_is_listed_once() -> None:
    weak = TableLock(table="users", mode="ShareLock", strength=4)
    strong = TableLock(table="users", mode="AccessExclusiveLock", strength=7)
    rewriting = replace(strong, rewrites=True)
    other = replace(weak, table="tags")
    assert _lines(weak, strong, weak) == ("Locks users: AccessExclusiveLock (3 statements)",)
    assert _lines(weak, other) == ("Locks tags: ShareLock", "Locks users: ShareLock")
    assert _lines(strong, rewriting) == (
        "Locks users: AccessExclusiveLock and rewrites it (2 statements)",
    )
    assert _lines(rewriting, rewriting) == (
        "Locks users: AccessExclusiveLock and rewrites it 2 times (2 statements)",
    )
    assert _lines(replace(rewriting, mode="")) == ("Rewrites users",)


def test_many_tables_with_the_same_lock_share_one_line() -> None:
    rewriting = TableLock(table="x", mode="AccessExclusiveLock", strength=7, rewrites=True)
    many = [replace(rewriting, table=name) for name in "abcdef"]
    other = replace(rewriting, table="aa", rewrites=False)
    assert _lines(*many, other) == (
        "Locks a, b, c, d, e, f: AccessExclusiveLock and rewrites them",
        "Locks aa: AccessExclusiveLock",
    )


def _lines(*locks: TableLock) -> tuple[str, ...]:
    return lock_lines(
        [TracedStatement(text=f"s{n}", line=n, locks=(lock,)) for n, lock in enumerate(locks)]
    )
