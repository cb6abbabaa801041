"""What authoring decides without a database: words, renames, headers."""

from dataclasses import replace
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from dbwarden.authoring.collect.hints import NO_HINTS, Hints, IndexExpressions
from dbwarden.authoring.collect.unmanaged_objects import is_generated
from dbwarden.authoring.compare.renames import (
    candidates,
    parse_rename,
    refuse_unknown_renames,
)
from dbwarden.authoring.compare.user_choices import pairs_of
from dbwarden.authoring.concurrency import is_shared, run_concurrently
from dbwarden.authoring.generate.apply_hints import restore_types, use_model_expressions
from dbwarden.authoring.generate.plan import Plan
from dbwarden.authoring.prove.proof import verdict
from dbwarden.authoring.write.migration_text import (
    Header,
    lock_lines,
    migration_text,
    section_lines,
)
from dbwarden.authoring.write.models_code import escaped
from dbwarden.authoring.write.models_idioms import bare
from dbwarden.authoring.write.models_types import import_lines
from dbwarden.dialects.authoring import TableLock, TracedStatement
from dbwarden.dialects.postgresql.scratch.quick_diff import surely_differ
from dbwarden.dialects.postgresql.scratch.tracing import strongest
from dbwarden.diff import diff
from dbwarden.diff.changes import (
    AddColumn,
    AddConstraint,
    AddIndex,
    AlterColumn,
    CreateTable,
    DropColumn,
    DropTable,
    Rename,
    RenameValue,
)
from dbwarden.diff.statements import PlannedStatement, merge_statements
from dbwarden.errors import UsageError
from dbwarden.files.parsing import parse
from dbwarden.schema import (
    Check,
    Column,
    Enum,
    Index,
    IndexColumn,
    ObjectKind,
    PrimaryKey,
    QualifiedName,
    Ref,
    Schema,
    Sequence,
    Table,
    Unique,
)
from dbwarden.types import DatabaseName

USERS = QualifiedName("public", "users")
PEOPLE = QualifiedName("public", "people")
OWN = QualifiedName(None, "users")


def table(name: QualifiedName, *columns: Column) -> Table:
    return Table(name=name, columns=columns)


ID = Column(name="id", type="integer", not_null=True)
NICK = Column(name="nick", type="text")
CURRENT = Schema(
    tables=(table(USERS, ID, NICK),),
    enums=(Enum(name=QualifiedName("public", "mood"), values=("sad", "ok")),),
)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (
            "users.nick:nickname",
            Rename(
                before=Ref(ObjectKind.COLUMN, "public", "users", "nick"),
                after=Ref(ObjectKind.COLUMN, "public", "users", "nickname"),
            ),
        ),
        (
            "users:audit.people",
            Rename(
                before=Ref(ObjectKind.TABLE, "public", "users"),
                after=Ref(ObjectKind.TABLE, "audit", "people"),
            ),
        ),
        (
            "mood.ok:fine",
            RenameValue(enum=QualifiedName("public", "mood"), before="ok", after="fine"),
        ),
    ],
)
def test_a_rename_flag_names_a_column_a_table_or_a_value(text: str, meant: object) -> None:
    assert parse_rename(text, CURRENT, CURRENT) == meant


def test_a_new_name_without_a_namespace_is_where_the_models_have_it() -> None:
    audit = Schema(tables=(table(QualifiedName("audit", "users"), ID),))
    to_public = parse_rename("audit.users:users", audit, CURRENT)
    assert to_public == Rename(
        before=Ref(ObjectKind.TABLE, "audit", "users"),
        after=Ref(ObjectKind.TABLE, "public", "users"),
    )
    both = Schema(
        tables=(
            table(QualifiedName("audit", "people"), ID),
            table(QualifiedName("public", "people")),
        )
    )
    within = parse_rename("audit.users:people", audit, both)
    assert within.after == Ref(ObjectKind.TABLE, "audit", "people")  # type: ignore[union-attr]  # a Rename


