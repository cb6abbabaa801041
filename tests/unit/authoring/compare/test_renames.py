"""Renames that the user declares, and pairs of objects that may be renames."""

import pytest

from dbwarden.authoring.compare.renames import candidates, parse_rename, refuse_unknown_renames
from dbwarden.diff.changes import Rename, RenameValue
from dbwarden.errors import UsageError
from dbwarden.schema import Column, Enum, ObjectKind, QualifiedName, Ref, Schema
from tests.unit.authoring.schemas import CURRENT, ID, NICK, PEOPLE, USERS, table


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


def test_a_new_name_without_a_namespace_takes_that_of_the_models() -> None:
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
    assert within == Rename(
        before=Ref(ObjectKind.TABLE, "audit", "users"),
        after=Ref(ObjectKind.TABLE, "audit", "people"),
    )


@pytest.mark.parametrize("text", ["users.nick", ":new", "users:", "users.gone:new", "no.thing:x"])
def test_a_meaningless_rename_flag_is_refused(text: str) -> None:
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
def test_a_rename_must_lead_to_a_name_of_the_models(texts: list[str], refused: str | None) -> None:
    name = Column(name="name", type="text")
    moods = [Enum(name=QualifiedName("public", "mood"), values=("sad", "fine"))]
    moods.append(Enum(name=QualifiedName("public", "temper"), values=()))
    desired = Schema(tables=(table(PEOPLE, ID, name),), objects=tuple(moods))
    said = [parse_rename(text, CURRENT, desired) for text in texts]
    if refused is None:
        refuse_unknown_renames(texts, said, said, desired)
        return
    with pytest.raises(UsageError, match=refused):
        refuse_unknown_renames(texts, said, said, desired)


def test_a_rename_that_changes_only_capitals_is_explained_for_sqlite() -> None:
    desired = Schema(dialect="sqlite", tables=(table(QualifiedName(None, "Users"), ID),))
    said = [parse_rename("Users:users", desired, desired)]
    with pytest.raises(UsageError) as caught:
        refuse_unknown_renames(["Users:users"], said, said, desired)
    assert "users and Users, which is there now, are the same name" in str(caught.value.next_step)


def test_similar_dropped_and_added_objects_may_be_renames() -> None:
    desired = Schema(
        tables=(table(PEOPLE, ID, NICK),),
        objects=(Enum(name=QualifiedName("public", "mood"), values=("sad", "fine")),),
    )
    found = candidates(CURRENT, desired)
    assert [(item.old, item.new) for item in found] == [("users", "people"), ("mood.ok", "fine")]
    assert found[0].flags == ("--rename users:people", "--allow-drop users")
    assert found[0].reasons == ("2 of 2 columns are the same",)


def test_an_enum_that_comes_in_the_same_column_may_be_a_rename() -> None:
    column = table(USERS, ID).column_ref("id")

    def schema(name: str, *values: str, user: Ref = column) -> Schema:
        enum = Enum(name=QualifiedName("public", name), values=values)
        return Schema(tables=(table(USERS, ID),), objects=(enum,), dependencies=((user, enum.ref),))

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
