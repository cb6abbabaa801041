"""The SQL of changes."""

import re
from dataclasses import replace

import pytest

from dbwarden.dialects.postgresql.ddl import render
from dbwarden.diff import diff
from dbwarden.diff.changes import Rename
from dbwarden.diff.statements import PlannedStatement, RenderOptions
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import (
    Check,
    Column,
    Enum,
    Exclusion,
    Extension,
    ForeignKey,
    Generated,
    Index,
    IndexColumn,
    ObjectKind,
    PrimaryKey,
    QualifiedName,
    Ref,
    Schema,
    Table,
    Unique,
)
from dbwarden.types import LONGEST_NAME

DROPPED_AND_ADDED = [
    "ALTER TABLE users DROP COLUMN a",
    "ALTER TABLE users ADD COLUMN a integer",
]


USERS, POSTS = QualifiedName("public", "users"), QualifiedName("blog", "posts")


def users(*columns: Column, **more: object) -> Schema:
    whole = (Column(name="id", type="integer", not_null=True), *columns)
    key = PrimaryKey(name="users_pkey", columns=("id",))
    return Schema(tables=(Table(name=USERS, columns=whole, primary_key=key, **more),))  # type: ignore[arg-type]


def sql(current: Schema, desired: Schema, **options: object) -> tuple[PlannedStatement, ...]:
    given = RenderOptions(**options)  # type: ignore[arg-type]  # its fields
    return render(diff(current, desired), current=current, desired=desired, options=given)


def test_a_table_has_one_clause_per_line_and_its_namespace_unless_default() -> None:
    posts = Table(
        name=POSTS,
        columns=(Column(name="author", type="integer", default="1"),),
        foreign_keys=(
            ForeignKey(
                name="f",
                columns=("author",),
                references=USERS,
                referred_columns=("id",),
                on_delete="CASCADE",
            ),
        ),
    )
    current = users()
    desired = Schema(tables=(posts, *current.tables))

    assert [statement.text for statement in sql(current, desired)] == [
        "CREATE TABLE blog.posts (\n"
        "    author integer DEFAULT 1,\n"
        "    CONSTRAINT f FOREIGN KEY (author) REFERENCES users (id) ON DELETE CASCADE\n"
        ")"
    ]


def test_destroyed_objects_are_named_as_the_command_line_accepts_them() -> None:
    column = Column(name="email", type="text")

    (statement,) = sql(users(column), users())

    assert (statement.text, statement.destroys) == (
        "ALTER TABLE users DROP COLUMN email",
        ("users.email",),
    )


def test_a_dropped_object_with_a_temporary_name_keeps_its_name_in_reports() -> None:
    other = QualifiedName("public", "members")
    column, nick = Column(name="a", type="date"), Column(name="b", type="text")
    current = Schema(tables=(*users(column, nick).tables, Table(name=other, columns=(column,))))
    (table,) = users().tables
    now = replace(table, name=other, columns=(*table.columns, replace(nick, name="a")))
    desired = Schema(tables=(now,))
    column_ref = Ref(ObjectKind.COLUMN, "public", "users", "b")
    renames = (
        Rename(before=column_ref, after=replace(column_ref, part="a")),
        Rename(before=table.ref, after=Ref(ObjectKind.TABLE, "public", "members")),
    )

    made = render(diff(current, desired, renames), current=current, desired=desired)

    assert {name for item in made for name in item.destroys} == {"members", "members.a"}


@pytest.mark.parametrize(
    ("wide", "narrow", "converts", "refuses"),
    [
        ("text", "character varying(5)", (), ("users.n does not fit character varying(5)",)),
        ("numeric(9,4)", "numeric(7,2)", ("users.n",), ()),
        ("numeric", "integer", ("users.n",), ("users.n does not fit integer",)),
    ],
)
def test_a_narrower_type_notes_its_effect_on_values(
    wide: str, narrow: str, converts: tuple[str, ...], refuses: tuple[str, ...]
) -> None:
    more, less = users(Column(name="n", type=wide)), users(Column(name="n", type=narrow))

    assert [(s.converts, s.refuses, s.destroys) for s in sql(more, less)] == [
        (converts, refuses, ())
    ]
    assert [(s.converts, s.refuses, s.destroys) for s in sql(less, more)] == [((), (), ())]


