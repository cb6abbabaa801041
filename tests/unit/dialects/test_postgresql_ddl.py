"""SQL of PostgreSQL as a person would write it."""

import pytest

from dbwarden.dialects.postgresql.ddl import render
from dbwarden.dialects.postgresql.ddl.casts import cast, narrows
from dbwarden.dialects.postgresql.ddl.names import literal, qualified, quote
from dbwarden.diff import diff
from dbwarden.diff.statements import PlannedStatement, RenderOptions
from dbwarden.schema import (
    Column,
    Enum,
    ForeignKey,
    Index,
    IndexColumn,
    PrimaryKey,
    QualifiedName,
    Schema,
    Table,
)

USERS, POSTS = QualifiedName("public", "users"), QualifiedName("blog", "posts")


def users(*columns: Column, **more: object) -> Schema:
    whole = (Column(name="id", type="integer", not_null=True), *columns)
    key = PrimaryKey(name="users_pkey", columns=("id",))
    return Schema(tables=(Table(name=USERS, columns=whole, primary_key=key, **more),))  # type: ignore[arg-type]


def sql(current: Schema, desired: Schema, **options: object) -> tuple[PlannedStatement, ...]:
    given = RenderOptions(**options)  # type: ignore[arg-type]  # its fields
    return render(diff(current, desired), current=current, desired=desired, options=given)


def test_a_table_has_one_clause_a_line_and_its_namespace_where_it_is_not_the_default() -> None:
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


def test_what_is_destroyed_is_named_as_the_command_line_takes_it() -> None:
    column = Column(name="email", type="text")

    (statement,) = sql(users(column), users())

    assert (statement.text, statement.destroys) == (
        "ALTER TABLE users DROP COLUMN email",
        ("users.email",),
    )


def test_a_narrower_type_is_destructive_and_a_wider_one_is_not() -> None:
    short, long = Column(name="n", type="character varying(5)"), Column(name="n", type="text")

    assert [s.destroys for s in sql(users(long), users(short))] == [("users.n",)]
    assert [s.destroys for s in sql(users(short), users(long))] == [()]


def test_a_required_column_without_a_value_says_that_it_fails_on_rows() -> None:
    (statement,) = sql(users(), users(Column(name="n", type="text", not_null=True)))

    assert statement.why == "Fails where the table has rows: give a default, or --fill."


def test_an_enum_value_that_is_used_is_committed_first() -> None:
    name = QualifiedName("public", "mood")
    old, new = Enum(name=name, values=("a",)), Enum(name=name, values=("a", "b"))
    column = Column(name="m", type="mood", default="'b'::mood")

    def schema(enum: Enum, *columns: Column) -> Schema:
        return Schema(enums=(enum,), tables=users(*columns).tables)

    used = sql(schema(old), schema(new, column))
    unused = sql(schema(old), schema(new))

    assert (used[0].text, used[0].transactional) == ("ALTER TYPE mood ADD VALUE 'b'", False)
    assert [s.transactional for s in unused] == [True]


def test_online_a_changed_index_is_there_at_every_moment() -> None:
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


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("users", "users"),
        ("user", '"user"'),
        ("Users", '"Users"'),
        ("a b", '"a b"'),
        ('q"q', '"q""q"'),
        ("1st", '"1st"'),
        ("a1$", "a1$"),
    ],
)
def test_names_are_quoted_only_where_they_need_it(name: str, text: str) -> None:
    assert quote(name) == text


def test_names_in_the_default_namespace_stand_alone() -> None:
    assert qualified(QualifiedName("public", "t"), "public") == "t"
    assert qualified(QualifiedName("Other", "t"), "public") == '"Other".t'
    assert qualified(QualifiedName(None, "t"), "public") == "t"


def test_quotes_in_strings_are_doubled() -> None:
    assert literal("it's") == "'it''s'"


@pytest.mark.parametrize(
    ("before", "after", "way", "lossy"),
    [
        ("integer", "bigint", "implicit", False),
        ("bigint", "integer", "assignment", True),
        ("text", "integer", "explicit", True),
        ("integer", "text", "assignment", False),
        ("integer", "character varying(3)", "assignment", True),
        ("integer", "uuid", None, True),
        ("integer[]", "bigint[]", "implicit", False),
        ("integer", "integer[]", None, True),
        ("character varying(5)", "character varying(9)", "implicit", False),
        ("character varying(9)", "character varying(5)", "implicit", True),
        ("character varying(9)", "character varying", "implicit", False),
        ("numeric(10,2)", "numeric(12,4)", "implicit", False),
        ("numeric(10,4)", "numeric(12,2)", "implicit", True),
        ("numeric", "numeric(12,2)", "implicit", True),
        ("timestamp(3) with time zone", "timestamp with time zone", "implicit", False),
    ],
)
def test_conversions_are_known(before: str, after: str, way: str | None, lossy: bool) -> None:
    assert (cast(before, after), narrows(before, after)) == (way, lossy)