@pytest.mark.parametrize("text", ["users.nick", ":new", "users:", "users.gone:new", "no.thing:x"])
def test_a_rename_flag_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_rename(text, CURRENT, CURRENT)
    assert caught.value.next_step


@pytest.mark.parametrize(
    ("texts", "refused"),
    [
        (["users:people", "users.nick:name", "mood.ok:fine"], None),
        (["mood:state"], "there is no state in the models"),
        (["mood:temper"], None),
        (["users:folk"], "there is no folk in the models"),
        (["users:people", "users.nick:alias"], "there is no alias in the models"),
        (["users.nick:name"], "there is no name in the models"),
        (["mood.ok:splendid"], "there is no splendid in the models"),
    ],
)
def test_a_rename_leads_to_what_models_have(texts: list[str], refused: str | None) -> None:
    name = Column(name="name", type="text")
    moods = [Enum(name=QualifiedName("public", "mood"), values=("sad", "fine"))]
    moods.append(Enum(name=QualifiedName("public", "temper"), values=()))
    desired = Schema(tables=(table(PEOPLE, ID, name),), enums=tuple(moods))
    said = [parse_rename(text, CURRENT, desired) for text in texts]
    if refused is None:
        refuse_unknown_renames(texts, said, said, desired)
        return
    with pytest.raises(UsageError, match=refused):
        refuse_unknown_renames(texts, said, said, desired)


def test_a_rename_to_other_capitals_says_what_they_mean_to_sqlite() -> None:
    desired = Schema(dialect="sqlite", tables=(table(QualifiedName(None, "Users"), ID),))
    said = [parse_rename("Users:users", desired, desired)]
    with pytest.raises(UsageError) as caught:
        refuse_unknown_renames(["Users:users"], said, said, desired)
    assert "users and Users, which is there now, are the same name" in str(caught.value.next_step)


def test_what_goes_and_comes_alike_may_be_a_rename() -> None:
    desired = Schema(
        tables=(table(PEOPLE, ID, NICK),),
        enums=(Enum(name=QualifiedName("public", "mood"), values=("sad", "fine")),),
    )
    found = candidates(CURRENT, desired)
    assert [(item.old, item.new) for item in found] == [("users", "people"), ("mood.ok", "fine")]
    assert found[0].flags == ("--rename users:people", "--allow-drop users")
    assert found[0].reasons == ("2 of 2 columns are the same",)


def test_an_enum_that_comes_in_the_same_column_may_be_a_rename() -> None:
    column = table(USERS, ID).column_ref("id")

    def schema(name: str, *values: str, user: Ref = column) -> Schema:
        enum = Enum(name=QualifiedName("public", name), values=values)
        return Schema(tables=(table(USERS, ID),), enums=(enum,), dependencies=((user, enum.ref),))

    before = schema("mood", "sad", "ok", "fine")
    found = candidates(before, schema("temper", "sad", "ok"))
    assert [item.flags for item in found] == [("--rename mood:temper", "--allow-drop mood")]
    assert found[0].reasons == ("same column, 2 of 3 values are the same",)
    assert candidates(before, schema("temper", "sad", "x")) == ()
    other = table(PEOPLE, ID).column_ref("id")
    assert candidates(before, schema("temper", "sad", "ok", user=other)) == ()


def test_columns_of_other_types_are_no_rename() -> None:
    number = Column(name="nickname", type="integer")
    assert candidates(CURRENT, Schema(tables=(table(USERS, ID, number),))) == ()


def test_the_sequence_behind_a_serial_follows_its_table() -> None:
    def sequence(owner: QualifiedName) -> Sequence:
        return Sequence(
            name=QualifiedName("public", f"{owner.name}_id_seq"),
            owned_by=Ref(ObjectKind.COLUMN, "public", owner.name, "id"),
        )

    rename = Rename(before=table(USERS).ref, after=table(PEOPLE).ref)
    current = Schema(tables=(table(USERS, ID),), sequences=(sequence(USERS),))
    desired = Schema(tables=(table(PEOPLE, ID),), sequences=(sequence(PEOPLE),))
    assert diff(current, desired, [rename]) == (
        rename,
        Rename(before=sequence(USERS).ref, after=sequence(PEOPLE).ref),
    )


