"""Generated SQL uses the expressions of the models."""

from dbwarden.authoring.collect.hints import NO_HINTS, Hints, IndexExpressions
from dbwarden.authoring.generate.apply_hints import restore_types, use_model_expressions
from dbwarden.diff.changes import Alter, Create
from dbwarden.schema import Check, Column, Index, IndexColumn, QualifiedName
from tests.unit.authoring.schemas import ID, NICK, USERS, table

OWN = QualifiedName(None, "users")
HINTS = Hints(
    texts={
        ("type", OWN, "nick"): "VARCHAR(20)",
        ("type", OWN, "id"): "INTEGER",
        ("default", OWN, "nick"): "'a'",
        ("generated", OWN, "twice"): "id * 2",
        ("check", OWN, "ck"): "nick <> ''",
    },
    indexes={(OWN, "ix"): IndexExpressions(keys=(None, "lower(nick)", "id + 1"), where="id > 0")},
)


def test_changes_use_the_expressions_of_the_models() -> None:
    nick = Column(name="nick", type="character varying(20)", default="'a'::character varying")
    (made,) = use_model_expressions([Create(on=USERS, obj=nick)], HINTS, "public")
    assert made == Create(on=USERS, obj=Column(name="nick", type="VARCHAR(20)", default="'a'"))
    check = Check(name="ck", expression="((nick)::text <> ''::text)")
    (made,) = use_model_expressions([Create(on=USERS, obj=check)], HINTS, "public")
    assert made == Create(on=USERS, obj=Check(name="ck", expression="nick <> ''"))


def test_index_expressions_get_the_parentheses_that_they_need() -> None:
    keys = (
        IndexColumn(column="id"),
        IndexColumn(expression="lower((nick)::text)"),
        IndexColumn(expression="(id + 1)"),
    )
    index = Index(name="ix", columns=keys, where="(id > 0)")
    (made,) = use_model_expressions([Create(on=USERS, obj=index)], HINTS, "public")
    assert isinstance(made, Create)
    assert isinstance(made.obj, Index)
    assert [key.expression for key in made.obj.columns] == [None, "lower(nick)", "(id + 1)"]
    assert made.obj.where == "id > 0"


def test_serial_columns_and_other_namespaces_keep_the_catalogs_expressions() -> None:
    serial = Column(name="id", type="integer", default="nextval('users_id_seq'::regclass)")
    other = QualifiedName("audit", "users")
    changes = [Create(on=USERS, obj=serial), Create(on=other, obj=NICK)]
    assert use_model_expressions(changes, HINTS, "public") == tuple(changes)


def test_an_altered_column_keeps_its_type_for_the_conversion() -> None:
    before = Column(name="nick", type="text", default="'a'::text")
    after = Column(name="nick", type="character varying(20)", default="'a'::character varying")
    (made,) = use_model_expressions([Alter(on=USERS, before=before, after=after)], HINTS, "public")
    assert isinstance(made, Alter)
    assert isinstance(made.after, Column)
    assert (made.after.type, made.after.default) == ("character varying(20)", "'a'")
    text = "ALTER TABLE users\n    ALTER COLUMN nick TYPE character varying(20)"
    assert restore_types(text, made, HINTS, "public").endswith("ALTER COLUMN nick TYPE VARCHAR(20)")
    assert restore_types(text, made, NO_HINTS, "public") == text


def test_serials_are_written_in_capitals_like_other_types() -> None:
    text = (
        'CREATE TABLE t (\n    id serial NOT NULL,\n    "a b" bigint GENERATED ALWAYS AS IDENTITY'
    )
    text += ",\n    serial text\n)"
    made = restore_types(text, Create(obj=table(USERS, ID)), HINTS, "public")
    assert "    id SERIAL NOT NULL" in made
    assert '    "a b" BIGINT GENERATED' in made
    assert "    serial text" in made
