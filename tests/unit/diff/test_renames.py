"""Renames are followed through values and texts."""

from dataclasses import replace

from dbwarden.diff import diff
from dbwarden.diff.changes import Rename, RenameValue
from dbwarden.diff.renames import apply_renames
from dbwarden.schema import (
    Check,
    Column,
    Enum,
    ForeignKey,
    Generated,
    Index,
    IndexColumn,
    MaterializedView,
    ObjectKind,
    Policy,
    PrimaryKey,
    QualifiedName,
    Ref,
    Schema,
    Sequence,
    Table,
    Unique,
    View,
    ref_of,
)

USERS, POSTS = QualifiedName("public", "users"), QualifiedName("public", "posts")
PEOPLE = QualifiedName("public", "people")
MOOD = QualifiedName("public", "mood")
KEY = PrimaryKey(name="users_pkey", columns=("nick",))
SCHEMA = Schema(
    tables=(
        Table(
            name=POSTS,
            columns=(Column(name="author", type="text"),),
            foreign_keys=(
                ForeignKey(
                    name="f", columns=("author",), references=USERS, referred_columns=("nick",)
                ),
            ),
        ),
        Table(
            name=USERS,
            columns=(
                Column(name="nick", type="text", default="'nick'::text"),
                Column(name="up", type="text", generated=Generated(expression="upper(nick)")),
                Column(name="m", type="mood", default="'sad'::mood"),
            ),
            primary_key=KEY,
            checks=(Check(name="k", expression="(nick <> 'nick'::text)", columns=("nick",)),),
            indexes=(
                Index(
                    name="i", columns=(IndexColumn(expression="lower(nick)"),), where="(nick > '')"
                ),
            ),
        ),
    ),
    objects=(
        Enum(name=MOOD, values=("sad", "ok")),
        Policy(name="p", table=USERS, using='(nick = "nick2")'),
        View(name=QualifiedName("public", "v"), definition="SELECT users.m FROM users"),
    ),
    dependencies=((ref_of(ObjectKind.COLUMN, USERS, "m"), ref_of(ObjectKind.ENUM, MOOD)),),
)


def table_of(schema: Schema, name: QualifiedName) -> Table:
    table = schema.table(name)
    assert table is not None
    return table


def column(name: str) -> Ref:
    return ref_of(ObjectKind.COLUMN, USERS, name)


def test_a_column_is_followed_into_keys_expressions_and_policies_but_not_into_strings() -> None:
    after = apply_renames(SCHEMA, [Rename(before=column("nick"), after=column("name"))])
    users = after.table(USERS)

    assert users is not None
    assert users.primary_key == PrimaryKey(name="users_pkey", columns=("name",))
    assert users.columns[0] == Column(name="name", type="text", default="'nick'::text")
    assert users.columns[1].generated == Generated(expression="upper(name)")
    assert users.checks[0].expression == "(name <> 'nick'::text)"
    assert users.indexes[0].columns[0].expression == "lower(name)"
    assert users.indexes[0].where == "(name > '')"
    assert after.of(Policy)[0].using == '(name = "nick2")'
    assert after.tables[0].foreign_keys[0].referred_columns == ("name",)


def test_a_column_is_followed_into_the_foreign_keys_of_its_own_table() -> None:
    before, after = (ref_of(ObjectKind.COLUMN, POSTS, name) for name in ("author", "writer"))
    key = apply_renames(SCHEMA, [Rename(before=before, after=after)]).tables[0].foreign_keys[0]

    assert (key.columns, key.referred_columns) == (("writer",), ("nick",))


def test_a_table_is_followed_into_foreign_keys_views_and_dependencies() -> None:
    members = QualifiedName("public", "members")
    change = Rename(before=ref_of(ObjectKind.TABLE, USERS), after=ref_of(ObjectKind.TABLE, members))

    after = apply_renames(SCHEMA, [change])

    assert after.table(members) is not None
    assert after.table(USERS) is None
    assert table_of(after, POSTS).foreign_keys[0].references == members
    assert after.of(View)[0].definition == "SELECT members.m FROM members"
    assert after.of(Policy)[0].table == members
    assert after.dependencies[0][0] == ref_of(ObjectKind.COLUMN, members, "m")


def test_an_enum_value_is_followed_into_defaults() -> None:
    after = apply_renames(SCHEMA, [RenameValue(enum=MOOD, before="sad", after="low")])

    assert after.of(Enum)[0].values == ("low", "ok")
    assert table_of(after, USERS).columns[2].default == "'low'::mood"