# -- words --------------------------------------------------------------------------------------

HINTS = Hints(
    types={(OWN, "nick"): "VARCHAR(20)", (OWN, "id"): "INTEGER"},
    defaults={(OWN, "nick"): "'a'"},
    generated={(OWN, "twice"): "id * 2"},
    checks={(OWN, "ck"): "nick <> ''"},
    indexes={(OWN, "ix"): IndexExpressions(keys=(None, "lower(nick)", "id + 1"), where="id > 0")},
)


def test_changes_speak_the_words_of_the_models() -> None:
    nick = Column(name="nick", type="character varying(20)", default="'a'::character varying")
    (made,) = use_model_expressions([AddColumn(table=USERS, column=nick)], HINTS, "public")
    assert made == AddColumn(
        table=USERS, column=Column(name="nick", type="VARCHAR(20)", default="'a'")
    )
    check = Check(name="ck", expression="((nick)::text <> ''::text)")
    (made,) = use_model_expressions([AddConstraint(table=USERS, constraint=check)], HINTS, "public")
    assert made == AddConstraint(table=USERS, constraint=Check(name="ck", expression="nick <> ''"))


def test_index_expressions_get_the_parentheses_that_they_need() -> None:
    keys = (
        IndexColumn(column="id"),
        IndexColumn(expression="lower((nick)::text)"),
        IndexColumn(expression="(id + 1)"),
    )
    index = Index(name="ix", columns=keys, where="(id > 0)")
    (made,) = use_model_expressions([AddIndex(table=USERS, index=index)], HINTS, "public")
    assert isinstance(made, AddIndex)
    assert [key.expression for key in made.index.columns] == [None, "lower(nick)", "(id + 1)"]
    assert made.index.where == "id > 0"


def test_counting_columns_and_other_namespaces_keep_the_catalogs_words() -> None:
    serial = Column(name="id", type="integer", default="nextval('users_id_seq'::regclass)")
    other = QualifiedName("audit", "users")
    changes = [AddColumn(table=USERS, column=serial), AddColumn(table=other, column=NICK)]
    assert use_model_expressions(changes, HINTS, "public") == tuple(changes)


def test_an_altered_column_keeps_its_type_for_the_conversion() -> None:
    before = Column(name="nick", type="text", default="'a'::text")
    after = Column(name="nick", type="character varying(20)", default="'a'::character varying")
    (made,) = use_model_expressions(
        [AlterColumn(table=USERS, before=before, after=after)], HINTS, "public"
    )
    assert isinstance(made, AlterColumn)
    assert (made.after.type, made.after.default) == ("character varying(20)", "'a'")
    text = "ALTER TABLE users\n    ALTER COLUMN nick TYPE character varying(20)"
    assert restore_types(text, made, HINTS, "public").endswith("ALTER COLUMN nick TYPE VARCHAR(20)")
    assert restore_types(text, made, NO_HINTS, "public") == text


def test_serials_are_written_in_capitals_like_other_types() -> None:
    text = (
        'CREATE TABLE t (\n    id serial NOT NULL,\n    "a b" bigint GENERATED ALWAYS AS IDENTITY'
    )
    text += ",\n    serial text\n)"
    made = restore_types(text, CreateTable(table=table(USERS, ID)), HINTS, "public")
    assert "    id SERIAL NOT NULL" in made
    assert '    "a b" BIGINT GENERATED' in made
    assert "    serial text" in made


# -- files --------------------------------------------------------------------------------------


def test_a_written_file_reads_as_a_migration_with_its_marks() -> None:
    add = AddColumn(table=USERS, column=NICK)
    index = AddIndex(table=USERS, index=Index(name="ix", columns=()))
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
    assert is_generated(text)
    assert not is_generated("-- upgrade\n-- Verdict: exact\nSELECT 1;\n")
    read = parse(text, path=Path("/m/a__0001_x.sql"), database=DatabaseName("a"))
    assert read.rollback is not None
    assert not read.irreversible