def test_a_required_column_without_a_value_notes_that_it_fails_on_rows() -> None:
    (statement,) = sql(users(), users(Column(name="n", type="text", not_null=True)))

    assert statement.why == "Fails where the table has rows: give a default, or --fill."


def test_an_enum_value_that_is_used_is_committed_first() -> None:
    name = QualifiedName("public", "mood")
    old, new = Enum(name=name, values=("a",)), Enum(name=name, values=("a", "b"))
    column = Column(name="m", type="mood", default="'b'::mood")

    def schema(enum: Enum, *columns: Column) -> Schema:
        return Schema(objects=(enum,), tables=users(*columns).tables)

    used = sql(schema(old), schema(new, column))
    unused = sql(schema(old), schema(new))

    assert (used[0].text, used[0].transactional) == ("ALTER TYPE mood ADD VALUE 'b'", False)
    assert [s.transactional for s in unused] == [True]


def test_online_a_changed_index_exists_at_every_moment() -> None:
    def schema(column: str) -> Schema:
        return users(
            Column(name="a", type="integer"),
            Column(name="b", type="integer"),
            indexes=(Index(name="ix", columns=(IndexColumn(column=column),)),),
        )

    assert [(s.text, s.transactional) for s in sql(schema("a"), schema("b"), online=True)] == [
        ("ALTER INDEX ix RENAME TO ix__old", True),
        ("CREATE INDEX CONCURRENTLY ix ON users (b)", False),
        ("DROP INDEX CONCURRENTLY ix__old", False),
    ]


def test_online_the_check_of_a_long_name_is_not_shortened_by_the_server() -> None:
    name = "値" * 21
    nullable, required = (
        Column(name=name, type="text"),
        Column(name=name, type="text", not_null=True),
    )
    first = sql(users(nullable), users(required), online=True)[0].text
    found = re.search(r'ADD CONSTRAINT "(.+)" CHECK', first)
    assert found is not None
    assert len(found[1].encode()) <= LONGEST_NAME


def test_online_a_deferrable_key_is_none_by_which_rows_can_be_walked() -> None:
    def deferrable(*columns: Column) -> Schema:
        (table,) = users(*columns).tables
        key = PrimaryKey(name="users_pkey", columns=("id",), deferrable="immediate")
        return Schema(tables=(replace(table, primary_key=key),))

    email = Column(name="email", type="text", not_null=True)
    fills = {"users.email": "''"}
    with pytest.raises(UnsupportedChange, match="users has no primary key"):
        sql(deferrable(), deferrable(email), online=True, fills=fills)
    assert sql(users(), users(email), online=True, fills=fills)


NO_OVERLAP = Exclusion(name="e", definition="EXCLUDE USING gist (during WITH &&)")
ONCE = Unique(name="u", columns=("id", "during"), without_overlaps=True)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"exclusions": (NO_OVERLAP,)}, "the exclusion constraint e uses it"),
        ({"uniques": (ONCE,)}, "the constraint u WITHOUT OVERLAPS uses it"),
    ],
)
def test_online_a_column_of_a_constraint_on_ranges_keeps_its_type(
    more: dict[str, object], reason: str
) -> None:
    before = users(Column(name="during", type="tsrange"), **more)
    after = users(Column(name="during", type="tstzrange"), **more)
    with pytest.raises(UnsupportedChange, match=reason):
        sql(before, after, online=True, rewritten={"users.during"})