def test_a_type_is_followed_into_columns() -> None:
    state = QualifiedName("public", "state")
    change = Rename(before=ref_of(ObjectKind.ENUM, MOOD), after=ref_of(ObjectKind.ENUM, state))

    column = table_of(apply_renames(SCHEMA, [change]), USERS).columns[2]

    assert (column.type, column.default) == ("state", "'sad'::state")


def test_a_rename_is_all_that_remains_where_nothing_else_changed() -> None:
    change = Rename(before=column("nick"), after=column("name"))

    assert diff(SCHEMA, apply_renames(SCHEMA, [change]), [change]) == (change,)


def test_a_type_in_another_namespace_is_followed_with_its_namespace_and_quotes() -> None:
    odd = QualifiedName("Shop", "mood")
    change = Rename(before=ref_of(ObjectKind.ENUM, MOOD), after=ref_of(ObjectKind.ENUM, odd))

    there = apply_renames(SCHEMA, [change])
    column = table_of(there, USERS).columns[2]

    assert (column.type, column.default) == ('"Shop".mood', "'sad'::\"Shop\".mood")
    back = Rename(before=change.after, after=change.before)
    assert apply_renames(there, [back]) == apply_renames(SCHEMA, [])


def test_a_constraint_is_renamed_in_its_table_and_in_what_depends_on_it() -> None:
    before, after = (ref_of(ObjectKind.CONSTRAINT, POSTS, name) for name in ("f", "g"))
    schema = replace(SCHEMA, dependencies=((before, ref_of(ObjectKind.TABLE, USERS)),))

    there = apply_renames(schema, [Rename(before=before, after=after)])

    assert table_of(there, POSTS).foreign_keys[0].name == "g"
    assert there.dependencies[0][0] == after
    assert there.table(USERS) == SCHEMA.table(USERS)


def test_an_index_is_renamed_in_its_table_or_materialized_view_of_that_namespace() -> None:
    key = (IndexColumn(column="a"),)
    kept, mine = QualifiedName("public", "kept"), QualifiedName("other", "kept")
    index = Index(name="i", columns=key)
    views = tuple(
        MaterializedView(name=name, definition="SELECT 1 AS a", indexes=(index,))
        for name in (kept, mine)
    )
    tables = (*SCHEMA.tables, Table(name=QualifiedName("other", "t"), indexes=(index,)))
    schema = replace(SCHEMA, tables=tables, objects=views)
    before, after = (Ref(ObjectKind.INDEX, "public", name) for name in ("i", "j"))

    there = apply_renames(schema, [Rename(before=before, after=after)])

    found = {view.name: view.indexes[0].name for view in there.of(MaterializedView)}
    assert found == {kept: "j", mine: "i"}
    assert table_of(there, USERS).indexes[0].name == "j"
    assert there.table(tables[-1].name) == tables[-1]


def test_a_cycle_of_three_names_needs_one_temporary_name() -> None:
    def schema(*names: str) -> Schema:
        tables = tuple(
            Table(
                name=QualifiedName("public", table),
                columns=(Column(name="a", type="integer"),),
                uniques=(Unique(name=name, columns=("a",)),),
            )
            for table, name in zip("tuv", names, strict=True)
        )
        return Schema(tables=tables)

    one, other = schema("x", "y", "z"), schema("y", "z", "x")
    changes = diff(one, other)

    assert [type(change) for change in changes] == [Rename] * 4
    assert sum(change.aside for change in changes if isinstance(change, Rename)) == 1
    assert apply_renames(one, [c for c in changes if isinstance(c, Rename)]) == other


def test_the_sequence_behind_a_serial_follows_its_table() -> None:
    def sequence(owner: QualifiedName) -> Sequence:
        return Sequence(
            name=QualifiedName("public", f"{owner.name}_id_seq"),
            owned_by=Ref(ObjectKind.COLUMN, "public", owner.name, "id"),
        )

    users = Table(name=USERS, columns=(Column(name="id", type="integer", not_null=True),))
    people = replace(users, name=PEOPLE)
    rename = Rename(before=users.ref, after=people.ref)
    current = Schema(tables=(users,), objects=(sequence(USERS),))
    desired = Schema(tables=(people,), objects=(sequence(PEOPLE),))
    assert diff(current, desired, [rename]) == (
        rename,
        Rename(before=sequence(USERS).ref, after=sequence(PEOPLE).ref),
    )