def test_what_only_goes_needs_no_heading() -> None:
    tables = [
        PlannedStatement(
            text=f"DROP TABLE {name}",
            change=DropTable(table=table(QualifiedName("public", name), ID)),
        )
        for name in ("tags", "posts")
    ]
    column = PlannedStatement(
        text="ALTER TABLE a DROP COLUMN nick", change=DropColumn(table=USERS, column=NICK)
    )
    told = replace(tables[1], why="Its rows are kept elsewhere.")
    assert "\n".join(section_lines([column, *tables, column, told], "public")) == (
        "-- table users\nALTER TABLE a DROP COLUMN nick;\n\n"
        "DROP TABLE tags;\nDROP TABLE posts;\n\n"
        "-- table users\nALTER TABLE a DROP COLUMN nick;\n\n"
        "-- table posts\n-- Its rows are kept elsewhere.\nDROP TABLE posts;"
    )


def test_a_renamed_value_stands_under_its_enum() -> None:
    renamed = RenameValue(enum=QualifiedName("public", "mood"), before="ok", after="fine")
    statement = PlannedStatement(text="ALTER TYPE mood ...", change=renamed)
    assert section_lines([statement], "public")[0] == "-- enum mood"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("((a > 0) AND (b > 0))", "(a > 0) AND (b > 0)"),
        ("(a > 0) AND (b > 0)", "(a > 0) AND (b > 0)"),
        ("(a <> ')'::text)", "a <> ')'::text"),
        ('("b)" IS NOT NULL)', '"b)" IS NOT NULL'),
        ("a", "a"),
    ],
)
def test_generated_models_say_a_check_without_outer_parentheses(given: str, meant: str) -> None:
    assert bare(given) == meant


def test_generated_imports_stand_in_the_order_of_linters() -> None:
    found = import_lines(
        {
            "uuid": {""},
            "typing": {"Any"},
            "datetime": {""},
            "sqlalchemy": {"text", "DateTime", "DDL", "String"},
        }
    )
    assert list(found) == [
        "import datetime",
        "import uuid",
        "from typing import Any",
        "",
        "from sqlalchemy import (",
        *("    DDL,", "    DateTime,", "    String,", "    text,"),
        ")",
    ]


def test_a_file_without_a_way_back_is_marked_irreversible() -> None:
    add = AddColumn(table=USERS, column=NICK)
    statement = PlannedStatement(text="SELECT 1", change=add)
    plan = Plan(upgrade=(statement,), rollback=None, no_way_back="x")
    text = migration_text(Header(purpose="p", verdict="irreversible"), plan, "public")
    read = parse(text, path=Path("/m/a__0001_x.sql"), database=DatabaseName("a"))
    assert read.irreversible
    assert read.rollback is None


def test_of_the_locks_on_a_table_the_strongest_is_told_once() -> None:
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


def test_many_tables_with_the_same_lock_are_told_in_one_line() -> None:
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


def test_statements_that_begin_alike_are_one_where_they_may_be() -> None:
    change = AddColumn(table=USERS, column=NICK)

    def made(text: str, joins: str | None = None, why: str | None = None) -> PlannedStatement:
        return PlannedStatement(text=text, change=change, joins=joins, why=why, destroys=(text,))

    found = merge_statements(
        [made("A t b", "A t"), made("A t c", "A t"), made("x"), made("A t d", "A t")]
    )
    assert [item.text for item in found] == ["A t b, c", "x", "A t d"]
    assert found[0].destroys == ("A t b", "A t c")
    apart = [made("A t b", "A t"), made("A t c", "A t", "why"), made("A u d", "A u"), made("y")]
    assert list(merge_statements(apart)) == apart


