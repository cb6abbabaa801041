"""Generated SQL uses the expressions of the models."""

from dbwarden.authoring.collect.hints import NO_HINTS, Hints, IndexExpressions
from dbwarden.authoring.generate.apply_hints import restore_types, use_model_expressions
from dbwarden.diff.changes import AddColumn, AddConstraint, AddIndex, AlterColumn, CreateTable
from dbwarden.schema import Check, Column, Index, IndexColumn, QualifiedName
from tests.unit.authoring.schemas import ID, NICK, USERS, table

OWN = QualifiedName(None, "users")
HINTS = Hints(
    types={(OWN, "nick"): "VARCHAR(20)", (OWN, "id"): "INTEGER"},
    defaults={(OWN, "nick"): "'a'"},
    generated={(OWN, "twice"): "id * 2"},
    checks={(OWN, "ck"): "nick <> ''"},
    indexes={(OWN, "ix"): IndexExpressions(keys=(None, "lower(nick)", "id + 1"), where="id > 0")},
)


def test_changes_use_the_expressions_of_the_models() -> None:
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


def test_serial_columns_and_other_namespaces_keep_the_catalogs_expressions() -> None:
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