def test_online_long_names_with_the_same_beginning_do_not_collide() -> None:
    names = ["i" * 62 + "1", "i" * 62 + "2", "é" * 31]
    kept = tuple(Index(name=name, columns=(IndexColumn(column="id"),)) for name in names)
    changed = tuple(replace(index, unique=True) for index in kept)

    made = sql(users(indexes=kept), users(indexes=changed), online=True)

    words = [item.text.split()[-1].strip('"') for item in made if "RENAME" in item.text]
    assert len(set(words)) == len(names)
    assert all(len(word.encode()) <= 63 for word in words)


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (
            Ref(ObjectKind.TABLE, "public", "users"),
            Ref(ObjectKind.TABLE, "blog", "People"),
            'ALTER TABLE users RENAME TO "People"; ALTER TABLE "People" SET SCHEMA blog',
        ),
        (
            Ref(ObjectKind.TABLE, "blog", "posts"),
            Ref(ObjectKind.TABLE, "public", "posts"),
            "ALTER TABLE blog.posts SET SCHEMA public",
        ),
        (
            Ref(ObjectKind.CONSTRAINT, "blog", "posts", "f"),
            Ref(ObjectKind.CONSTRAINT, "blog", "posts", "g"),
            "ALTER TABLE blog.posts RENAME CONSTRAINT f TO g",
        ),
        (
            Ref(ObjectKind.INDEX, "blog", "i"),
            Ref(ObjectKind.INDEX, "blog", "j"),
            "ALTER INDEX blog.i RENAME TO j",
        ),
    ],
)
def test_a_rename_across_namespaces_also_moves_the_object(
    before: Ref, after: Ref, text: str
) -> None:
    change = Rename(before=before, after=after)
    found = render([change], current=Schema(), desired=Schema())
    assert "; ".join(item.text for item in found) == text


def test_an_unsupported_rename_is_an_error_that_names_the_object() -> None:
    change = Rename(
        before=Ref(ObjectKind.NAMESPACE, None, "a"), after=Ref(ObjectKind.NAMESPACE, None, "b")
    )
    with pytest.raises(UnsupportedChange, match="namespace a"):
        render([change], current=Schema(), desired=Schema())


def test_an_extension_is_created_and_updated_in_its_version() -> None:
    def schema(version: str | None) -> Schema:
        return Schema(objects=(Extension(name="hstore", namespace="public", version=version),))

    (made,) = sql(Schema(), schema("1.7"))
    assert made.text == "CREATE EXTENSION hstore WITH SCHEMA public VERSION '1.7'"


def test_a_check_keeps_one_pair_of_parentheses_around_it_all() -> None:
    key = Check(name="k", expression="(a > 0) OR (b = ')')")
    (added,) = sql(users(), users(checks=(key,)))
    assert added.text.endswith("ADD CONSTRAINT k CHECK ((a > 0) OR (b = ')'))")


def test_a_table_is_created_with_its_access_method_and_parameters() -> None:
    table = Table(name=USERS, access_method="columnar", parameters=(("fillfactor", "70"),))
    (made,) = sql(Schema(), Schema(tables=(table,)))
    assert made.text == "CREATE TABLE users ()\nUSING columnar\nWITH (fillfactor = 70)"


@pytest.mark.parametrize(
    ("version", "type_", "storage"),
    [(150000, "numeric", "MAIN"), (150000, "text", "EXTENDED"), (160000, "text", "DEFAULT")],
)
def test_a_column_goes_back_to_the_storage_of_its_type(
    version: int, type_: str, storage: str
) -> None:
    def schema(kept: str | None) -> Schema:
        return replace(users(Column(name="a", type=type_, storage=kept)), server_version=version)

    (found,) = sql(schema("EXTERNAL"), schema(None))
    assert found.text.endswith(f"ALTER COLUMN a SET STORAGE {storage}")


def test_a_type_goes_to_another_of_its_own_kind_through_its_text() -> None:
    moods = (Column(name="m", type="mood"), Column(name="n", type="mood[]"))
    states = (Column(name="m", type="state"), Column(name="n", type="state[]"))
    found = [item.text.splitlines()[-1].strip() for item in sql(users(*moods), users(*states))]
    assert found == ["USING m::text::state", "USING n::text[]::state[]"]


@pytest.mark.parametrize(
    ("stored", "texts", "destroys"),
    [
        (True, ["ALTER TABLE users\n    ALTER COLUMN a DROP EXPRESSION"], ()),
        (False, DROPPED_AND_ADDED, ("users.a",)),
    ],
)
def test_a_computed_column_becomes_a_plain_one_with_a_note_about_its_values(
    stored: bool, texts: list[str], destroys: tuple[str, ...]
) -> None:
    def schema(generated: Generated | None) -> Schema:
        return users(Column(name="a", type="integer", generated=generated))

    found = sql(schema(Generated(expression="(id * 2)", stored=stored)), schema(None))
    assert [item.text for item in found] == texts
    assert found[0].destroys == destroys
    gone = sql(schema(Generated(expression="(id * 2)", stored=stored)), users())
    assert gone[0].destroys == ()  # what is computed can be computed again