def test_the_strongest_lock_of_a_table_counts_and_reading_does_not() -> None:
    held = [(1, "ShareLock"), (1, "AccessExclusiveLock"), (2, "AccessShareLock"), (3, "ShareLock")]
    assert strongest(held, {1: "users", 2: "tags"}, {1}) == (
        TableLock(table="users", mode="AccessExclusiveLock", rewrites=True, strength=7),
    )


@pytest.mark.parametrize(
    ("proven", "reversible", "loses", "word"),
    [
        (True, True, (), "exact"),
        (True, True, ("a.b", "c"), "loses a.b, c"),
        (True, True, tuple("abcdefghijk"), "loses a, b, c, d, e, f, g, h and 3 more"),
        (True, False, ("a.b",), "irreversible"),
        (False, True, (), "not proven"),
    ],
)
def test_the_verdict_says_the_worst(
    proven: bool, reversible: bool, loses: tuple[str, ...], word: str
) -> None:
    assert verdict(proven=proven, reversible=reversible, loses=loses) == word


def test_answers_are_a_column_and_an_expression() -> None:
    assert pairs_of(["users.age=age::int", "a.b = 'x=y'"], "--using") == {
        "users.age": "age::int",
        "a.b": "'x=y'",
    }
    with pytest.raises(UsageError, match="does not name a column"):
        pairs_of(["users.age"], "--using")


def test_colons_are_kept_from_becoming_parameters() -> None:
    assert escaped("'{\"a\":1}'::jsonb") == "'{\"a\"\\:1}'::jsonb"
    assert escaped("x::text") == "x::text"


# -- two at once --------------------------------------------------------------------------------


async def test_two_pieces_of_work_go_on_side_by_side_unless_they_may_not() -> None:
    seen: list[str] = []

    async def work(name: str) -> str:
        seen.append(f"{name} begins")
        await anyio.lowlevel.checkpoint()
        seen.append(f"{name} ends")
        return name

    both = (lambda: work("a"), lambda: work("b"))
    assert await run_concurrently(*both) == ("a", "b")
    assert seen == ["a begins", "b begins", "a ends", "b ends"]
    seen.clear()
    assert await run_concurrently(*both, apart=True) == ("a", "b")
    assert seen == ["a begins", "a ends", "b begins", "b ends"]


async def test_the_first_failure_is_told_and_nobody_is_cut_off() -> None:
    ended = anyio.Event()

    async def fails(name: str) -> None:
        raise ValueError(name)

    async def goes_on() -> None:
        await anyio.lowlevel.checkpoint()
        ended.set()

    with pytest.raises(ValueError, match="first"):
        await run_concurrently(lambda: fails("first"), lambda: fails("second"))
    with pytest.raises(ValueError, match="alone"):
        await run_concurrently(goes_on, lambda: fails("alone"))
    assert ended.is_set()


def test_sql_about_roles_is_shared_by_all_databases_of_a_server() -> None:
    assert is_shared(["SELECT 1", "create ROLE app"])
    assert is_shared(["DROP USER app"])
    assert not is_shared(["CREATE TABLE users (user_role text)", "INSERT INTO users VALUES (1)"])


# -- what surely differs ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Column(name="a", type="text"), Column(name="a", type="integer")),
        (Enum(name=USERS, values=("a",)), Enum(name=USERS, values=("a", "b"))),
        (PrimaryKey(name="k", columns=("a",)), Unique(name="k", columns=("a",))),
        (
            Index(name="i", columns=(IndexColumn(column="a"),)),
            Index(name="i", columns=(IndexColumn(column="b"),)),
        ),
    ],
)
def test_what_has_one_print_only_is_not_asked_of_the_server(one: object, other: object) -> None:
    assert surely_differ(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Column(name="a", type="text", default="1"), Column(name="a", type="text", default="2")),
        (Check(name="c", expression="a > 0"), Check(name="c", expression="a > 1")),
        (
            Index(name="i", columns=(IndexColumn(expression="a"),)),
            Index(name="i", columns=(IndexColumn(expression="b"),)),
        ),
    ],
)
def test_expressions_have_more_than_one_print(one: object, other: object) -> None:
    assert not surely_differ(one, other)
